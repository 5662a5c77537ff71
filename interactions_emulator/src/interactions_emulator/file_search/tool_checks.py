"""Checks the tool `file_search` of a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from interactions_emulator.errors import Refused
from interactions_emulator.file_search.metadata import parse_filter
from interactions_emulator.file_search.stores import Stores
from interactions_emulator.limits import MAX_STORES_IN_TOOL


def check_file_search(stores: Stores, tools: Iterable[dict[str, Any]]) -> None:
    """Raise `Refused` (400, 404) unless the tools of a request name known stores, and filters that can be read."""
    for tool in tools:
        if tool["type"] != "file_search":
            continue
        names = tool.get("file_search_store_names")
        if not isinstance(names, list) or not 0 < len(names) <= MAX_STORES_IN_TOOL:
            raise Refused(400, f"file_search needs file_search_store_names: a list of 1 to {MAX_STORES_IN_TOOL} stores")
        for name in names:
            stores.searchable(store_id(name))  # with infinite speed, time passes until its documents are indexed
        top_k, text = tool.get("top_k"), tool.get("metadata_filter")
        if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
            raise Refused(400, f"file_search.top_k is a number from 1 on, not {top_k!r}")
        if text is not None:
            parse_filter(str(text))


def store_id(name: Any) -> str:
    """Return the id in the name of a store."""
    return str(name).removeprefix("fileSearchStores/")
