"""Reads the report of a finished run from its interaction; converts it to JSON and back."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from tools.interactions.citations import (
    OWN_NUMBERS,
    Citation,
    Source,
    cite,
    is_web,
    link_address,
    read_citations,
    sanitized_text,
)
from tools.research.verification.checks import Verification, verification_of
from tools.research.verification.run_pages import pages_of_run
from tools.sanitize import without_direction_marks

MAX_HEADING_CHARS = 500
"""Maximum characters of a line that are parsed for a title, so that the Markdown parser is fast on any text."""
MAX_TITLE_CANDIDATES = 5
"""Maximum number of lines that are tried for a title, because a heading may have no visible text."""
_KINDS = {
    "png": rb"\x89PNG\r\n\x1a\n",
    "jpeg": rb"\xff\xd8\xff",
    "gif": rb"GIF8[79]a",
    "webp": rb"RIFF....WEBP",
    "bmp": rb"BM....\0\0\0\0",
    "tiff": rb"II\*\0|MM\0\*",
    "heic": rb"....ftyp(?:hei[cx]|hev[cx]|mif1|msf1)",
}
"""The API's picture types, with the first bytes of their files. SVG is left out: it can contain scripts."""
_KIND = re.compile(b"|".join(b"(?P<%s>%s)" % (kind.encode(), start) for kind, start in _KINDS.items()), re.DOTALL)
_LINE = re.compile(
    r"^[ \t>]*+(?P<fence>`{3,}|~{3,})[^`\n]*\n.*?(?:^[ \t>]*+(?P=fence)|\Z)"  # code, up to its end
    r"|^(?: {0,3}>)*+ {0,3}\#{1,6}(?P<heading>[ \t][^\n]*)?$"
    r"|^ {0,3}(?P<underline>=+|-+)[ \t\r]*$"
    r"|^(?P<words>[^\n]*)$",
    re.MULTILINE | re.DOTALL,
)
_NO_PARAGRAPH = re.compile(r" {4}|\t| {0,3}(?:[-*+][ \t]|\d+[.)][ \t]|[>|])")
"""Matches the start of a line that an underline cannot turn into a heading: code, a list, a quotation, a table."""


@dataclass(frozen=True)
class Picture:
    """A picture, named like "figure-1.png"."""

    name: str
    mime_type: str
    data: bytes

    @property
    def mark(self) -> str:
        """The Markdown for the picture in the report's text, on a line of its own."""
        return f"![{Path(self.name).stem}]({self.name})"


@dataclass(frozen=True)
class Report:
    """A report. `text` is Markdown with citations like `[\\[1\\]](url "Title")` and pictures. It lists no sources."""

    title: str
    text: str
    sources: tuple[Source, ...]
    pictures: tuple[Picture, ...]
    usage: Mapping[str, int]
    interaction_id: str
    agent: str
    created: str
    run_pages: tuple[str, ...] | None = None
    """Addresses of the pages that the run found or read, in canonical form; None if its steps do not name them."""
    verification: Verification | None = None
    """The checks of the sources; None if they were not checked."""


def read_report(resource: Mapping[str, Any]) -> Report:
    """Reads the report from a finished interaction, given as the API's JSON object.

    The report has everything that the model wrote after the last user input; its text is empty if the model wrote
    nothing. The source of a citation without a valid place is still listed. Never raises, so that a paid result is
    kept. Takes time in proportion to the text.
    """
    text, citations, pictures = _assemble(_answer(resource))
    cited, sources = cite(text, citations)
    usage = resource.get("usage")
    return Report(
        title=_title(text),
        text=cited,
        sources=sources,
        pictures=pictures,
        usage={sanitized_text(k): v for k, v in usage.items() if type(v) is int} if isinstance(usage, Mapping) else {},
        interaction_id=sanitized_text(resource.get("id")),
        agent=sanitized_text(resource.get("agent")) or sanitized_text(resource.get("model")),
        created=sanitized_text(resource.get("created")),
        run_pages=pages_of_run(resource.get("steps")),
    )


def to_json(report: Report) -> str:
    """Formats a report as a JSON object: title, text, interaction_id, agent, created (ISO 8601), usage {name: tokens},
    sources [{number, title, url}], pictures [{name, mime_type, data: base64}], run_pages [url] or null, and
    verification (see `Verification`) or null."""
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
        "run_pages": report.run_pages,
        "verification": asdict(report.verification) if report.verification else None,
    }
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def from_json(text: str) -> Report:
    """Reads a report that `to_json` wrote. Leaves out picture data of an unknown type.

    Raises:
        ValueError: the text is not such a report.
    """
    value = json.loads(text)
    try:
        sources = tuple(Source(**source) for source in value.pop("sources"))
        pictures = [picture_of(Path(p["name"]).stem, base64.b64decode(p["data"])) for p in value.pop("pictures")]
        # A report of an older version has neither of these two.
        run_pages, checked = value.pop("run_pages", None), value.pop("verification", None)
        return Report(
            sources=sources,
            pictures=tuple(filter(None, pictures)),
            run_pages=None if run_pages is None else tuple(run_pages),
            verification=verification_of(checked) if checked else None,
            **value,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"this JSON is not a research report: {error}") from error


