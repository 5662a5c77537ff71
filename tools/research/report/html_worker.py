"""Renders the report's web page in a separate process.

A Markdown parser takes minutes for some texts, and gigabytes of memory for texts that use long link definitions often.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Sequence

from tools.research.limited_process import in_turn, limit_memory, run_module
from tools.research.report.reading import Report, from_json, to_json
from tools.research.report.rendering import to_fragment, to_html, to_plain_fragment, to_plain_html

log = logging.getLogger(__name__)

MAX_MEMORY_BYTES = 500_000_000
"""Memory limit of the rendering process, in bytes, on Linux only; an ordinary page takes a tenth of that."""
MAX_GROWTH = 10
"""How many times as long as its report a page may be, beside `MIN_PAGE_CHARS`; an ordinary page is hardly longer."""
MIN_PAGE_CHARS = 1_000_000
"""Characters that any page may have."""
RENDER_TIMEOUT_S = 10.0
"""Timeout for a page, in seconds; an ordinary report takes less than one second."""


async def render_html(report: Report, reader: str, timeout_s: float = RENDER_TIMEOUT_S) -> str:
    """Returns the page of `to_html` or, if that fails or times out, that of `to_plain_html`.

    Does not block the event loop.

    Args:
        reader: see `in_turn`.
        timeout_s: timeout, after which the rendering process is ended.
    """
    return await in_turn(reader, render_html_blocking, report, timeout_s)


def render_html_blocking(report: Report, timeout_s: float = RENDER_TIMEOUT_S) -> str:
    """The same as `render_html`, for callers without an event loop."""
    found = _rendered("page", [report], timeout_s)
    return found[0] if found else to_plain_html(report)


async def render_fragments(reports: Sequence[Report], reader: str, timeout_s: float = RENDER_TIMEOUT_S) -> list[str]:
    """Returns `to_fragment` of each report or, if that fails or times out, `to_plain_fragment` of each.

    Args:
        reader: see `in_turn`.
    """
    found = await in_turn(reader, _rendered, "fragments", reports, timeout_s) if reports else []
    return [to_plain_fragment(report) for report in reports] if found is None else found


def _rendered(what: str, reports: Sequence[Report], timeout_s: float) -> list[str] | None:
    data = json.dumps([to_json(report) for report in reports]).encode()
    try:
        done = run_module("tools.research.report.html_worker", what, data=data, timeout_s=timeout_s)
        done.check_returncode()
        pages: list[str] = json.loads(done.stdout)
        return pages
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the page of %s shows plain text: %s", reports[0].interaction_id or "a report", error)
        return None


def main() -> None:
    """Reads a JSON list of reports (each as by `to_json`) from stdin and writes a JSON list of HTML to stdout.

    The argument is "page" for complete pages or "fragments" for HTML of another page.
    """
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
