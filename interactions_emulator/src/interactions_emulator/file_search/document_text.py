"""Reads the text of an uploaded document."""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

from interactions_emulator.corpus.documents import MARKUP, MARKUP_OF_TYPE
from interactions_emulator.corpus.passage_splitting import Markup
from interactions_emulator.corpus.pdf import Unreadable, read_pdf

__all__ = ["Readable", "Unreadable", "read_document"]

TYPES: dict[str, Markup] = MARKUP_OF_TYPE | {"application/json": "plain"}
"""Maps types of media to markup. Any other type of text is plain text."""


class Readable(NamedTuple):
    """The text of a document."""

    text: str
    markup: Markup


def read_document(data: bytes, mime_type: str, name: str) -> Readable:
    """Read a document. Its name decides about the markup of plain text. Raises `Unreadable` with the reason."""
    kind = mime_type.partition(";")[0].strip().lower()
    markup = TYPES.get(kind) or ("plain" if kind.startswith("text/") else None)
    if markup in (None, "plain"):
        markup = MARKUP.get(PurePath(name).suffix.lower(), markup)
    if markup is None:
        raise Unreadable(f"{kind or 'a document without a type'} is not supported: upload text, HTML, CSV or PDF")
    text = read_pdf(data).text if markup == "pdf" else data.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise Unreadable("it has no text")
    return Readable(text, markup)
