"""A report with its pictures, and its JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.interactions.citation_marks import Source
from tools.research.verification.checks import Verification, verification_of

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
