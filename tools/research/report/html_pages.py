"""Renders web pages of reports in a separate process, `html_worker`.

A Markdown parser takes minutes for some texts, and gigabytes of memory for texts that use long link definitions often.
"""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Sequence

from tools.research.limited_process import run_module
from tools.research.report.html_rendering import to_plain_fragment, to_plain_html
from tools.research.report.render_limits import RENDER_TIMEOUT_S
from tools.research.report.render_queue import RENDERINGS
from tools.research.report.report import Report, to_json

log = logging.getLogger(__name__)


async def render_html(report: Report, reader: str, timeout_s: float = RENDER_TIMEOUT_S) -> str:
    """Returns the page of `to_html` or, if that fails or times out, that of `to_plain_html`.

    Does not block the event loop.

    Args:
        reader: see `RENDERINGS`.
        timeout_s: timeout, after which the rendering process is ended.
    """
    return await RENDERINGS.call(reader, render_html_blocking, report, timeout_s)


def render_html_blocking(report: Report, timeout_s: float = RENDER_TIMEOUT_S) -> str:
    """The same as `render_html`, for callers without an event loop."""
    found = _rendered("page", [report], timeout_s)
    return found[0] if found else to_plain_html(report)


async def render_fragments(reports: Sequence[Report], reader: str, timeout_s: float = RENDER_TIMEOUT_S) -> list[str]:
    """Returns `to_fragment` of each report or, if that fails or times out, `to_plain_fragment` of each.

    Args:
        reader: see `RENDERINGS`.
    """
    found = await RENDERINGS.call(reader, _rendered, "fragments", reports, timeout_s) if reports else []
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