def picture_of(name: str, data: bytes) -> Picture | None:
    """Builds a picture, whose type is detected from its first bytes; None if the type is not known.

    Args:
        name: file name without extension.
    """
    found = _KIND.match(data)
    if found is None:
        return None
    kind = str(found.lastgroup)
    stem, ending = re.sub(r"[^\w-]", "-", name), "jpg" if kind == "jpeg" else kind
    return Picture(f"{stem}.{ending}", f"image/{kind}", data)


def _answer(resource: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    """Returns the contents of all model_output steps after the last user_input step."""
    steps = _objects(resource.get("steps"))
    asked = max((index for index, step in enumerate(steps) if step.get("type") == "user_input"), default=-1)
    return [_objects(step.get("content")) for step in steps[asked + 1 :] if step.get("type") == "model_output"]


def _assemble(steps: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[str, list[Citation], tuple[Picture, ...]]:
    """Joins the steps to one text with marks for pictures; citations get their places in that text.

    Text parts of one step are joined directly, because the server split them. Each step begins a new paragraph, and
    each picture is a paragraph.
    """
    pieces = list[str]()
    size = figures = 0
    citations: list[Citation] = []
    pictures: list[Picture] = []

    def add(piece: str) -> None:
        nonlocal size
        if piece:
            pieces.append(piece)
            size += len(piece.encode())

    def end_paragraph() -> None:
        end = "".join(pieces[-2:])
        if end and not end.endswith("\n\n"):
            add("\n" if end.endswith("\n") else "\n\n")

    for step in steps:
        end_paragraph()
        for part in step:
            if part.get("type") == "image":
                figures += 1
                mark, picture = _read_picture(part, f"figure-{figures}")
                end_paragraph()
                add(mark)
                end_paragraph()
                pictures += [picture] if picture else []
            else:
                text = sanitized_text(part.get("text"))
                citations += read_citations(_objects(part.get("annotations")), size, len(text.encode()))
                add(text)
    return "".join(pieces).rstrip("\n"), citations, tuple(pictures)


def _read_picture(part: Mapping[str, Any], name: str) -> tuple[str, Picture | None]:
    """Returns the Markdown for a picture, and the picture itself if its data is valid."""
    try:
        data = base64.b64decode("".join(part["data"].split()), validate=True)
    except (KeyError, AttributeError, TypeError, ValueError):
        data = b""
    if picture := picture_of(name, data):
        return picture.mark, picture
    uri = sanitized_text(part.get("uri"))
    if is_web(uri):
        return f"[{name}]({link_address(uri)})", None
    return f"*{name} could not be {'shown: it is not a picture of a known type' if data else 'read'}*", None


def _title(text: str) -> str:
    """Returns the first heading, else the first line cut at 80 characters, else "Research"."""
    text = without_direction_marks(text)
    lines = list(islice(_headings(text), MAX_TITLE_CANDIDATES))
    if heading := _first_shown(lines):
        return " ".join(heading.split())
    words = (line["words"] for line in _LINE.finditer(text) if line["words"])
    first = _first_shown(islice(filter(str.strip, words), MAX_TITLE_CANDIDATES)) or "Research"
    return first if len(first) <= 80 else first[:79].rstrip() + "…"


def _headings(text: str) -> Iterator[str]:
    """Yields the headings of a Markdown text as lines that begin with "# "."""
    paragraph = list[str]()
    for line in _LINE.finditer(text):
        if line["heading"]:
            yield f"#{line['heading']}"
        if line["underline"] and paragraph and not _NO_PARAGRAPH.match(paragraph[0]):
            yield f"# {' '.join(paragraph)}"
        if (line["words"] or "").strip():
            paragraph.append(line["words"])
        else:
            paragraph = []


def _first_shown(lines: Iterable[str]) -> str:
    """Returns the visible text of the first Markdown line that has visible text."""
    markdown = MarkdownIt("commonmark")
    for line in lines:
        tokens = markdown.parse(re.sub(OWN_NUMBERS, "", line[:MAX_HEADING_CHARS]))
        children = [child for token in tokens for child in token.children or ()]
        if shown := "".join(child.content for child in children).strip():
            return shown
    return ""


def _objects(value: object) -> list[Mapping[str, Any]]:
    """Returns the objects in a list, or a single object as a list."""
    items = value if isinstance(value, list | tuple) else [value]
    return [item for item in items if isinstance(item, Mapping)]
