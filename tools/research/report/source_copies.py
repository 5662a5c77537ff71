"""Copies the emulator's documents beside a saved report.

Their addresses no longer work when the emulator has ended or has another port.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

import httpx2

from tools.interactions.backend import is_loopback
from tools.web_addresses.parsing import split_address

FOLDER = "sources"
"""Folder of the copies, beside the report."""
_DOCUMENTS = "/documents/"


def emulator_documents(urls: Iterable[str]) -> list[str]:
    """Selects the addresses of documents of an emulator on this machine, on any port."""
    return [url for url in urls if is_loopback(url) and split_address(url).path.startswith(_DOCUMENTS)]


async def copy_documents(urls: Iterable[str], emulator_url: str) -> dict[str, bytes]:
    """Fetches cited documents from the emulator, which may have had another port when they were cited.

    Returns:
        A map from each cited address to its page. Documents that the emulator no longer has are left out.
    """
    pages = dict[str, bytes]()
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as http:
        for url in urls:
            try:
                answer = await http.get(f"{emulator_url}{split_address(url).path}")
            except httpx2.HTTPError:
                continue
            if answer.is_success:
                pages[url] = answer.content
    return pages


def files_of(pages: Mapping[str, bytes]) -> dict[str, str]:
    """Maps each cited address to the path of its page's file, relative to the report."""
    names = {url: unquote(split_address(url).path.removeprefix(_DOCUMENTS)) for url in pages}
    return {url: f"{FOLDER}/{number}-{_file_name(name)}.html" for number, (url, name) in enumerate(names.items(), 1)}


def link_copies(text: str, files: Mapping[str, str]) -> str:
    """Replaces the cited addresses in Markdown or HTML with the paths of the copies."""
    for url in sorted(files, key=len, reverse=True):  # one address may begin with another
        text = text.replace(url, quote(files[url]))
    return text


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[-80:].strip("-.") or "document"
