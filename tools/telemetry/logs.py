"""Sets up logging, as text or as JSON for Google Cloud Logging.

API keys are never logged. Texts of users and models are logged only on request.
"""

from __future__ import annotations

import json as jsons
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime

from opentelemetry import trace

from tools.research.telemetry import current_job
from tools.text.secret_redaction import redact

OWN_LOGGERS = ("tools", "agents", "uvicorn.error")
"""Loggers allowed at INFO. Others would leak: google-genai and httpx log addresses, ADK and SQLAlchemy log contents."""
TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
JOB_ID = re.compile(r"\bjob_[2-9a-hj-km-np-z]{8}\b")


def setup_logging(json: bool, contents: bool) -> None:
    """Sends all logs to stderr, one record per line.

    Args:
        json: whether a record is written as a JSON object, as Cloud Logging reads it, instead of text.
        contents: whether messages, addresses, texts of exceptions and DEBUG records may be logged. Known secrets are
            masked in any case.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(contents) if json else PlainFormatter(contents))
    if not contents:
        handler.addFilter(passes_level)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if contents else logging.INFO)


def passes_level(record: logging.LogRecord) -> bool:
    """A log filter: passes records of `OWN_LOGGERS` from INFO on, and records of other loggers from WARNING on.

    From WARNING on, the other loggers log no contents. Setting logger levels would not be enough, since ADK sets the
    levels of its own loggers at any time.
    """
    ours = any(record.name == name or record.name.startswith(f"{name}.") for name in OWN_LOGGERS)
    return record.levelno >= (logging.INFO if ours else logging.WARNING)


class PlainFormatter(logging.Formatter):
    """Formats a record as a line of text, with the frames of an exception below it."""

    def __init__(self, contents: bool) -> None:
        super().__init__(TEXT_FORMAT)
        self._contents = contents

    def format(self, record: logging.LogRecord) -> str:
        line = TEXT_FORMAT % {
            "asctime": self.formatTime(record),
            "levelname": record.levelname,
            "name": record.name,
            "message": record.getMessage(),
        }
        stack = _stack(record, self._contents)
        return redact(f"{line}\n{stack}" if stack else line)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object, with the record's trace and research job if they are known."""

    def __init__(self, contents: bool) -> None:
        super().__init__()
        self._contents = contents

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        found = JOB_ID.search(message)
        entry: dict[str, object] = {
            "severity": record.levelname,  # Cloud Logging's severities have Python's names
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            "message": redact(message),
        }
        if job := current_job() or (found.group() if found else ""):
            entry["job"] = job
        if stack := _stack(record, self._contents):
            entry["stack_trace"] = redact(stack)
        return jsons.dumps({**entry, **_place(trace.get_current_span().get_span_context())}, ensure_ascii=False)


def _place(span: trace.SpanContext) -> dict[str, object]:
    """The trace and span of a record, in the fields that Cloud Logging uses to link to Cloud Trace."""
    if not span.is_valid:
        return {}
    project, trace_id = os.environ.get("GOOGLE_CLOUD_PROJECT"), trace.format_trace_id(span.trace_id)
    return {
        "logging.googleapis.com/trace": f"projects/{project}/traces/{trace_id}" if project else trace_id,
        "logging.googleapis.com/spanId": trace.format_span_id(span.span_id),
        "logging.googleapis.com/trace_sampled": span.trace_flags.sampled,
    }


def _stack(record: logging.LogRecord, contents: bool) -> str:
    """Returns the traceback of a record's exception. If `contents` is false, it has only frames and exception types."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return ""
    if contents:
        return "".join(traceback.format_exception(error)).rstrip()
    return "".join(_frames(error)).rstrip()


def _frames(error: BaseException) -> Iterator[str]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _frames(cause)
        yield "\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}\n"
