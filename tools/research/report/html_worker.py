"""Renders web pages of reports, as a program that `html_pages` runs.

It reads a JSON list of reports (each as by `to_json`) from stdin, and writes a JSON list of HTML to stdout. The
argument is "page" for complete pages or "fragments" for HTML of another page.
"""

from __future__ import annotations

import json
import sys

from tools.research.limited_process import limit_memory
from tools.research.report.rendering import to_fragment, to_html, to_plain_fragment, to_plain_html
from tools.research.report.report import from_json

MAX_MEMORY_BYTES = 500_000_000
"""Memory limit of the rendering process, in bytes, on Linux only; an ordinary page takes a tenth of that."""
MAX_GROWTH = 10
"""A page with more than `MIN_PAGE_CHARS` may be this many times as long as its report; usually it is hardly longer."""
MIN_PAGE_CHARS = 1_000_000
"""Characters that any page may have."""


def main() -> None:
    """Renders the reports on stdin."""
    limit_memory(MAX_MEMORY_BYTES)
    page = sys.argv[1:] == ["page"]
    render, plain = (to_html, to_plain_html) if page else (to_fragment, to_plain_fragment)
    pages = list[str]()
    for text in json.loads(sys.stdin.buffer.read()):
        html = render(report := from_json(text))
        # A link definition of many characters that is used often makes a page a thousand times as long as its report.
        pages.append(html if len(html) <= MAX_GROWTH * len(text) + MIN_PAGE_CHARS else plain(report))
    sys.stdout.buffer.write(json.dumps(pages).encode())


if __name__ == "__main__":
    main()
