"""Reads attached documents as text, with the readers of the corpus."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from interactions_emulator.brain.model.limits import MAX_DOCUMENT_CHARS
from interactions_emulator.brain.protocol import Step
from interactions_emulator.corpus.documents import ATTACHED, Document, attached_markup, attached_source
from interactions_emulator.corpus.index import Corpus
from interactions_emulator.corpus.passage_splitting import paragraphs, title_of
from interactions_emulator.corpus.pdf import Unreadable, read_pdf


def document_text(content: dict[str, Any]) -> str:
    """A content of type `document` as text for a model: its name and its text, or why it cannot be read."""
    name = _name(content)
    try:
        document = _read(content, "")
    except Unreadable as error:
        return f"[The document {name} cannot be read: {error}]"
    text = document.source
    if document.markup in ("pdf", "html"):
        text = "\n\n".join(paragraph.text for paragraph in paragraphs(text, document.markup))
    return f"Document {name}:\n\n{text[:MAX_DOCUMENT_CHARS]}"


def attached_corpus(steps: Iterable[Step]) -> Corpus:
    """The readable documents in the user's inputs, as a corpus. Their ids begin with `ATTACHED`."""
    sources = []
    contents = (c for s in steps if s.get("type") == "user_input" for c in s.get("content") or ())
    for number, content in enumerate((c for c in contents if c.get("type") == "document"), 1):
        try:
            document = _read(content, f"{ATTACHED}{number}")
        except Unreadable:
            continue
        sources.append(attached_source(document))
    return Corpus(sources, None)


def _read(content: dict[str, Any], document_id: str) -> Document:
    """Read a document. Raises `Unreadable` with the reason."""
    data = content.get("data")
    if not isinstance(data, str) or not data:
        raise Unreadable("files are not downloaded from addresses: send the file's data")
    raw = base64.b64decode(data)  # the server has checked that it is base64
    markup = attached_markup(raw, str(content.get("mime_type") or ""))
    name = _name(content)
    if markup == "pdf":
        title, text = read_pdf(raw)
    else:
        text = raw.decode("utf-8-sig", errors="replace")
        title = title_of(text, markup)
    if not text.strip():
        raise Unreadable("it is empty")
    return Document(document_id, title or name, f"the document {name}", text, markup)


def _name(content: dict[str, Any]) -> str:
    return str(content.get("name") or content.get("display_name") or content.get("uri") or "without a name")
