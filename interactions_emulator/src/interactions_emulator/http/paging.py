"""Divides lists into pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interactions_emulator.errors import Refused


def page(
    items: Sequence[Any], query: Mapping[str, str], name: str, default: int, maximum: int, snake: bool = False
) -> dict[str, Any]:
    """Return the page that a query asks for, as `{name: [...], "nextPageToken": ...}`; the last page has no token.

    The query has `pageSize` and `pageToken`, or `page_size` and `page_token` if `snake`, as has the answer then. A size
    above `maximum` counts as `maximum`. Raises `Refused` (400).
    """
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
