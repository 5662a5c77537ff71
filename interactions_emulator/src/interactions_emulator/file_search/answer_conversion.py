"""Converts an answer that searched a corpus with google_search to one that searched stores with file_search."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from interactions_emulator.brain.protocol import Entry, Step, TextDelta, TimedStep
from interactions_emulator.corpus.index import Corpus
from interactions_emulator.file_search.stores import Document

BASE = "file-search:"
"""Base of the addresses of stores' documents in citations."""


class Conversion:
    """Converts the entries of one answer, in order. The ids in `corpus` are the names of the `documents`."""

    def __init__(self, corpus: Corpus, documents: Iterable[Document]) -> None:
        self._corpus = corpus
        self._documents = {f"{BASE}/{document.name}": document for document in documents}
        self._text = ""
        """The text so far of the step that comes in pieces."""
        self._kind = ""
        """The kind of this step, "" if none has begun."""
        self.searched = False
        """Whether the answer has searched."""
        self.cited = False
        """Whether the answer has a citation."""

    def __call__(self, entry: Entry) -> Entry:
        if isinstance(entry, TextDelta):
            self._text = self._text + entry.text if entry.kind == self._kind else entry.text
            self._kind = entry.kind
            return entry._replace(annotations=tuple(self._annotations(entry.annotations, self._text)))
        self._kind = ""
        return TimedStep(entry.wait, self._step(entry.step)) if isinstance(entry, TimedStep) else entry

    def _step(self, step: Step) -> Step:
        kind = step["type"]
        if kind in ("google_search_call", "google_search_result"):
            self.searched = True
            shown: Step = {key: step[key] for key in ("id", "call_id", "signature") if key in step}
            return {"type": kind.replace("google", "file")} | shown
        if kind != "model_output":
            return step
        return {**step, "content": [self._content(content) for content in step.get("content", ())]}

    def _content(self, content: dict[str, Any]) -> dict[str, Any]:
        if not content.get("annotations"):
            return content
        return {**content, "annotations": self._annotations(content["annotations"], content["text"])}

    def _annotations(self, annotations: Iterable[dict[str, Any]], text: str) -> list[dict[str, Any]]:
        converted = []
        for annotation in annotations:
            self.cited = True
            document = self._documents.get(annotation.get("url", ""))
            converted.append(self._citation(annotation, text, document) if document else annotation)
        return converted

    def _citation(self, annotation: dict[str, Any], text: str, document: Document) -> dict[str, Any]:
        """The citation of a document. `source` is the passage that a quoted sentence is from."""
        place = {key: annotation[key] for key in ("start_index", "end_index")}
        quoted = text.encode()[place["start_index"] : place["end_index"]].decode().replace("\\", "")
        passages = self._corpus.passages(document.name)
        passage = next((one for one in passages if quoted in one.text.replace("\\", "")), None)
        cited = {
            "type": "file_citation",
            "document_uri": document.name,
            "file_name": document.display_name or document.id,
            "source": passage.text if passage else "",
            "page_number": passage.page if passage else 0,
            "custom_metadata": document.metadata,
        }
        return {key: value for key, value in cited.items() if value} | place
