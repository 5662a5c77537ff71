"""Reads the text of contents as the API sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def text_of(contents: Iterable[Mapping[str, Any]] | None, separator: str = "") -> str:
    """Returns the texts of a step's contents, joined; contents without a text are left out."""
    return separator.join([content["text"] for content in contents or () if content.get("text")])
