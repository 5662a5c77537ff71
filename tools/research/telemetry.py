"""Traces and metrics of research runs: ids, states, numbers and durations, never contents.

Uses only OpenTelemetry's API, which does nothing until its SDK is set up (`tools.telemetry` can do that). A run has one
trace across all processes, because the ledger stores the `traceparent` of the run's order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Link, Span, SpanContext, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tools.research.job import Job
from tools.research.job_states import HAS_INTERACTION

SCOPE_NAME = "research-desk"
TOKENS = {
    "total_input_tokens": "gen_ai.usage.input_tokens",
    "total_output_tokens": "gen_ai.usage.output_tokens",
    "total_tokens": "research.tokens",
}
"""Maps the keys of token counts in the API's `usage` to attribute names."""

_tracer, _meter, _w3c = (
    trace.get_tracer(SCOPE_NAME),
    metrics.get_meter(SCOPE_NAME),
    TraceContextTextMapPropagator(),
)
# Error texts may quote contents.
_quietly: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}
_resumes = _meter.create_counter(
    "research.resumes", "{resume}", "Resumes of a research run, by a stream or by another process."
)
_stalls = _meter.create_counter("research.stalls", "{stall}", "Research runs that had no news for too long.")
_unknown = _meter.create_counter("research.unknown_starts", "{start}", "Create requests whose outcome is unknown.")
_durations = _meter.create_histogram("research.follow.duration", "s", "How long a process worked on a research run.")


class JobSpan:
    """The span of one process's work on a job, which begins after the process has taken the lease."""

    def __init__(self, span: Span, job: Job) -> None:
        self.job, self.events, self.resumes = job, job.events, 0
        self._span, self._taken_up = span, job.state in HAS_INTERACTION

    def record_resume(self) -> None:
        """Counts a stream that continues an earlier stream."""
        self.resumes += 1
        _resumes.add(1, {"research.resume.kind": "process" if self._taken_up else "stream"})
        self._taken_up = False

    def describe(self, **more: str) -> None:
        """Sets the current values as attributes of the span."""
        values = {"research.events": self.events, "research.resumes": self.resumes}
        self._span.set_attributes({**_attributes(self.job), **values, **more})


_current: ContextVar[JobSpan | None] = ContextVar("following", default=None)


@contextmanager
def order_span() -> Iterator[str]:
    """Opens the span of an order and yields its `traceparent`, which is empty if tracing is off."""
    with _tracer.start_as_current_span("research.order", **_quietly) as span, _failing(span):
        carrier: dict[str, str] = {}
        _w3c.inject(carrier)
        yield carrier.get("traceparent", "")


def annotate(job: Job, new: bool) -> None:
    """Sets a job's attributes on the span of its order."""
    trace.get_current_span().set_attributes({**_attributes(job), "research.new": new})


@contextmanager
def follow_span(job: Job) -> Iterator[JobSpan]:
    """Opens the span of work on a job, in the trace of its order. Links the caller's span if it is in another trace."""
    began, here = time.monotonic(), trace.get_current_span().get_span_context()
    parent = _w3c.extract({"traceparent": job.trace}) if job.trace else None
    links = _links(here, trace.get_current_span(parent).get_span_context())
    with _tracer.start_as_current_span("research.follow", parent, links=links, **_quietly) as span:
        work = JobSpan(span, job)
        work.describe()
        token = _current.set(work)
        try:
            with _failing(span):
                yield work
        finally:
            _current.reset(token)
            work.describe()
            state = {"research.state": work.job.state.value, "research.agent": job.order.agent}
            _durations.record(time.monotonic() - began, state)


def record_resume() -> None:
    """Counts a stream of the current job that continues an earlier stream."""
    if work := _current.get():
        work.record_resume()


def set_job(job: Job | None) -> None:
    """Updates the current job on its span."""
    if (work := _current.get()) and job:
        work.job = job


def set_events(events: int) -> None:
    """Sets how many events of the current job's interaction were seen."""
    if work := _current.get():
        work.events = events


def record_stall(job: Job) -> None:
    """Counts a job that stalled."""
    _stalls.add(1, {"research.agent": job.order.agent})


def record_unknown_start(job: Job) -> None:
    """Counts a job whose create request has an unknown outcome."""
    _unknown.add(1, {"research.agent": job.order.agent})


def current_job() -> str:
    """Returns the id of the job that this task works on, for logs; empty if there is none."""
    work = _current.get()
    return work.job.id if work else ""


@contextmanager
def _failing(span: Span) -> Iterator[None]:
    """Sets the type of an error on the span, without the error's text."""
    try:
        yield
    except Exception as error:
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(StatusCode.ERROR)
        raise


def _links(here: SpanContext, parent: SpanContext) -> list[Link]:
    return [Link(here)] if here.is_valid and here.trace_id != parent.trace_id else []


def _attributes(job: Job) -> dict[str, str | int | float]:
    values: dict[str, str | int | float] = {
        "research.job.id": job.id,
        "research.agent": job.order.agent,
        "research.state": job.state.value,
        "research.attempt": job.order.attempt,
        "research.estimated_cost_usd": job.cost,
    }
    if job.interaction_id:
        values["research.interaction.id"] = job.interaction_id
    return values | {TOKENS[name]: count for name, count in job.usage.items() if name in TOKENS}
