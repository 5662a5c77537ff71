"""Reads the report of a finished run from its interaction."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from markdown_it import MarkdownIt

from tools.interactions.citations import OWN_NUMBERS, Citation, cite, read_citations
from tools.research.report.report import Picture, Report, picture_of
from tools.research.verification.run_pages import pages_of_run
from tools.text.markdown import is_web, link_address
from tools.text.unsafe_characters import sanitized_text, without_direction_marks

MAX_HEADING_CHARS = 500
"""Maximum characters of a line that are parsed for a title, so that the Markdown parser is fast on any text."""
MAX_TITLE_CANDIDATES = 5
"""Maximum number of lines that are tried for a title, because a heading may have no visible text."""
_LINE = re.compile(
    r"^[ \t>]*+(?P<fence>`{3,}+|~{3,}+)[^`\n]*+\n.*?(?:^[ \t>]*+(?P=fence)|\Z)"  # code, up to its end
    r"|^(?: {0,3}>)*+ {0,3}\#{1,6}(?P<heading>[ \t][^\n]*)?$"
    r"|^ {0,3}(?P<underline>=+|-+)[ \t\r]*$"
    r"|^(?P<words>[^\n]*)$",
    re.MULTILINE | re.DOTALL,
)
_NO_PARAGRAPH = re.compile(r" {4}|\t| {0,3}(?:[-*+][ \t]|\d+[.)][ \t]|[>|])")
"""Matches the start of a line that an underline cannot turn into a heading: code, a list, a quotation, a table."""


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
