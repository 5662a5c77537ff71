"""The pieces of a chat completion, as a server streams them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class CallPiece(NamedTuple):
    """A part of a tool call. Parts with the same number belong together."""

    number: int
    id: str
    name: str
    arguments: str


class Delta(NamedTuple):
    """One event of a completion."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[CallPiece, ...] = ()
    finish: str = ""
    """The reason why the completion ended: stop, length, tool_calls, content_filter; "" until it has ended."""
    tokens: int = 0
    """Total tokens of the request and its answer; 0 if the server does not report them."""


def read_call_piece(piece: dict[str, Any], place: int) -> CallPiece:
    function = piece.get("function") or {}
    arguments = function.get("arguments")
    if isinstance(arguments, dict):  # some servers send the object itself
        arguments = json.dumps(arguments)
    index = piece.get("index")
    return CallPiece(
        number=place if index is None else int(index),
        id=str(piece.get("id") or ""),
        name=clean_text(function.get("name")),
        arguments=clean_text(arguments),
    )


def token_count(event: dict[str, Any]) -> int:
    """The total tokens that an event reports; 0 if it reports none."""
    usage = event.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else 0
    return total if isinstance(total, int) else 0


def clean_text(text: Any) -> str:
    """A text without lone surrogates, which JSON can contain but UTF-8 cannot encode."""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is not a string")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
