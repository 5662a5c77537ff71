"""What traces and metrics say of researches: ids, states, numbers and durations, never a word of their contents.

Only OpenTelemetry's API is used. It does nothing until somebody sets up its SDK, `tools.telemetry` for example.
A research has one trace, whoever works on it: the ledger keeps the `traceparent` of its order.
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

from tools.research.job import HAS_INTERACTION, Job

NAME = "research-desk"
TOKENS = {
    "total_input_tokens": "gen_ai.usage.input_tokens",
    "total_output_tokens": "gen_ai.usage.output_tokens",
    "total_tokens": "research.tokens",
}
"""Attributes by the name that the API gives to the same number."""

_tracer, _meter, _w3c = trace.get_tracer(NAME), metrics.get_meter(NAME), TraceContextTextMapPropagator()
_quietly: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}  # their words may be anything
_resumes = _meter.create_counter(
    "research.resumes", "{resume}", "Times that a research was attached to again, by a stream or by another process."
)
_stalls = _meter.create_counter("research.stalls", "{stall}", "Researches that fell silent for too long.")
_unknown = _meter.create_counter("research.unknown_starts", "{start}", "Starts whose answer was never heard.")
_durations = _meter.create_histogram("research.follow.duration", "s", "How long a process worked on a research.")


class JobSpan:
    """What one process does for one job, from its lease to the end of it."""

    def __init__(self, span: Span, job: Job) -> None:
        self.job, self.events, self.resumes = job, job.events, 0
        self._span, self._taken_up = span, job.state in HAS_INTERACTION

    def attached(self) -> None:
        """A stream is asked for that goes on from where an earlier one ended."""
        self.resumes += 1
        _resumes.add(1, {"research.resume.kind": "process" if self._taken_up else "stream"})
        self._taken_up = False

    def describe(self, **more: str) -> None:
        """Says on the span what is known by now."""
        values = {"research.events": self.events, "research.resumes": self.resumes}
        self._span.set_attributes({**_attributes(self.job), **values, **more})


_current: ContextVar[JobSpan | None] = ContextVar("following", default=None)


@contextmanager
def ordering() -> Iterator[str]:
    """The span of an order. Yields its `traceparent`, empty when nobody traces."""
    with _tracer.start_as_current_span("research.order", **_quietly) as span, _failing(span):
        carrier: dict[str, str] = {}
        _w3c.inject(carrier)
        yield carrier.get("traceparent", "")


def annotate(job: Job, new: bool) -> None:
    """Says on the span of its order which job it is."""
    trace.get_current_span().set_attributes({**_attributes(job), "research.new": new})


@contextmanager
def following(job: Job) -> Iterator[JobSpan]:
    """The span of work on a job, in the trace of its order, with a link to what took it up if that is another one."""
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
    """See `Following.attached`."""
    if work := _current.get():
        work.attached()


def set_job(job: Job | None) -> None:
    """How the job that is worked on stands by now."""
    if (work := _current.get()) and job:
        work.job = job


def set_events(events: int) -> None:
    """How many events of its interaction were seen."""
    if work := _current.get():
        work.events = events


def stalled(job: Job) -> None:
    """It fell silent for longer than any research takes."""
    _stalls.add(1, {"research.agent": job.order.agent})


def record_unknown_start(job: Job) -> None:
    """Nobody knows whether it was started."""
    _unknown.add(1, {"research.agent": job.order.agent})


def current_job() -> str:
    """Id of the job that this task works on, or an empty string. For logs."""
    work = _current.get()
    return work.job.id if work else ""


@contextmanager
def _failing(span: Span) -> Iterator[None]:
    """Says on a span what kind of error ended it, and nothing that the error says."""
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
