"""Extracts the text of a PDF and joins its lines into paragraphs."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from interactions_emulator.corpus.words import clip
from interactions_emulator.extras import missing_extra


class Unreadable(Exception):
    """A document cannot be read. The message says why."""


class Pdf(NamedTuple):
    """A PDF's title and text, with empty lines between paragraphs and a form feed before each page.

    A heading has a \\x02 on each side.
    """

    title: str
    text: str


def read_pdf(data: bytes) -> Pdf:
    """Reads a PDF. Raises `Unreadable` if it is damaged, locked by a password, or without text (scanned pages)."""
    if missing := missing_extra("corpus"):
        raise Unreadable(missing)
    import pypdf  # imported here: it is slow, and few runs need it

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # no warnings: a file that cannot be read raises an exception
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it is locked by a password")
        pages = [page.extract_text() for page in reader.pages]
        own_title = str((reader.metadata and reader.metadata.title) or "")
    except Unreadable:
        raise
    except Exception as error:  # a damaged file can raise anything in the parser
        raise Unreadable(f"it is not a PDF, or damaged ({clip(str(error) or type(error).__name__, 100)})") from error
    if not any(page.strip() for page in pages):
        raise Unreadable("it contains no text: scanned pages are pictures, which the emulator cannot read")
    own_title = "" if _NO_TITLE.search(own_title) else " ".join(own_title.split())
    text = join_lines(pages)
    first = re.match(r"\f\n\x02(.+)\x02", text)
    return Pdf(clip(own_title or (first[1] if first else _first_line(pages)), 120), text)


_NO_TITLE = re.compile(r"(?i)^\W*$|^untitled|^microsoft \w+ - |^slide 1$|\.(?:docx?|pdf|tex|dvi|indd|odt|pptx?)$")
_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\xad": "-", "\xa0": " "}
)
_ITEM = re.compile(r"(?:[•‣▪◦–*]|\d{1,2}[.)]|\([a-z0-9]\))\s")
_ENDED = re.compile(r"[.!?:。！？؟।][\"'”’)\]]*$")


def join_lines(pages: Sequence[str]) -> str:
    """Joins the lines of pages into paragraphs, without hyphenation, running heads and page numbers."""
    divided = [[line.strip() for line in page.translate(_LIGATURES).splitlines()] for page in pages]
    running_heads = _running_heads(divided)
    lengths = sorted(len(line) for page in divided for line in page if line)
    width = lengths[len(lengths) * 9 // 10] if lengths else 0
    known = Counter(re.findall(r"\b\w+(?:-\w+)+", " ".join(line for page in divided for line in page)))
    blocks: list[str] = []
    block: list[str] = []
    begins = ""

    def close() -> None:
        nonlocal begins
        if block:
            blocks.append(begins + _joined_paragraph(block, known))
            block.clear()
            begins = ""

    for page in divided:
        ended = not block or bool(_ENDED.search(block[-1]))
        if ended:
            close()
        begins += "\f\n" if not block else ""
        late = "" if not block else "\f\n"  # a paragraph that spans two pages belongs to the first
        lines = [line for line in page if _mask(line) not in running_heads and not re.fullmatch(r"\W*\d{1,4}\W*", line)]
        for line, following in zip(lines, [*lines[1:], ""], strict=False):
            if not line or _ITEM.match(line):
                close()
                begins, late = begins + late, ""
            if not line:
                continue
            if not block and _is_heading(line, following, width):
                blocks.append(f"{begins}\x02{line}\x02")
                begins = ""
                continue
            block.append(line)
            if len(line) < 0.75 * width and _ENDED.search(line):
                close()
                begins, late = begins + late, ""
        if late:  # no paragraph begins on this page
            begins += late if not block else ""
    close()
    return "\n\n".join(blocks)


def _joined_paragraph(lines: Sequence[str], known: Counter[str]) -> str:
    """Joins lines into a paragraph. A hyphen at a line's end stays if the word has it elsewhere in the document."""
    text = lines[0]
    for line in lines[1:]:
        head, tail = re.search(r"[\w-]*\w-$", text[-60:]), re.match(r"[^\W\d_][\w-]*", line)
        if head and tail and line[0].islower():
            text = (text if known[head[0] + tail[0]] else text[:-1]) + line
        elif text and line and text[-1] > "\u2e7f" and line[0] > "\u2e7f":  # scripts without spaces
            text += line
        else:
            text += " " + line
    return text


def _running_heads(pages: Sequence[Sequence[str]]) -> set[str]:
    """Running heads and feet: first or last lines that most pages share, with numbers replaced by `#`."""
    if len(pages) < 3:
        return set()
    counts = Counter(mask for page in pages for mask in {_mask(line) for line in _first_and_last_line(page)})
    return {mask for mask, count in counts.items() if count > len(pages) / 2}


def _first_and_last_line(page: Sequence[str]) -> Iterator[str]:
    lines = [line for line in page if line]
    yield from lines[:1]
    yield from lines[-1:]


def _mask(line: str) -> str:
    return re.sub(r"\d+", "#", line)


def _is_heading(line: str, following: str, width: int) -> bool:
    """Whether a line is a heading: short, without punctuation at its end, and followed by the start of a paragraph."""
    if len(line) > min(80, 0.7 * width) or len(line.split()) > 12 or re.search(r"[.,;:!?。]$", line):
        return False
    starts_new = not following or not following.lstrip("“\"'(")[:1].islower()
    return starts_new and bool(re.match(r"[^\W_]", line)) and not line[0].islower() and any(map(str.isalpha, line))


def _first_line(pages: Sequence[str]) -> str:
    lines = (" ".join(line.split()) for page in pages for line in page.translate(_LIGATURES).splitlines())
    return next((line for line in lines if any(map(str.isalpha, line))), "")
