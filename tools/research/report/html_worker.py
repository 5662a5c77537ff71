"""Renders the report's web page in a separate process.

A Markdown parser takes minutes for some texts, and gigabytes of memory for texts that use long link definitions often.
A thread in the parser cannot be stopped and blocks other threads; a process can be ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys

from tools.research.report.reading import Report, from_json, to_json
from tools.research.report.rendering import to_html, to_plain_html

log = logging.getLogger(__name__)

MAX_MEMORY_BYTES = 500_000_000
"""Memory limit of the rendering process, in bytes, on Linux only; an ordinary page takes a tenth of that."""
RENDER_TIMEOUT_S = 10.0
"""Timeout for a page, in seconds; an ordinary report takes less than one second."""


async def render_html(report: Report, timeout_s: float = RENDER_TIMEOUT_S) -> str:
    """Returns the page of `to_html` or, if that fails or times out, that of `to_plain_html`.

    Does not block the event loop.

    Args:
        timeout_s: timeout, after which the rendering process is ended.
    """
    return await asyncio.to_thread(render_html_blocking, report, timeout_s)


def render_html_blocking(report: Report, timeout_s: float = RENDER_TIMEOUT_S) -> str:
    """The same as `render_html`, for callers without an event loop."""
    # The process gets the same import path; -P keeps the current folder out of it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", "tools.research.report.html_worker"]
    try:
        done = subprocess.run(
            command, input=to_json(report).encode(), capture_output=True, timeout=timeout_s, env=environment, check=True
        )
        return done.stdout.decode()
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the page of %s shows plain text: %s", report.interaction_id or "a report", error)
        return to_plain_html(report)


def main() -> None:
    """Reads a report (JSON of `to_json`) from stdin and writes its page to stdout."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    page = to_html(from_json(sys.stdin.buffer.read().decode()))
    sys.stdout.buffer.write(page.encode())


if __name__ == "__main__":
    main()
