"""Redirect links: Deep Research cites many pages by an address of Google's that leads to them.

Where one leads is asked of Google and nobody else: the answer's `Location` is read and not followed, so that no text of
a report can make this machine call a machine of somebody's choice.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpx

AT_ONCE = 8
_UNICAST = ipaddress.IPv6Network("2000::/3")
_PRIVATE_NAME = re.compile(r"\.(local|localhost|localdomain|internal|intranet|private|corp|home|lan|home\.arpa)\Z")
_REDIRECT = re.compile(r"https://vertexaisearch\.cloud\.google\.com/grounding-api-redirect/[\w=-]+")


def is_redirect(url: str) -> bool:
    """Whether an address is Google's and leads to another one."""
    return _REDIRECT.fullmatch(url) is not None


async def resolve(urls: Iterable[str], http: httpx.AsyncClient) -> dict[str, str]:
    """The addresses that redirects lead to. Left out: what is no redirect, and one whose end nobody told.

    Args:
        http: a client that follows no redirects.
    """
    redirects = [url for url in dict.fromkeys(urls) if is_redirect(url)]
    free = asyncio.Semaphore(AT_ONCE)

    async def one(url: str) -> str:
        async with free:
            return await _location(url, http)

    found = await asyncio.gather(*map(one, redirects))
    return {url: target for url, target in zip(redirects, found, strict=True) if target}


async def _location(url: str, http: httpx.AsyncClient) -> str:
    try:
        async with http.stream("GET", url, follow_redirects=False) as response:
            target = response.headers.get("location", "") if response.is_redirect else ""
    except (httpx.HTTPError, httpx.InvalidURL):  # the second: httpx looks at the location in any case
        return ""
    return target if is_public(target) else ""


def is_public(url: str) -> bool:
    """Whether an address is of the web and names no machine of a private network, however it is written.

    A name is not looked up: one of the public kind can lead into a private network all the same.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # checked when it is read
    except ValueError:
        return False
    # Browsers drop some characters of an address and take a backslash for a slash.
    plain = not re.search(r"[\s\\\x00-\x1f\x7f]", url) and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and plain and _is_public_host(host)


def _is_public_host(host: str) -> bool:
    # As browsers read it: letters and dots of East Asian scripts count as those of ASCII.
    host = unicodedata.normalize("NFKC", host).replace("。", ".").casefold().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        *names, top = host.split(".")
        # Browsers take all that ends in a number for an address of IPv4: 127.1, 0x7f.1, 2130706433.
        named = bool(names) and top[:1].isalpha() and all(re.fullmatch(r"[\w-]+", name) for name in (*names, top))
        return named and not _PRIVATE_NAME.search(host)
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _UNICAST or address.sixtofour or address.teredo or address.scope_id
    ):
        return False  # among others those with an address of IPv4 in them
    return address.is_global and not address.is_multicast
