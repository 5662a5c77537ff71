"""The tool calls of a model, put together from their pieces and checked."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from interactions_emulator.brain.model.chat_chunks import CallPiece


class BadCall(Exception):
    """A tool call cannot be used. The message says why, for the model and for people."""


@dataclass
class Call:
    """A tool call that comes in pieces."""

    name: str = ""
    text: str = ""
    """The arguments as the model wrote them."""

    def arguments(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the arguments. Raises `BadCall` if they are not an object, or if the name is not in `names`."""
        if self.name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise BadCall(f"there is no tool {self.name!r}; the tools are: {known}")
        value = parse_object(self.text)
        if value is None:
            raise BadCall(f"the arguments of {self.name} are not a JSON object: {self.text[:300]!r}")
        return value


class Calls:
    """The tool calls of an answer, put together from their pieces."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[str, Call]] = {}
        self.all: list[Call] = []
        """The calls in the order of their first pieces."""

    def add(self, piece: CallPiece) -> None:
        known, call = self._open.get(piece.number, ("", None))
        if call is None or (known and piece.id not in ("", known)):  # some servers give each call the index 0
            call = Call()
            self.all.append(call)
        self._open[piece.number] = piece.id or known, call
        if piece.name != call.name:  # some servers repeat the name with each piece
            call.name += piece.name
        call.text += piece.arguments


def parse_object(text: str) -> dict[str, Any] | None:
    """Read a JSON object that a model wrote, perhaps between other text or with Python's quotes; else None."""
    text = re.sub(r"^\s*```\w*\s*|\s*```\s*$", "", text)
    if not text.strip():
        return {}
    for read in (json.loads, _first_object, _python):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(value, str) and value != text:  # JSON inside a JSON string
            return parse_object(value)
        if isinstance(value, dict):
            return _sendable(value)
    return None


def _sendable(value: dict[str, Any]) -> dict[str, Any] | None:
    """An object without lone surrogates; None if it has numbers that JSON lacks, such as NaN."""
    try:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="replace")
    except ValueError:
        return None
    read: dict[str, Any] = json.loads(data)
    return read


def _first_object(text: str) -> Any:
    return json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))[0]


def _python(text: str) -> Any:
    """A Python literal, if it is JSON data."""
    value = ast.literal_eval(text.strip())
    json.dumps(value)
    return value
