"""What leaves a process for a collector: a trace across a SIGKILL, metrics, no contents, and nothing when it is off."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest
from google.auth.credentials import AnonymousCredentials

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.forks import Fork
from tests.kill.test_kill import adk_web, events, researches, turn, until
from tests.ports import free_port
from tests.routing.test_conversation import brain
from tests.scripts import research_brain
from tests.telemetry.collector import Collector, attributes, collecting
from tests.telemetry.replica import BRIEF
from tools.telemetry import TelemetryError, setup_telemetry
from tools.telemetry.export import CAPTURE_VARIABLE, ENDPOINTS

KEY = "AIzaSyTestTestTestTestTestTestTestTest0"
PRIVATE = (BRIEF, "whales", "ada@example.org", "a secret session", "What moves the sea", "The moon moves", KEY)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector, and exporters that are quick to send."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="pip install 'research-desk[otel]'")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    with collecting() as collector:
        yield collector


@contextmanager
def replica(endpoint: str, log: Path) -> Iterator[tuple[Fork, TextIO]]:
    """A process that works on the research, and its output."""
    here, there = os.pipe()
    with log.open("ab") as stderr, os.fdopen(there, "w") as stdout:
        process = Fork("tests.telemetry.replica", endpoint, stdout=stdout, stderr=stderr)
    try:
        with os.fdopen(here) as output:
            yield process, output
    finally:
        process.kill()
        process.wait()


def test_a_research_run_is_one_trace_across_a_sigkill_without_private_data(
    collector: Collector, tmp_path: Path, use: Any
) -> None:
    log = tmp_path / "stderr.log"
    with Emulator(brain=research_brain, speed=0) as api:
        use(api)
        with replica(collector.url, log) as (first, output):
            until(lambda: researches(api))
            api.advance(70)
            assert "Planning" in output.readline()
            until(lambda: collector.named("research.order"))
            until(lambda: jobs(collector)["running"] == 1)
            first.send_signal(signal.SIGKILL)
            first.wait()
        assert collector.named("research.follow") == []  # the work of the dead one is not told
        api.advance(3000)
        with replica(collector.url, log) as (second, output):
            last = output.read().splitlines()[-1]
            assert (second.wait(), last.split()[0]) == (0, "completed")
        assert api.log()["creates"] == 1
    (order,), (follow,) = collector.named("research.order"), collector.named("research.follow")
    assert (follow.trace_id, follow.parent_span_id) == (order.trace_id, order.span_id)
    values = attributes(follow)
    assert (values["research.state"], values["research.resumes"]) == ("completed", 1)
    assert jobs(collector)["completed"] == 1
    assert "research.follow.duration" in {metric.name for metric in collector.metrics}
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    named = next(entry for entry in entries if "is interaction" in entry["message"])
    assert (named["job"], named["severity"]) == (values["research.job.id"], "INFO")
    assert named["logging.googleapis.com/trace"] == order.trace_id.hex()
    for words in PRIVATE:
        assert words not in collector.everything + log.read_text()


def jobs(collector: Collector) -> dict[str, int]:
    """Jobs by state, as last measured."""
    gauges = [metric for metric in collector.metrics if metric.name == "research.jobs"]
    points = gauges[-1].gauge.data_points if gauges else ()
    return {"running": 0, **{attributes(point)["research.state"]: point.as_int for point in points}}


@pytest.mark.nightly
def test_adk_web_exports_by_the_standard_otel_variables_without_contents(
    collector: Collector, tmp_path: Path, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    with Emulator(brain=brain, speed=0) as api:
        use(api)
        port = free_port()
        with adk_web(tmp_path, port) as (_, client):
            client.post("/apps/desk/users/ada/sessions/s1").raise_for_status()
            answer = list(events(client.post("/run_sse", json=turn("search for XYZZY"))))
            assert "Found it." in str(answer)
            api.set_speed(math.inf)
            assert "# Tides" in str(list(events(client.post("/run_sse", json=turn("research XYZZY")))))
            until(lambda: len(model_spans(collector)) == 4)
            until(lambda: collector.named("execute_tool start_research"))  # whose arguments hold the brief
            until(lambda: "research.jobs" in {metric.name for metric in collector.metrics})
    statuses = [attributes(span)["interaction.status"] for span in model_spans(collector)]
    assert statuses == ["requires_action", "completed", "requires_action", "requires_action"]
    for words in ("XYZZY", "Found it", "The moon moves", KEY):
        assert words not in collector.everything


def model_spans(collector: Collector) -> list[Any]:
    return [span for span in collector.spans if "interaction.id" in attributes(span)]


@pytest.mark.nightly
def test_disabled_telemetry_imports_and_traces_nothing(tmp_path: Path, use: Any) -> None:
    with Emulator(brain=research_brain, speed=0) as api:
        use(api)
        command = [sys.executable, "-m", "tests.telemetry.replica", ""]  # cold: a fork has the SDK of its server
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            until(lambda: researches(api))
            api.advance(3000)
            assert process.stdout
            assert process.stdout.read().splitlines()[-1] == "completed trace='' sdk=False"


def test_an_invalid_endpoint_or_missing_exporter_is_reported_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        TelemetryError, match=r"'localhost:4318' is not an address of a collector: write http://HOST:4318"
    ):
        setup_telemetry("localhost:4318", False)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.exporter")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(TelemetryError, match=r"pip install 'research-desk\[otel\]'"):
        setup_telemetry("http://127.0.0.1:4318", False)


def test_cloud_trace_without_credentials_or_project_says_what_to_set(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(TelemetryError, match="gcloud auth application-default login"):
        setup_telemetry(None, True)
    monkeypatch.setattr("google.auth.default", lambda scopes: (AnonymousCredentials(), None))
    with pytest.raises(TelemetryError, match="set GOOGLE_CLOUD_PROJECT"):
        setup_telemetry(None, True)


def test_adk_adds_no_exporters_of_its_own_and_captures_no_contents(
    collector: Collector, use: Any, tmp_path: Path
) -> None:
    script = (
        "import os; from tools.telemetry import setup_telemetry; setup_telemetry(None, False);"
        f"print([name for name in {ENDPOINTS} if name in os.environ], os.environ[{CAPTURE_VARIABLE!r}]);"
        "from opentelemetry import trace; trace.get_tracer('t').start_span('own').end()"
    )
    env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "desk-7"}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[] false\n"
    assert collector.named("own")
    assert "desk-7" in collector.everything
