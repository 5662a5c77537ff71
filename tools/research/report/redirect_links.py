"""Resolves redirect links: Deep Research cites many pages by a Google address that redirects to the page.

Requests go to Google only. The answer's `Location` is read but not followed, so that a report's text cannot make this
machine call another machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpx2

MAX_CONCURRENT_REQUESTS = 8
"""Maximum number of requests at the same time."""
_UNICAST = ipaddress.IPv6Network("2000::/3")
_PRIVATE_NAME = re.compile(r"\.(local|localhost|localdomain|internal|intranet|private|corp|home|lan|home\.arpa)\Z")
_REDIRECT = re.compile(r"https://vertexaisearch\.cloud\.google\.com/grounding-api-redirect/[\w=-]+")


def is_redirect(url: str) -> bool:
    """Whether an address is one of Google's redirects."""
    return _REDIRECT.fullmatch(url) is not None


async def resolve(urls: Iterable[str], http: httpx2.AsyncClient) -> dict[str, str]:
    """Maps redirects to their targets. Leaves out other addresses, and redirects without a public target.

    Args:
        http: the client; redirects are not followed.
    """
    redirects = [url for url in dict.fromkeys(urls) if is_redirect(url)]
    free = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)

    async def resolve(url: str) -> str:
        async with free:
            return await _location(url, http)

    found = await asyncio.gather(*map(resolve, redirects))
    return {url: target for url, target in zip(redirects, found, strict=True) if target}


async def _location(url: str, http: httpx2.AsyncClient) -> str:
    try:
        async with http.stream("GET", url, follow_redirects=False) as response:
            target = response.headers.get("location", "") if response.is_redirect else ""
    except (httpx2.HTTPError, httpx2.InvalidURL):  # httpx2 parses the location in any case: InvalidURL
        return ""
    return target if is_public(target) else ""


def is_public(url: str) -> bool:
    """Whether an address is a web address and names no machine of a private network, in any notation.

    Names are not resolved: a public name can still lead into a private network.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises ValueError if it is not valid
    except ValueError:
        return False
    # Browsers drop some characters of an address and read a backslash as a slash.
    plain = not re.search(r"[\s\\\x00-\x1f\x7f]", url) and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and plain and _is_public_host(host)


def _is_public_host(host: str) -> bool:
    # As in browsers, full-width letters and ideographic dots count as ASCII.
    host = unicodedata.normalize("NFKC", host).replace("。", ".").casefold().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        *names, top = host.split(".")
        # Browsers read a host that ends in a number as an IPv4 address: 127.1, 0x7f.1, 2130706433.
        named = bool(names) and top[:1].isalpha() and all(re.fullmatch(r"[\w-]+", name) for name in (*names, top))
        return named and not _PRIVATE_NAME.search(host)
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _UNICAST or address.sixtofour or address.teredo or address.scope_id
    ):
        return False  # for example addresses that contain an IPv4 address
    return address.is_global and not address.is_multicast
