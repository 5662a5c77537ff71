"""The report of a finished research: read from its interaction, kept as JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from tools.citations import OWN_NUMBERS, Citation, Source, cite, is_web, link_address, read_citations, readable


@dataclass(frozen=True)
class Picture:
    """A picture, named like "figure-1.png"."""

    name: str
    mime_type: str
    data: bytes

    @property
    def mark(self) -> str:
        """What stands for it in the report's text, on a line of its own."""
        return f"![{Path(self.name).stem}]({self.name})"


@dataclass(frozen=True)
class Report:
    """`text` is Markdown with citations like `[\\[1\\]](url "Title")` and pictures; no list of sources."""

    title: str
    text: str
    sources: tuple[Source, ...]
    pictures: tuple[Picture, ...]
    usage: Mapping[str, int]
    interaction_id: str
    agent: str
    created: str


def read_report(resource: Mapping[str, Any]) -> Report:
    """The report in a finished interaction, given as the JSON object of the resource.

    A citation that cannot be placed still has its source listed. An interaction without an answer gives an
    empty text. Nothing in the resource makes this raise: whatever was paid for is kept.
    """
    text, citations, pictures = _assemble(_answer(resource))
    cited, sources = cite(text, citations)
    usage = resource.get("usage")
    return Report(
        title=_title(text),
        text=cited,
        sources=sources,
        pictures=pictures,
        usage={k: v for k, v in usage.items() if type(v) is int} if isinstance(usage, Mapping) else {},
        interaction_id=readable(resource.get("id")),
        agent=readable(resource.get("agent") or resource.get("model")),
        created=readable(resource.get("created")),
    )


def to_json(report: Report) -> str:
    """A JSON object: title, text, interaction_id, agent, created (ISO 8601), usage {name: tokens},
    sources [{number, title, url}] and pictures [{name, mime_type, data: base64}]."""
    pictures = [asdict(p) | {"data": base64.b64encode(p.data).decode()} for p in report.pictures]
    value = {
        "title": report.title,
        "text": report.text,
        "sources": [asdict(source) for source in report.sources],
        "pictures": pictures,
        "usage": dict(report.usage),
        "interaction_id": report.interaction_id,
        "agent": report.agent,
        "created": report.created,
    }
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def from_json(text: str) -> Report:
    """The report that `to_json` wrote.

    Raises:
        ValueError: the text is not such a report.
    """
    value = json.loads(text)
    try:
        sources = tuple(Source(**source) for source in value.pop("sources"))
        pictures = tuple(Picture(p["name"], p["mime_type"], base64.b64decode(p["data"])) for p in value.pop("pictures"))
        return Report(sources=sources, pictures=pictures, **value)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"this JSON is not a research report: {error}") from error


def _answer(resource: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    """The content of the last run of model_output steps; of the run before it too if it has no text."""
    run: list[list[Mapping[str, Any]]] = []
    has_text = False
    for step in reversed(_objects(resource.get("steps"))):
        if step.get("type") == "model_output":
            run.append(_objects(step.get("content")))
            has_text = has_text or any(part.get("text") for part in run[-1])
        elif has_text or step.get("type") == "user_input":
            break
    return run[::-1]


def _assemble(steps: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[str, list[Citation], tuple[Picture, ...]]:
    """One text with marks for the pictures, and the citations with their places in it.

    Text parts of one step are one text that the server cut; steps and pictures are paragraphs of their own.
    """
    text, figures = "", 0
    citations: list[Citation] = []
    pictures: list[Picture] = []
    for step in steps:
        text = _end_paragraph(text)
        for part in step:
            if part.get("type") == "image":
                figures += 1
                mark, picture = _read_picture(part, f"figure-{figures}")
                text = _end_paragraph(_end_paragraph(text) + mark)
                pictures += [picture] if picture else []
            else:
                citations += read_citations(_objects(part.get("annotations")), len(text.encode()))
                text += readable(part.get("text"))
    return text.rstrip("\n"), citations, tuple(pictures)


def _end_paragraph(text: str) -> str:
    if not text or text.endswith("\n\n"):
        return text
    return text + ("\n" if text.endswith("\n") else "\n\n")


def _read_picture(part: Mapping[str, Any], name: str) -> tuple[str, Picture | None]:
    """The mark that stands for a picture in the text, and the picture if its data is there."""
    kind = re.fullmatch(r"image/([a-z0-9.+-]+)", str(part.get("mime_type")).lower())
    subtype = kind[1] if kind else "png"
    extension = {"jpeg": "jpg", "svg+xml": "svg"}.get(subtype, subtype)
    try:
        data = base64.b64decode("".join(part["data"].split()), validate=True)
    except (KeyError, AttributeError, ValueError):
        uri = readable(part.get("uri"))
        return (f"[{name}]({link_address(uri)})" if is_web(uri) else f"*{name} could not be read*"), None
    picture = Picture(f"{name}.{extension}", f"image/{subtype}", data)
    return picture.mark, picture


def _title(text: str) -> str:
    """The first heading, else the first line cut at 80 characters, else "Research"."""
    tokens = MarkdownIt("commonmark").parse(re.sub(OWN_NUMBERS, "", text))
    lines = [
        (before.type == "heading_open", "".join(child.content or "\n" * ("break" in child.type) for child in line))
        for before, token in pairwise(tokens)
        if (line := token.children)
    ]
    heading = next((shown.strip() for is_heading, shown in lines if is_heading and shown.strip()), "")
    if heading:
        return " ".join(heading.split())
    first = next((shown.strip() for _, shown in lines if shown.strip()), "Research").split("\n")[0]
    return first if len(first) <= 80 else first[:79].rstrip() + "…"


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []
