"""Builds finished interactions as the API sends them, and shortens citation marks for comparisons."""

import base64
import re
from typing import Any

from tools.research.report.reading import read_report

MARK = re.compile(r'\[\\\[(\d+)\\\]\]\(([^()\s]*) "((?:[^"\\]|\\.)*)"\)')
PNG = b"\x89PNG\r\n\x1a\n\x00"
THOUGHT = {"type": "thought", "summary": [{"type": "text", "text": "**Planning**"}]}
SEARCH = {"type": "google_search_call", "id": "g1", "arguments": {"queries": ["tpu"]}}


def text_part(text: str, *cited: tuple[str, str]) -> dict[str, Any]:
    """A text part; each of `cited` is (a piece of the text, the address of its source)."""
    annotations = []
    for piece, url in cited:
        start = len(text[: text.index(piece)].encode())
        annotations.append(url_citation(url, url.rsplit("/", 1)[-1].upper(), start, start + len(piece.encode())))
    return {"type": "text", "text": text, "annotations": annotations}


def url_citation(url: str, title: str, start: int, end: int) -> dict[str, Any]:
    return {"type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": end}


def image(mime_type: str = "image/png") -> dict[str, Any]:
    return {"type": "image", "mime_type": mime_type, "data": base64.b64encode(PNG).decode()}


def finished(*steps: Any) -> dict[str, Any]:
    """A finished interaction. A step that is a list becomes the content of a model_output step."""
    return {
        "id": "v1_a",
        "status": "completed",
        "agent": "deep-research-preview-04-2026",
        "created": "2026-11-22T16:40:53Z",
        "steps": [{"type": "model_output", "content": s} if isinstance(s, list) else s for s in steps],
        "usage": {"total_tokens": 26, "grounding_tool_count": [{"type": "google_search", "count": 1}]},
    }


def text_of(text: str, *cited: tuple[str, str]) -> str:
    """The text of a report that is made from one text part, with shortened marks."""
    return short(read_report(finished([text_part(text, *cited)])).text)


def short(text: str) -> str:
    """The text with `{number}` in place of each citation mark."""
    return MARK.sub(r"{\1}", text)
