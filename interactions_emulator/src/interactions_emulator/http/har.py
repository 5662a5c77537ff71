"""The request log as a HAR file, which browsers and other tools for HTTP open."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from interactions_emulator.engine.request_log import Capture
from interactions_emulator.http.timeline import details
from interactions_emulator.recording.redaction import REDACTED, SECRET_HEADERS, Redactor
from interactions_emulator.version import __version__


def to_har(captures: Iterable[Capture]) -> dict[str, Any]:
    """Return requests and answers in the format HAR 1.2, without secrets.

    A connection that was closed or left open without an answer has status 0, as in browsers. Bodies and answers that
    the log no longer keeps are empty.
    """
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "interactions-emulator", "version": __version__},
            "entries": [_entry(capture) for capture in captures],
        }
    }


def _entry(capture: Capture) -> dict[str, Any]:
    entry, redactor, shown = capture.entry, capture.redactor(), details(capture)
    seconds = entry["seconds"] or 0.0
    first = capture.answer[0][0] if capture.answer else seconds
    query = redactor.query(capture.query.decode("latin-1"))
    host = capture.headers.get(b"host", b"localhost").decode("latin-1")
    headers = [
        {"name": name.decode("latin-1"), "value": REDACTED if name in SECRET_HEADERS else _text(value, redactor)}
        for name, value in capture.headers.items()
    ]
    request: dict[str, Any] = {
        "method": entry["method"],
        "url": f"http://{host}{entry['path']}" + (f"?{query}" if query else ""),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": [{"name": name, "value": value} for name, value in parse_qsl(query, keep_blank_values=True)],
        "headersSize": -1,
        "bodySize": entry["bytes"],
    }
    if capture.body:
        kind = capture.headers.get(b"content-type", b"application/json").decode("latin-1")
        request["postData"] = {"mimeType": kind, "text": shown["body"]}
    response = {
        "status": entry["status"] or 0,
        "statusText": "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "content-type", "value": capture.content_type}],
        "content": {"size": capture.answer_bytes, "mimeType": capture.content_type, "text": shown["answer"]},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": capture.answer_bytes,
    }
    return {
        "startedDateTime": datetime.fromtimestamp(entry["time"], UTC).isoformat(),
        "time": seconds * 1000,
        "request": request,
        "response": response,
        "cache": {},
        "timings": {"send": 0, "wait": first * 1000, "receive": (seconds - first) * 1000},
        "connection": str(entry["connection"]),
        "comment": f"{entry['kind']} {entry['interaction_id'] or ''}".strip(),
    }


def _text(value: bytes, redactor: Redactor) -> str:
    return redactor.without_known_secrets(value.decode("latin-1"))
