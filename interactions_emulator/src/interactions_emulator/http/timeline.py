"""A request of the log as a row of the timeline, and with its texts."""

from __future__ import annotations

from typing import Any

from interactions_emulator.engine.request_log import Capture

MAX_SHOWN = 100
"""Number of newest interactions on the timeline."""


def row(capture: Capture) -> dict[str, Any]:
    """Return a request as a row of the timeline: its log entry, and the seconds at which pieces of its answer came."""
    return capture.entry | {
        "number": capture.number,
        "answer_bytes": capture.answer_bytes,
        "pieces": [seconds for seconds, _ in capture.answer],
    }


def details(capture: Capture) -> dict[str, Any]:
    """Return a row with the texts of the request and the answer, without secrets."""
    redactor = capture.redactor()
    answer = b"".join(piece for _, piece in capture.answer)
    texts = {"body": redactor.data(capture.body).decode("utf-8", "replace")}
    texts["answer"] = redactor.data(answer).decode("utf-8", "replace")
    return row(capture) | texts | {"content_type": capture.content_type}
