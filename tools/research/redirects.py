"""Redirect links: Deep Research cites many pages by an address of Google's that leads to them.

Where one leads is asked of Google and nobody else: the answer's `Location` is read and not followed, so that no text of
a report can make this machine call a machine of somebody's choice.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpx

AT_ONCE = 8
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
    """Whether an address is of the web and names no machine of a private network."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    try:
        named = ipaddress.ip_address(host).is_global
    except ValueError:  # a name: of the public kind it has a dot, and no private ending
        named = "." in host and not host.endswith((".local", ".localhost", ".internal", ".lan", ".home.arpa"))
    return parts.scheme in ("http", "https") and named
