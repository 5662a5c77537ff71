"""Faults that take the server down, or let a run hang in the air."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from interactions_emulator import Emulator
from wire.brains import RESEARCH, WAIT, brain
from wire.conftest import MODEL, Wire, research
from wire.test_process import Process, advance, process

__all__ = ["process"]


def test_a_crash_after_acceptance_loses_the_response_but_not_the_run(tmp_path: Path) -> None:
    with Emulator(brain=brain, state=tmp_path / "interactions.db", speed=0) as api:
        wire = Wire(api.url)
        api.faults({"on": "create", "crash": True, "after_accept": True})
        with pytest.raises(httpx2.TransportError):
            wire.create(research())
        api.restart()
        (line,) = api.interactions()
        assert (line["status"], api.log()["creates"]) == ("in_progress", 1)
        api.advance(5 * WAIT)
        assert Wire(api.url).get(line["id"])["steps"] == RESEARCH


def test_a_crash_before_acceptance_leaves_no_interaction(tmp_path: Path) -> None:
    with Emulator(brain=brain, state=tmp_path / "interactions.db") as api:
        with pytest.raises(httpx2.TransportError):
            Wire(api.url).create({"model": MODEL, "input": "hello"}, **{"x-emulator-fault": '{"crash": true}'})
        api.restart()
        assert (api.interactions(), api.log()["creates"]) == ([], 0)


def test_a_process_killed_during_a_stream_resumes_it_after_a_restart(process: Process) -> None:
    options = ("--speed", "0", "--scenarios", "scenarios.yaml", "--state", "interactions.db")
    child, url = process.serve(*options)
    wire = Wire(url)
    stream = wire.stream(research(), {"crash_after": 4})
    heard = [next(stream) for _ in range(2)]
    advance_ignoring_death(wire, WAIT)
    with pytest.raises(httpx2.TransportError):
        for event in stream:
            heard.append(event)
    assert child.wait(timeout=300) == -signal.SIGKILL
    _, url = process.serve(*options)
    wire = Wire(url)
    advance(wire, 5 * WAIT)
    heard += wire.resume(heard[0]["interaction"]["id"], after=heard[-1]["event_id"])
    numbers = [int(event["event_id"].rpartition("_")[2]) for event in heard]
    assert numbers == list(range(1, len(numbers) + 1))
    assert heard[-1]["event_type"] == "interaction.completed"


def test_a_zombie_run_is_accepted_and_never_progresses(tmp_path: Path) -> None:
    with Emulator(brain=brain, state=tmp_path / "interactions.db", speed=0) as api:
        wire = Wire(api.url)
        api.faults({"on": "create", "zombie": True})
        run = wire.create(research())["id"]
        for _ in range(2):
            api.advance(1_000_000)
            assert (wire.get(run)["status"], wire.get(run)["steps"]) == ("in_progress", [])
            api.restart()
        assert wire.good(wire.http.post(f"/interactions/{run}/cancel"))["status"] == "cancelled"


def test_a_stream_with_delayed_events_still_completes(api: Emulator, wire: Wire) -> None:
    events = list(wire.stream({"model": MODEL, "input": "hello"}, {"event_delay_ms": 1}))
    assert events[-1]["event_type"] == "interaction.completed"


def advance_ignoring_death(wire: Wire, seconds: float) -> None:
    """The server may be gone before it has answered."""
    with suppress(httpx2.TransportError):
        advance(wire, seconds)
