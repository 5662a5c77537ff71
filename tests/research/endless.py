"""Texts on which careless work takes quadratic time or worse. As a program, it processes each one as a report."""

from __future__ import annotations

from typing import Any

from tests.research.resources import finished, url_citation
from tools.interactions.citation_marks import plain_marks, replace_urls
from tools.moderation.agent import quotes_several
from tools.research.report.html_rendering import to_plain_html
from tools.research.report.markdown_rendering import to_chat, to_markdown
from tools.research.report.progress import progress_line, progress_lines
from tools.research.report.reading import read_report
from tools.research.report.report import from_json, to_json
from tools.text.secret_redaction import redact

SIZE = 200_000
"""Characters of a text. Quadratic work on it takes minutes, linear work a fraction of a second.

Texts whose quadratic work a regular expression does quickly are ten times longer.
"""


def texts(size: int) -> dict[str, str]:
    """The texts, by the name of what they consist of."""
    side, long = int(size**0.5), 10 * size
    table = "|a" * (side // 2) + "|\n" + "|-" * (side // 2) + "|\n"
    pieces = {
        "brackets of pictures": "![",
        "links without an end": "[a](",
        "links in links": "[a](b(c)",
        "link titles without an end": '[a](b "',
        "marks without an end": '[\\[1\\]](u "',
        "marks of nobody": "\\[1\\]",
        "escaped brackets": "\\[",
        "words in backticks": "`a ",
        "fences": "```\n",
        "fences in a line": "```` ```\n",
        "stars": "*a ",
        "exclamation marks": "!",
        "backslashes": "\\",
        "spaces": " ",
        "tabs": "\t",
        "line feeds": "\n",
        "carriage returns": "\r",
        "spaces and bars": " | ",
        "own numbers": " [1]",
        "own numbers without an end": " [1, 2",
        "cited spaces": "[cite:          ",
        "quotations": "> ",
        "lists": "- ",
        "hashes": "# ",
        "headings without words": "#\n",
        "underlined headings": "a\n=\n",
        "lines of hyphens": "---\n",
        "tags": "<a ",
        "comments": "<!-- ",
        "line breaks": "<br>",
        "entities": "&a",
        "anchors": "[a](#",
        "addresses": "http://a:",
        "definitions": '[a]: u "\n',
        "pictures": "\n\n![figure-1](figure-1.png)",
        "words of three bytes": "研",
        "unsafe characters": "\0",
        "quotation marks": "'1,",
    }
    return {
        **{name: (piece * (size // len(piece) + 1))[:size] for name, piece in pieces.items()},
        "brackets": "[" * long,
        "backticks": "`" * long,
        "tildes": "~" * long,
        "a cell of spaces": f"| a |\n|---|\n| x{' ' * long}y |\n",
        "a gap of line feeds": f"a{chr(10) * long}b",
        "a heading of spaces": f"# a{' ' * long}b",
        "a thought's headline": f"**{'a ' * (size // 2)}",
        "runs of backticks": "".join("`" * length + "x" for length in range(int((2 * size) ** 0.5))),
        "a table of empty cells": table + "|\n" * side,
        "a quotation that goes on": "> " * 19 + "a\n" * (size // 2),
        "nested lists": "".join(f"{'  ' * depth}- a\n" for depth in range(side)),
    }


def resource(text: str, citations: int = 300) -> dict[str, Any]:
    """A finished interaction with the text in a thought, as a whole with citations, and split into small parts."""
    size = len(text.encode())
    annotations = [
        url_citation(f"https://e.org/{number}", f"t{number} \\[", 0, size * number // citations)
        for number in range(1, citations + 1)
    ]
    part = {"type": "text", "text": text, "annotations": annotations}
    step = 20 + len(text) // 10_000
    cut = [{"type": "text", "text": text[at : at + step]} for at in range(0, len(text), step)]
    thought = {"type": "thought", "summary": [{"type": "text", "text": text}]}
    return finished(thought, [part], cut)


def work(text: str) -> None:
    """Does all the work on a report, or on a message, that runs on an event loop."""
    report = from_json(to_json(read_report(resource(text))))
    replace_urls(report.text, report.sources, {"https://e.org/1": "https://e.org/2"})
    plain_marks(report.text, report.sources)
    to_markdown(report)
    to_chat(report)
    progress_lines(resource(text))
    content = {"type": "thought_summary", "content": {"type": "text", "text": text}}
    progress_line({"event_type": "step.delta", "delta": content})
    to_plain_html(report)
    redact(text)
    quotes_several(text)


def main() -> None:
    """Prints each name before the work on its text begins."""
    for name, text in texts(SIZE).items():
        print(name, flush=True)
        work(text)
    print("done", flush=True)


if __name__ == "__main__":
    main()
