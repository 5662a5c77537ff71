"""Reads the files that come with a message: describes images, audio and video, and indexes documents."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from interactions_emulator.corpus.documents import ATTACHED, Document, Source, attached_markup, attached_source
from interactions_emulator.corpus.index import Corpus, Passage
from interactions_emulator.corpus.passage_splitting import title_of
from interactions_emulator.corpus.pdf import Unreadable, read_pdf
from interactions_emulator.corpus.table_series import Table
from interactions_emulator.corpus.words import clip, join_names

_TEXT_FILE = re.compile(r"(?P<name>[^\n:]{1,200}):\n\n(?P<fence>`{3,})\n(?P<text>.*)\n(?P=fence)", re.DOTALL)
_PICTURES = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")


class AttachedDocuments(NamedTuple):
    """The documents of a conversation: a corpus of the readable ones, and an error message for each other one."""

    corpus: Corpus
    errors: tuple[str, ...]


def read_documents(parts: Iterable[Mapping[str, Any]]) -> AttachedDocuments:
    """Reads contents of type `document`, oldest first."""
    sources: list[Source] = []
    errors: list[str] = []
    for number, part in enumerate(parts, 1):
        try:
            described = (str(part.get(key) or "") for key in ("mime_type", "uri", "name"))
            document = _document(number, part.get("data"), *described)
        except Unreadable as error:
            errors.append(f"I cannot read document {number}: {error}.")
        else:
            sources.append(attached_source(document))
    return AttachedDocuments(Corpus(sources, None), tuple(errors))


class CombinedCorpus:
    """The attached documents and the corpus, searched together."""

    def __init__(self, attached: Corpus, corpus: Corpus) -> None:
        self._corpora = (attached, corpus)

    def search(self, query: str, limit: int) -> list[Passage]:
        """The best passages of the attached documents, then of the corpus, up to `limit` of each."""
        return [passage for corpus in self._corpora for passage in corpus.search(query, limit)]

    def weights(self, query: str) -> dict[str, tuple[float, int]]:
        """The weight of each stem of the query, and the number of passages that contain the stem.

        The weight is that in the corpus, which is larger than the attached documents.
        """
        attached, main = (corpus.weights(query) for corpus in self._corpora)
        return {term: (weight, count + attached[term][1]) for term, (weight, count) in main.items()}

    def tables(self, document_id: str) -> list[Table]:
        """The tables of a document that can be drawn, in order."""
        attached, main = self._corpora
        corpus = attached if document_id.startswith(ATTACHED) else main
        return corpus.tables(document_id)


def describe_file(part: Mapping[str, Any]) -> str:
    """A description of a file by its type and size: `image (PNG, 640 × 480, 12 kB)`."""
    data, kind = str(part.get("data") or ""), str(part.get("type"))
    about = [str(part.get("mime_type") or "")]
    if data and kind == "image":
        about[0] = _picture(data, about[0])
    about.append(f"{max(1, len(data) * 3 // 4000)} kB" if data else str(part.get("uri") or ""))
    return f"{kind} ({', '.join(filter(None, about))})"


def described_media(content: Any) -> list[str]:
    """Descriptions of the images, audio and video in a step's content."""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return [describe_file(part) for part in parts if part.get("type") in ("image", "audio", "video")]


def media_note(media: list[str]) -> str:
    """A sentence that names files that are not analysed; "" if there are none."""
    named = join_names([f"1 {one}" for one in media])
    return f"I see {named}; the emulator does not analyse images, audio or video." if named else ""


def text_of(content: Any) -> str:
    """The text in a step's content, which may be a list of contents, one content or a string, without text files."""
    parts = [{"text": content}] if isinstance(content, str) else content if isinstance(content, list) else [content]
    texts = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type", "text") == "text")
    return "\n".join(text for text in texts if isinstance(text, str) and not text_file_in(text))


def all_text(corpus: Corpus) -> str:
    """The prose of all documents of a corpus."""
    return "\n\n".join(one.text for entry in corpus.documents() for one in corpus.passages(entry.document_id))


def _picture(data: str, mime_type: str) -> str:
    from PIL import Image  # imported here: it is slow, and most messages have no picture

    try:
        with Image.open(io.BytesIO(base64.b64decode(data)), formats=_PICTURES) as image:
            stated = (
                f"{image.format}, sent as {mime_type}" if mime_type != image.get_format_mimetype() else image.format
            )
            return f"{stated}, {image.width} × {image.height}"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return mime_type


@lru_cache(maxsize=8)  # so that a long document is not parsed again at every turn
def _document(number: int, data: object, mime_type: str, uri: str, name: str) -> Document:
    """Read one document. Raises `Unreadable` with the reason."""
    if not isinstance(data, str) or not data:
        raise Unreadable(f"files are not downloaded from addresses ({clip(uri, 200)}): send the file's data")
    try:
        raw = base64.b64decode(data)
    except ValueError as error:
        raise Unreadable(f"its data is not base64 ({error})") from error
    markup = attached_markup(raw, mime_type)
    if markup == "pdf":
        title, text = read_pdf(raw)
    else:
        text = raw.decode("utf-8-sig", errors="replace")
        if markup == "plain" and re.search(r"^#{1,6} \S", text, re.MULTILINE):
            markup = "markdown"  # Markdown is often sent as plain text
        title = title_of(text, markup)
    if not text.strip():
        raise Unreadable("it is empty")
    return Document(f"{ATTACHED}{number}", title or name or f"Document {number}", f"document {number}", text, markup)


def documents_of(contents: Any) -> list[dict[str, Any]]:
    """The contents of type `document`, and text files that were sent as text (`notes.txt:` and a code block)."""
    parts = [part for part in contents if isinstance(part, dict)] if isinstance(contents, list) else []
    found = (part if part.get("type") == "document" else text_file_in(part.get("text")) for part in parts)
    return [document for document in found if document]


def text_file_in(text: Any) -> dict[str, Any] | None:
    """The text file that a text consists of, as a content of type `document`; None if it is another text."""
    if not isinstance(text, str) or not (found := _TEXT_FILE.fullmatch(text.strip())):
        return None
    kind = "text/csv" if found["name"].casefold().endswith(".csv") else "text/plain"
    data = base64.b64encode(found["text"].encode(errors="replace")).decode()
    return {"type": "document", "mime_type": kind, "data": data, "name": found["name"]}
