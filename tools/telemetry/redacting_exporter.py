"""Removes the text of exceptions from spans: the text may quote a prompt, an answer, or an address with a key."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status


class RedactingExporter(SpanExporter):
    """Passes spans to another exporter after `redact_exceptions` has removed the text of exceptions."""

    def __init__(self, target: SpanExporter) -> None:
        self._target = target

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._target.export([redact_exceptions(span) for span in spans])

    def shutdown(self) -> None:
        self._target.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._target.force_flush(timeout_millis)


def redact_exceptions(span: ReadableSpan) -> ReadableSpan:
    """Returns a copy of the span that keeps the type of each exception and drops its text."""
    if not span.events and not span.status.description:
        return span
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_redacted(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _redacted(event: Event) -> Event:
    if event.name != "exception":
        return event
    kind = (event.attributes or {}).get("exception.type", "unknown")
    return Event(event.name, {"exception.type": kind}, event.timestamp)
