"""Renders web pages of reports, as a program that `html_pages` runs.

It reads a JSON list of reports (each as by `to_json`) from stdin, and writes a JSON list of HTML to stdout. The
argument is "page" for complete pages or "fragments" for HTML of another page.
"""

from __future__ import annotations

import json
import sys

from tools.research.limited_process import limit_memory
from tools.research.report.html_rendering import to_fragment, to_html, to_plain_fragment, to_plain_html
from tools.research.report.render_limits import MAX_GROWTH, MAX_HTML_MEMORY_BYTES, MIN_PAGE_CHARS
from tools.research.report.report import from_json


def main() -> None:
    """Renders the reports on stdin."""
    limit_memory(MAX_HTML_MEMORY_BYTES)
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
