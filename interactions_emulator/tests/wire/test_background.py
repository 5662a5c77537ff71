"""Runs in the background: followed, left, resumed, cancelled, deleted."""

from __future__ import annotations

import threading
import time
from datetime import datetime

import pytest

from interactions_emulator import Emulator
from wire.brains import RESEARCH, WAIT
from wire.conftest import Wire, research

STEPS = len(RESEARCH)


def test_a_background_run_progresses_with_virtual_time(held: Emulator, wire: Wire) -> None:
    run = wire.create(research())
    assert (run["status"], run["steps"], "usage" in run) == ("in_progress", [], False)
    for done in range(1, STEPS):
        held.advance(WAIT)
        assert wire.get(run["id"])["steps"] == RESEARCH[:done]
    held.advance(WAIT - 1)
    assert wire.get(run["id"])["status"] == "in_progress"
    held.advance(1)
    ended = wire.get(run["id"])
    assert (ended["status"], ended["steps"]) == ("completed", RESEARCH)


def test_one_long_advance_equals_many_short_ones(held: Emulator, wire: Wire) -> None:
    run = wire.create(research())
    held.advance(STEPS * WAIT)
    ended = wire.get(run["id"])
    minutes = int(ended["updated"][14:16]) - int(ended["created"][14:16])
    assert (ended["status"], minutes % 60) == ("completed", STEPS)


def test_answers_show_real_times_although_virtual_time_runs_ahead(api: Emulator, wire: Wire) -> None:
    began = int(time.time())
    *_, end = wire.stream(research())
    run = wire.get(end["interaction"]["id"])
    shown = [datetime.fromisoformat(run[name]).timestamp() for name in ("created", "updated")]
    assert began <= shown[0] <= shown[1] <= time.time()


def test_a_stream_resumes_after_the_cursor_and_continues_live(held: Emulator, wire: Wire) -> None:
    first = wire.stream(research())
    seen = [next(first) for _ in range(2)]
    held.advance(WAIT)
    seen.append(next(first))
    first.close()
    interaction_id = seen[0]["interaction"]["id"]
    second = wire.resume(interaction_id, seen[-1]["event_id"])
    seen.append(next(second))
    held.advance(STEPS * WAIT)
    seen.extend(second)
    assert seen == list(wire.resume(interaction_id))
    assert seen[-1]["interaction"]["status"] == "completed"


def test_several_clients_can_stream_the_same_run(held: Emulator, wire: Wire) -> None:
    run = wire.create(research())
    heard: list[list[str]] = [[], [], []]

    def listen(events: list[str]) -> None:
        events.extend(event["event_id"] for event in wire.resume(run["id"]))

    threads = [threading.Thread(target=listen, args=[events]) for events in heard]
    for thread in threads:
        thread.start()
    held.advance(STEPS * WAIT)
    for thread in threads:
        thread.join()
    assert heard[0] and heard[0] == heard[1] == heard[2]


def test_cancelling_ends_the_run_and_its_streams(held: Emulator, wire: Wire) -> None:
    stream = wire.stream(research())
    interaction_id = next(stream)["interaction"]["id"]
    held.advance(WAIT)
    cancelled = wire.good(wire.http.post(f"/interactions/{interaction_id}/cancel"))
    assert (cancelled["status"], cancelled["steps"]) == ("cancelled", RESEARCH[:1])
    *_, last = stream
    assert (last["event_type"], last["interaction"]["status"]) == ("interaction.completed", "cancelled")
    held.advance(STEPS * WAIT)
    again = wire.good(wire.http.post(f"/interactions/{interaction_id}/cancel"))
    assert again == cancelled == wire.get(interaction_id)


def test_deleting_a_run_removes_it_and_ends_its_streams(held: Emulator, wire: Wire) -> None:
    stream = wire.stream(research())
    interaction_id = next(stream)["interaction"]["id"]
    response = wire.http.delete(f"/interactions/{interaction_id}")
    assert (response.status_code, response.json()) == (200, {})
    assert [*stream][-1]["interaction"]["status"] == "cancelled"
    wire.refused(wire.http.get(f"/interactions/{interaction_id}"), 404)
    wire.refused(wire.http.delete(f"/interactions/{interaction_id}"), 404)
    assert held.interactions() == []


def test_the_clock_speed_can_be_changed_during_a_run(held: Emulator, wire: Wire) -> None:
    stream = wire.stream(research())
    next(stream)
    wire.http.post(f"{held.url}/_emulator/clock", json={"speed": 10_000}).raise_for_status()
    assert [*stream][-1]["interaction"]["status"] == "completed"


def test_stopping_the_server_cuts_streams_and_does_not_wait_for_them(held: Emulator, wire: Wire) -> None:
    stream = wire.stream(research())
    next(stream)
    silent = wire.stream(research(), {"silence_after": 1})
    next(silent)
    stopping = threading.Thread(target=held.close)
    stopping.start()
    stopping.join(timeout=300)
    assert not stopping.is_alive()


def test_a_run_that_is_cancelled_before_the_brain_begins_ends_quietly(
    held: Emulator, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[threading.Thread] = []
    failures: list[threading.ExceptHookArgs] = []
    start = threading.Thread.start

    def start_later(thread: threading.Thread) -> None:
        started.append(thread) if thread.name == "brain" else start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_later)
    monkeypatch.setattr(threading, "excepthook", failures.append)
    run = wire.create(research())["id"]
    assert wire.http.post(f"/interactions/{run}/cancel").json()["status"] == "cancelled"
    [late] = started
    start(late)
    late.join()
    assert not failures
