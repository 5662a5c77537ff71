"""Finds the copy of an unreachable page in the Internet Archive."""

from __future__ import annotations

import json
from contextlib import suppress
from urllib.parse import quote

import httpx2

from tools.research.verification.fetching import Fetcher
from tools.text.markdown import is_web
from tools.web_addresses.parsing import split_address
from tools.web_addresses.public_http import NotPublic

ARCHIVE_URL = "https://archive.org/wayback/available"
"""The Internet Archive's API that finds the copy of a page (archive.org/help/wayback_api.php)."""


async def archived_copy(fetcher: Fetcher, base: str, url: str) -> str:
    """Returns the address of the newest copy of a page; empty if there is none or the archive does not say.

    Args:
        base: address of the archive's API; empty: it is not asked.
    """
    with suppress(NotPublic, TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, LookupError, TypeError):
        answer = await fetcher.get(f"{base}?url={quote(url, safe='')}", 100_000) if base else None
        found = json.loads(answer.data)["archived_snapshots"]["closest"]["url"] if answer else ""
        return found if isinstance(found, str) and _is_archived(found) else ""
    return ""


def _is_archived(url: str) -> bool:
    """Whether an address is a page of the Internet Archive. Raises ValueError if it is not an address."""
    return is_web(url) and split_address(url).hostname == "web.archive.org"
