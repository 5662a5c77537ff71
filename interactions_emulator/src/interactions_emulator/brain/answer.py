"""Builds the steps of an answer: text with citations, thoughts, calls and pictures. Equal turns give equal steps."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Any, Self

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.corpus.documents import ATTACHED
from interactions_emulator.corpus.index import Passage

SIGN_OFF = "— emulator"
"""The last line of every text, which shows that Gemini did not write it."""
_MARKUP = re.compile(r"[`*]+|(?<!\w)_+|_+(?!\w)")
"""Matches what Markdown would read as code or emphasis, such as the underscores of `__enter__`."""


class Draft:
    """A text under construction. Citation positions are UTF-8 byte offsets, end exclusive, as in the API."""

    def __init__(self, documents_url: str) -> None:
        self._url = documents_url if not documents_url or documents_url.endswith("/") else documents_url + "/"
        self._pieces: list[str] = []
        self._bytes = 0
        self._annotations: list[dict[str, Any]] = []

    def write(self, text: str) -> Self:
        """Appends text and returns the draft."""
        self._pieces.append(text)
        self._bytes += len(text.encode(errors="replace"))
        return self

    def quote(self, sentence: str, source: Passage) -> Self:
        """Appends a sentence from `source` with its citation, and returns the draft. Markdown marks are escaped."""
        start = self._bytes
        self.write(_MARKUP.sub(lambda found: "".join(f"\\{character}" for character in found[0]), sentence))
        place = {"start_index": start, "end_index": self._bytes}
        cited: dict[str, Any]
        if source.document_id.startswith(ATTACHED):  # an attached document has no URL
            cited = {"type": "file_citation", "file_name": source.title, "source": sentence}
            cited |= {"page_number": source.page} if source.page else {}
        else:
            cited = {"type": "url_citation", "url": self._url + source.document_id, "title": source.title}
        self._annotations.append(cited | place)
        return self

    def paragraphs(self, quotations: Iterable[tuple[str, Passage]]) -> Self:
        """Appends sentences with their citations, a paragraph for each section of a document, and returns the draft."""
        before = ("", "")
        for sentence, source in quotations:
            place = (source.document_id, source.heading)
            self.write(" " if before == place else "\n\n" * any(before)).cite(sentence, source)
            before = place
        return self

    def cite(self, sentence: str, source: Passage) -> Self:
        """Appends a sentence with its citation, and returns the draft."""
        return self.quote(sentence, source)

    def step(self) -> Step:
        """The text as a `model_output` that ends with the emulator's sign-off."""
        content: dict[str, Any] = {"type": "text", "text": f"{''.join(self._pieces).rstrip()}\n\n{SIGN_OFF}"}
        if self._annotations:
            content["annotations"] = self._annotations
        return {"type": "model_output", "content": [content]}


class NumberedDraft(Draft):
    """A draft that numbers its sources in the order of their first citation."""

    def __init__(self, documents_url: str) -> None:
        super().__init__(documents_url)
        self._numbers: dict[str, int] = {}

    @property
    def source_count(self) -> int:
        """The number of cited documents."""
        return len(self._numbers)

    def cite(self, sentence: str, source: Passage) -> Self:
        """Appends a sentence with its citation and the number of its source, and returns the draft."""
        number = self._numbers.setdefault(source.document_id, len(self._numbers) + 1)
        return self.quote(sentence, source).write(f" [{number}]")


def say(text: str) -> Step:
    """A `model_output` with plain text."""
    return Draft("").write(text).step()


def with_paragraph(step: Step, text: str) -> Step:
    """A `model_output` whose text has another paragraph before its sign-off; other steps and texts as they are."""
    content = [dict(part) for part in step.get("content") or [] if isinstance(part, dict)]
    for part in content:
        if str(part.get("text", "")).endswith(SIGN_OFF):
            part["text"] = f"{part['text'].removesuffix(SIGN_OFF)}{text}\n\n{SIGN_OFF}"
            return {**step, "content": content}
    return step


class Ids:
    """Makes ids and signatures. The same turn always gives the same ones."""

    def __init__(self, turn: Turn) -> None:
        last = turn.steps[-1] if turn.steps else {}
        self._seed = f"{turn.target} {len(turn.steps)} {last!r}"[:100_000]
        self._count = 0

    def new(self, prefix: str) -> str:
        """A new id, such as `fc_1f0a9b3c`."""
        return f"{prefix}_{self._digest().hex()[:8]}"

    def signature(self) -> str:
        """A new signature, opaque base64."""
        return base64.b64encode(self._digest()[:12]).decode()

    def _digest(self) -> bytes:
        self._count += 1
        return hashlib.sha256(f"{self._seed} {self._count}".encode(errors="replace")).digest()


def sendable(value: Any) -> Any:
    """A step with its lone surrogates replaced, because JSON can contain them but UTF-8 cannot encode them."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {sendable(key): sendable(one) for key, one in value.items()}
    return [sendable(one) for one in value] if isinstance(value, list) else value


def image(png: bytes) -> dict[str, Any]:
    """A picture as the content of a step."""
    return {"type": "image", "mime_type": "image/png", "data": base64.b64encode(png).decode()}


def thought(ids: Ids, text: str) -> Step:
    """A `thought` step with a summary."""
    return {"type": "thought", "signature": ids.signature(), "summary": [{"type": "text", "text": text}]}


def function_call(ids: Ids, name: str, arguments: dict[str, Any]) -> Step:
    """A `function_call` step."""
    return {"type": "function_call", "id": ids.new("fc"), "name": name, "arguments": arguments}


def search_steps(ids: Ids, queries: list[str]) -> tuple[Step, Step]:
    """A `google_search_call` and its result, which says that only local documents were searched."""
    call_id = ids.new("gs")
    call: Step = {
        "type": "google_search_call",
        "id": call_id,
        "arguments": {"queries": queries},
        "search_type": "web_search",
        "signature": ids.signature(),
    }
    result: Step = {
        "type": "google_search_result",
        "call_id": call_id,
        "result": [
            {"search_suggestions": "<div>Searched by the emulator in its local documents, not on the web</div>"}
        ],
        "signature": ids.signature(),
        "is_error": False,
    }
    return call, result
