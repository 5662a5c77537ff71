"""Makes the metadata that says where an answer comes from: groundingMetadata and urlContextMetadata."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from interactions_emulator.brain.protocol import Step


class Grounding:
    """Collects the sources of an answer.

    A position counts the bytes of UTF-8 from the start of its part. A field that is 0 is left out, as in all JSON that
    Google's services make of protocol buffers.
    """

    def __init__(self) -> None:
        self._queries: list[str] = []
        self._entry_point = ""
        self._chunks: list[dict[str, Any]] = []
        self._supports: list[dict[str, Any]] = []

    def add_step(self, step: Step) -> None:
        """Add the queries of a search, or the search suggestions of its result."""
        if step["type"] == "google_search_call":
            self._queries += step["arguments"].get("queries", ())
        elif step["type"] == "google_search_result":
            suggestions = [one["search_suggestions"] for one in step["result"] if one.get("search_suggestions")]
            self._entry_point = "".join(suggestions) or self._entry_point

    def add_text(self, content: dict[str, Any], part: int, offset: int = 0) -> None:
        """Add the citations of a text. It begins `offset` bytes after the start of the part number `part`."""
        encoded = content["text"].encode()
        for annotation in content.get("annotations", ()):
            chunk = _chunk(annotation)
            if chunk is None:
                continue
            if chunk not in self._chunks:
                self._chunks.append(chunk)
            start, end = annotation.get("start_index", 0), annotation.get("end_index", len(encoded))
            place = {"partIndex": part, "startIndex": start + offset, "endIndex": end + offset}
            segment = {key: value for key, value in place.items() if value}
            segment["text"] = encoded[start:end].decode(errors="replace")
            self._supports.append({"segment": segment, "groundingChunkIndices": [self._chunks.index(chunk)]})

    def metadata(self) -> dict[str, Any]:
        """Return the groundingMetadata, {} if there are no sources."""
        entry_point = {"renderedContent": self._entry_point} if self._entry_point else None
        found = {
            "searchEntryPoint": entry_point,
            "groundingChunks": self._chunks,
            "groundingSupports": self._supports,
            "webSearchQueries": self._queries,
        }
        return {key: value for key, value in found.items() if value}


def url_metadata(steps: Iterable[Step]) -> dict[str, Any]:
    """Return the urlContextMetadata of the answer, {} if it read no addresses."""
    read = [
        {
            "retrievedUrl": one.get("url", ""),
            "urlRetrievalStatus": f"URL_RETRIEVAL_STATUS_{str(one.get('status', 'success')).upper()}",
        }
        for step in steps
        if step["type"] == "url_context_result"
        for one in step["result"]
    ]
    return {"urlMetadata": read} if read else {}


def _chunk(annotation: dict[str, Any]) -> dict[str, Any] | None:
    """The source of a citation; None for other annotations."""
    if annotation["type"] == "url_citation":
        return {"web": {"uri": annotation.get("url", ""), "title": annotation.get("title", "")}}
    if annotation["type"] != "file_citation":
        return None
    document = annotation.get("document_uri", "")
    store, _, in_store = document.partition("/documents/")
    found = {
        "uri": "" if in_store else document,
        "title": annotation.get("file_name"),
        "text": annotation.get("source"),
        "pageNumber": annotation.get("page_number"),
        "documentName": document if in_store else "",
        "fileSearchStore": store if in_store else "",
        "customMetadata": [_metadata(*one) for one in annotation.get("custom_metadata", {}).items()],
    }
    return {"retrievedContext": {key: value for key, value in found.items() if value}}


def _metadata(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"key": key, "stringListValue": {"values": value}}
    return {"key": key, "stringValue" if isinstance(value, str) else "numericValue": value}
