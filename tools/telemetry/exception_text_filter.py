"""Removes the text of exceptions from spans: the text may quote a prompt, an answer, or an address with a key."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status


class ExceptionTextFilter(SpanExporter):
    """Passes spans to another exporter after `without_exception_texts` has removed the text of exceptions."""

    def __init__(self, target: SpanExporter) -> None:
        self._target = target

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._target.export([without_exception_texts(span) for span in spans])

    def shutdown(self) -> None:
        self._target.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._target.force_flush(timeout_millis)


def without_exception_texts(span: ReadableSpan) -> ReadableSpan:
    """Returns a copy of the span that keeps the type of each exception and drops its text."""
    if not span.events and not span.status.description:
        return span
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_without_text(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _without_text(event: Event) -> Event:
    if event.name != "exception":
        return event
    kind = (event.attributes or {}).get("exception.type", "unknown")
    return Event(event.name, {"exception.type": kind}, event.timestamp)
