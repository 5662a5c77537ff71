"""Cited sources in the text of an answer: no user interface of ADK 2.13 shows grounding metadata."""

from __future__ import annotations

from typing import Any

from google.adk.models import LlmResponse
from google.genai import types

from tools.research.report import read_report, source_line


def with_sources(response: LlmResponse) -> LlmResponse:
    """Puts a numbered marker behind each cited passage and the list of sources at the end.

    The text and its grounding are read as the interaction that they came from, so that an answer is cited exactly as
    a report is. A response without citations stays as it is.
    """
    parts = (response.content.parts if response.content else None) or []
    spoken = [part for part in parts if part.text and not part.thought]
    annotations = _annotations(response.grounding_metadata)
    if len(spoken) != 1 or not annotations or response.content is None:
        return response
    content = {"type": "text", "text": spoken[0].text, "annotations": annotations}
    answer = read_report({"steps": [{"type": "model_output", "content": [content]}]})
    listed = "\n".join(f"{source.number}. {source_line(source)}" for source in answer.sources)
    text = f"{answer.text}\n\n**Sources**\n\n{listed}"
    cited = [types.Part(text=text) if part is spoken[0] else part for part in parts]
    return response.model_copy(update={"content": types.Content(role=response.content.role, parts=cited)})


def _annotations(grounding: types.GroundingMetadata | None) -> list[dict[str, Any]]:
    """Grounding as the `url_citation`s that ADK made it from; offsets count UTF-8 bytes in both."""
    chunks = (grounding.grounding_chunks if grounding else None) or []
    return [
        {
            "type": "url_citation",
            "url": web.uri,
            "title": web.title,
            "start_index": (support.segment.start_index or 0) if support.segment else None,
            "end_index": support.segment.end_index if support.segment else None,
        }
        for support in (grounding.grounding_supports if grounding else None) or []
        for index in support.grounding_chunk_indices or []
        if index < len(chunks) and (web := chunks[index].web)
    ]
