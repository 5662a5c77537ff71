"""Resolves redirect links: Deep Research cites many pages by a Google address that redirects to the page.

Requests go to Google only. The answer's `Location` is read but not followed, so that a report's text cannot make this
machine call another machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import httpx2

from tools.load_control.concurrent_calls import run_each
from tools.web_addresses.public_address import is_public

MAX_CONCURRENT_REQUESTS = 8
"""Maximum number of requests at the same time."""
REDIRECT_TIMEOUT_S = 10.0
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
    located = run_each(lambda url: _location(url, http), redirects, MAX_CONCURRENT_REQUESTS)
    return {url: target async for url, target in located if target}


async def _location(url: str, http: httpx2.AsyncClient) -> str:
    try:
        async with http.stream("GET", url, follow_redirects=False) as response:
            target = response.headers.get("location", "") if response.is_redirect else ""
    except (httpx2.HTTPError, httpx2.InvalidURL):  # httpx2 parses the location in any case: InvalidURL
        return ""
    return target if is_public(target) else ""
