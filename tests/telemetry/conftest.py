"""OpenTelemetry's SDK in this process: spans and metrics that tests can look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@dataclass
class Recorded:
    """What was recorded since the test began."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    before: dict[tuple[str, str], float]

    def spans(self, name: str) -> list[ReadableSpan]:
        """Finished spans of that name."""
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def points(self) -> dict[tuple[str, str], float]:
        """Value, or count of a duration, by a metric's name and the value of its most telling attribute."""
        found: dict[tuple[str, str], float] = {}
        data: Any = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                for point in metric.data.data_points:
                    names = ("research.state", "research.resume.kind", "research.agent")
                    label = next((str(point.attributes[name]) for name in names if name in point.attributes), "")
                    found[metric.name, label] = getattr(point, "value", getattr(point, "count", 0))
        return found

    def grown(self) -> dict[tuple[str, str], float]:
        """What `points` of the research were added since the test began."""
        now = self.points().items()
        grown = {key: value - self.before.get(key, 0) for key, value in now if key[0].startswith("research.")}
        return {key: value for key, value in grown.items() if value}


@pytest.fixture(scope="package")
def sdk() -> Iterator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    """The SDK for the tests of this folder; a process has one, so that it is never taken away again."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    yield exporter, reader
    exporter.shutdown()  # the tests of other folders are not kept


@pytest.fixture
def recorded(sdk: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> Recorded:
    """What this test makes researches say of themselves."""
    exporter, reader = sdk
    exporter.clear()
    seen = Recorded(exporter, reader, {})
    seen.before = seen.points()
    return seen


@pytest.fixture(autouse=True)
def without_otel_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine's decides on telemetry."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
