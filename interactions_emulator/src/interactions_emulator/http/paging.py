"""Divides lists into pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interactions_emulator.errors import Refused

PAGE_SIZES = {
    "agents": (50, 1_000),
    "documents": (10, 20),
    "fileSearchStores": (10, 20),
    "files": (10, 100),
    "models": (50, 1_000),
    "publisherModels": (50, 1_000),
    "trigger_executions": (50, 1_000),
    "triggers": (50, 1_000),
}
"""Maps the name of each list to its default page size and to the largest."""


def page(items: Sequence[Any], query: Mapping[str, str], name: str, snake: bool = False) -> dict[str, Any]:
    """Return the page that a query asks for, as `{name: [...], "nextPageToken": ...}`; the last page has no token.

    `name` is one of `PAGE_SIZES`. The query has `pageSize` and `pageToken`, or `page_size` and `page_token` if
    `snake`, as has the answer then. A size above the largest counts as the largest. Raises `Refused` (400).
    """
    default, maximum = PAGE_SIZES[name]
    size_name, token_name, next_name = (
        ("page_size", "page_token", "next_page_token") if snake else ("pageSize", "pageToken", "nextPageToken")
    )
    size, token = query.get(size_name) or str(default), query.get(token_name) or "0"
    if not size.isdecimal():
        raise Refused(400, f"{size_name} is a number from 1 to {maximum}, not {size!r}")
    if not token.isdecimal() or len(token) > 9:
        raise Refused(400, f"{token_name} {token!r} is not a token that this server gave: leave it out to begin")
    begin, count = int(token), min(int(size[:9]) or default, maximum)
    found = {name: list(items[begin : begin + count])}
    return found | ({next_name: str(begin + count)} if begin + count < len(items) else {})
