"""Renders a report as Markdown: for a file, a conversation and a model. Takes time in proportion to the text."""

from __future__ import annotations

import re
from dataclasses import replace

from tools.interactions.source_list import footnotes, source_list
from tools.research.report.check_texts import checks_table, source_remarks
from tools.research.report.report import Report

_PICTURE_LINE = re.compile(r"(?<!\n)\n*+^(!\[[\w-]+\]\([\w.-]+\))$", re.MULTILINE)
"""Matches a line like `Picture.mark`, with the blank lines above it."""
_FENCE = re.compile(r"^(`{3,}+|~{3,}+)[\w \t.+#-]*\n", re.MULTILINE)
_FENCE_END = re.compile(r" {0,3}(`+|~+)[ \t]*\n?")
_DOUBTFUL = re.compile(r"```|~~~|\]:|^[^\S\n]*<", re.MULTILINE)
"""Matches the start of code as a parser may see it, and of link definitions and HTML, which may contain code."""
_CODE_OR_ANCHOR = re.compile(r"(`[^`\n]*`)|\[([^\[\]\n]*)\]\(#[^()\s]*\)")
_ACTIVE = re.compile(r"!(?=\[)|<(?=[a-z/!?])(?!br ?/?>|https?://[^\s<>]*>)", re.IGNORECASE)
"""Matches starts of pictures and HTML. `<br>` and addresses in angle brackets load nothing, so they are left out."""
_WORD_JOINER = "\u2060"


def to_markdown(report: Report) -> str:
    """Formats a report's text and its list of sources as Markdown."""
    blocks = [report.text.strip("\n")]
    if report.sources:
        blocks += ["## Sources", source_list(report.sources, source_remarks(report.verification))]
    if report.verification and report.sources:
        blocks += [checks_table(report.verification)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def to_markdown_file(report: Report) -> str:
    """Formats a report as a Markdown file: readable as plain text, with the sources as footnotes."""
    text = report.text.strip("\n")
    if report.verification and report.sources:
        text += f"\n\n{checks_table(report.verification)}"
    remarks = source_remarks(report.verification)
    return (footnotes(text, report.sources, remarks) if report.sources else text) + "\n"


def to_chat(report: Report) -> str:
    """Formats a report as Markdown for a conversation. The Markdown loads nothing from other servers.

    `adk web` 2.13 breaks on picture names and on links to an `#anchor`, so both are left out.
    """
    own = {picture.mark for picture in report.pictures}
    text = _PICTURE_LINE.sub(lambda line: "" if line[1] in own else line[0], report.text)
    return to_markdown(replace(report, text=inert(text)))


def inert(text: str) -> str:
    """Makes Markdown safe: a browser loads and runs nothing automatically. Also removes links to anchors.

    Adds an invisible character after each start of a picture or of HTML, so that it is a link or text. A block
    that every Markdown parser reads as code stays unchanged: the character would be copied with the code.
    """
    text = re.sub(r"\r\n?", "\n", text)
    pieces, position = list[str](), 0
    while (doubt := _DOUBTFUL.search(text, position)) and (fence := _FENCE.match(text, doubt.start())):
        end = re.compile(rf"^[^\S\n]*{fence[1]}[^\n]*\n?", re.MULTILINE).search(text, fence.end())
        stop = end.end() if end else len(text)
        pieces += [_without_active(text[position : doubt.start()]), text[doubt.start() : stop]]
        position = stop
        if end and not _FENCE_END.fullmatch(end[0]):
            break
    return "".join([*pieces, _without_active(text[position:])])


def _without_active(text: str) -> str:
    text = _CODE_OR_ANCHOR.sub(lambda found: found[1] or found[2], text)
    return _ACTIVE.sub(rf"\g<0>{_WORD_JOINER}", text)
