"""Triggers: schedules that fire in virtual time, over the unmodified SDK and bare HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google import genai
from google.genai._interactions import APIStatusError

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Entry, TextDelta, Turn
from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.triggers.cron import next_time
from wire.brains import WAIT, brain
from wire.conftest import AGENT, Wire
from wire.test_webhooks import Listener, listener

__all__ = ["listener"]

DAY = 86_400
DAILY = "30 9 * * *"
BERLIN = ZoneInfo("Europe/Berlin")
Json = dict[str, Any]


@pytest.fixture
def sdk(held: Emulator) -> Iterator[genai.Client]:
    with genai.Client(api_key="a key", http_options={"base_url": held.url}) as client:
        yield client


def body(schedule: str = DAILY, zone: str = "UTC", **more: Any) -> Json:
    return {"interaction": {"agent": AGENT, "input": "tides"}, "schedule": schedule, "time_zone": zone, **more}


def create(wire: Wire, **more: Any) -> Json:
    answer = wire.http.post("/triggers", json=body(**more))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def executions(wire: Wire, trigger: Json) -> list[Json]:
    """The executions of a trigger, oldest first."""
    return list(reversed(wire.http.get(f"/triggers/{trigger['id']}/executions").json()["trigger_executions"]))


def seconds(shown: str) -> float:
    return datetime.fromisoformat(shown).timestamp()


def test_the_sdk_creates_lists_updates_runs_and_deletes_triggers(held: Emulator, sdk: genai.Client, wire: Wire) -> None:
    triggers = sdk.triggers
    made = triggers.create(
        interaction={"agent": AGENT, "input": "tides"}, schedule=DAILY, time_zone="Europe/Berlin", display_name="Tides"
    )
    assert (made.status, made.schedule, made.display_name) == ("active", DAILY, "Tides")
    assert made.next_run_time and made.next_run_time.astimezone(BERLIN).strftime("%H:%M") == "09:30"
    assert made.interaction.agent == AGENT
    assert triggers.get(id=made.id) == made
    assert [one.id for one in triggers.list().triggers or []] == [made.id]
    execution = triggers.run(trigger_id=made.id)
    assert (execution.status, execution.trigger_id) == ("in_progress", made.id)
    assert execution.interaction_id and wire.get(execution.interaction_id)["status"] == "in_progress"
    held.advance(5 * WAIT)
    (done,) = triggers.list_executions(trigger_id=made.id).trigger_executions or []
    assert (done.id, done.status) == (execution.id, "completed") and done.end_time
    after = triggers.get(id=made.id)
    assert after.previous_interaction_id == execution.interaction_id and after.last_run_time
    paused = triggers.update(id=made.id, status="paused", display_name="Ebb")
    assert (paused.status, paused.display_name, paused.next_run_time) == ("paused", "Ebb", None)
    assert paused.last_pause_time
    assert triggers.update(id=made.id, status="active").next_run_time == made.next_run_time
    triggers.delete(id=made.id)
    with pytest.raises(APIStatusError, match="was not found"):
        triggers.get(id=made.id)


def test_a_schedule_fires_each_day_of_virtual_time_and_each_run_completes(held: Emulator, wire: Wire) -> None:
    trigger = create(wire, zone="Europe/Berlin")
    held.advance(3 * DAY)
    runs = executions(wire, trigger)
    assert [run["status"] for run in runs] == ["completed"] * 3
    for run in runs:
        assert datetime.fromtimestamp(seconds(run["scheduled_time"]), BERLIN).strftime("%H:%M") == "09:30"
        assert run["start_time"] == run["scheduled_time"]
        assert seconds(run["end_time"]) - seconds(run["start_time"]) == 5 * WAIT
        assert wire.get(run["interaction_id"])["status"] == "completed"
    assert len({run["interaction_id"] for run in runs}) == 3
    assert seconds(runs[1]["scheduled_time"]) - seconds(runs[0]["scheduled_time"]) == DAY


def test_with_infinite_speed_a_schedule_fires_only_when_time_is_advanced(api: Emulator, wire: Wire) -> None:
    trigger = create(wire, schedule="* * * * *")
    assert executions(wire, trigger) == []
    api.advance(60)
    assert len(executions(wire, trigger)) == 1


def test_with_running_time_a_schedule_fires_by_itself(listener: Listener) -> None:
    with Emulator(brain=brain, speed=100_000) as api:
        config = {"uris": [listener.url], "user_metadata": {"job": "42"}}
        interaction = {"agent": AGENT, "input": "tides", "webhook_config": config}
        create(Wire(api.url), schedule="0 * * * *", interaction=interaction)
        message = json.loads(listener.hear()[1])
        assert (message["type"], message["user_metadata"]) == ("interaction.completed", {"job": "42"})
        assert listener.hear()  # and again


def test_a_paused_trigger_does_not_fire_until_it_is_resumed(held: Emulator, wire: Wire) -> None:
    trigger = create(wire)
    wire.http.patch(f"/triggers/{trigger['id']}", json={"status": "paused"})
    held.advance(2 * DAY)
    assert executions(wire, trigger) == []
    wire.http.patch(f"/triggers/{trigger['id']}", json={"status": "active"})
    held.advance(DAY)
    assert len(executions(wire, trigger)) == 1


def test_an_execution_is_skipped_while_the_one_before_is_in_progress(held: Emulator, wire: Wire) -> None:
    trigger = create(wire, schedule="*/2 * * * *")  # a run takes five minutes
    held.advance(seconds(trigger["next_run_time"]) - seconds(trigger["create_time"]))
    held.advance(4 * WAIT)
    assert [run["status"] for run in executions(wire, trigger)] == ["in_progress", "skipped", "skipped"]
    held.advance(2 * WAIT)
    statuses = [run["status"] for run in executions(wire, trigger)]
    assert statuses == ["completed", "skipped", "skipped", "in_progress"]


def test_an_execution_that_takes_too_long_is_cancelled(held: Emulator, wire: Wire) -> None:
    trigger = create(wire, execution_timeout_seconds=90)
    held.advance(DAY)
    (run,) = executions(wire, trigger)
    assert run["status"] == "timed_out" and "execution_timeout_seconds" in run["error"]
    assert seconds(run["end_time"]) - seconds(run["start_time"]) == 90
    assert wire.get(run["interaction_id"])["status"] == "cancelled"


def test_a_trigger_stops_after_failures_in_a_row(held: Emulator, wire: Wire) -> None:
    trigger = create(wire, execution_timeout_seconds=1, max_consecutive_failures=2)
    held.advance(5 * DAY)
    assert len(executions(wire, trigger)) == 2
    shown = wire.http.get(f"/triggers/{trigger['id']}").json()
    assert (shown["status"], shown["consecutive_failure_count"]) == ("error", 2) and "next_run_time" not in shown
    resumed = wire.http.patch(f"/triggers/{trigger['id']}", json={"status": "active"}).json()
    assert resumed["consecutive_failure_count"] == 0 and resumed["next_run_time"]


def test_an_execution_that_cannot_begin_fails_with_the_reason(held: Emulator, wire: Wire) -> None:
    first = wire.create({"agent": AGENT, "input": "tides", "background": True})["id"]
    interaction = {"agent": AGENT, "input": "And now?", "previous_interaction_id": first}
    trigger = create(wire, interaction=interaction)
    wire.http.delete(f"/interactions/{first}")
    run = wire.http.post(f"/triggers/{trigger['id']}/executions").json()
    assert run["status"] == "failed" and first in run["error"]


def test_triggers_and_executions_survive_a_restart(tmp_path: Path) -> None:
    with Emulator(brain=brain, state=tmp_path / "state.db", speed=0) as api:
        wire = Wire(api.url)
        trigger = create(wire)
        wire.http.post(f"/triggers/{trigger['id']}/executions")
        api.restart()
        assert [run["status"] for run in executions(wire, trigger)] == ["in_progress"]
        api.advance(DAY)
        assert [run["status"] for run in executions(wire, trigger)] == ["completed", "completed"]


@pytest.mark.parametrize(("lost", "status"), [("interaction_id", "failed"), ("end_time", "completed")])
def test_an_execution_that_a_killed_server_left_open_ends_at_the_next_start(
    tmp_path: Path, lost: str, status: str
) -> None:
    state = tmp_path / "state.db"
    with Emulator(brain=brain, state=state, speed=0) as api:
        wire = Wire(api.url)
        trigger = create(wire)
        wire.http.post(f"/triggers/{trigger['id']}/executions")
        api.advance(5 * WAIT)
        assert executions(wire, trigger)[0]["status"] == "completed"
        api.close()
        journal = Journal(state)
        [(key, record)] = journal.read("execution")
        journal.write(("execution", key, record | {"status": "in_progress", lost: None}))
        journal.close()
        api.start()
        api.advance(DAY)
        assert [run["status"] for run in executions(wire, trigger)] == [status, "completed"]


def test_triggers_wait_while_an_advance_waits_for_a_brain(monkeypatch: pytest.MonkeyPatch) -> None:
    thinks, thought = threading.Event(), threading.Event()
    waits: list[float] = []
    passes = Clock.passes

    def slow(turn: Turn) -> Iterator[Entry]:
        thinks.set()
        thought.wait()
        yield TextDelta("Done.")

    async def counted(clock: Clock, moment: float) -> None:
        waits.append(moment)
        await passes(clock, moment)

    monkeypatch.setattr(Clock, "passes", counted)
    with Emulator(brain=slow, speed=0) as api:
        wire = Wire(api.url)
        create(wire)
        wire.create({"agent": AGENT, "input": "tides", "background": True})
        with ThreadPoolExecutor() as pool:
            advance = pool.submit(api.advance, DAY)
            thinks.wait()
            for _ in range(20):
                wire.http.get("/triggers")
            thought.set()
            advance.result()
    assert len(waits) < 20


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"interaction": None}, "interaction is an object with an agent"),
        ({"interaction": {"model": "m", "input": "x"}}, "interaction is an object with an agent"),
        ({"interaction": {"agent": AGENT}}, "input is missing"),
        ({"schedule": "daily"}, "schedule 'daily' is not one of cron"),
        ({"schedule": "61 * * * *"}, "'61 * * * *' is not one of cron, such as '0 9 * * 1-5': bad minute"),
        ({"schedule": "* * * * mon-x"}, "bad day-of-week"),
        ({"schedule": "0 0 30 2 *"}, "bad day-of-month"),
        ({"schedule": "0 0 0 1 * *"}, "it needs five fields"),
        ({"schedule": "0 0 L jul *"}, "a field has numbers, names, ranges, steps and lists"),
        ({"schedule": "0 0 * * 5#2"}, "a field has numbers, names, ranges, steps and lists"),
        ({"schedule": f"{'9' * 5000} * * * *"}, "is not one of cron"),
        ({"time_zone": "Mars/Base"}, "time_zone is a name such as Europe/Berlin, not 'Mars/Base'"),
        ({"execution_timeout_seconds": 0}, "execution_timeout_seconds is a number"),
        ({"display_name": 1}, "display_name is a string"),
    ],
)
def test_an_invalid_trigger_is_refused(wire: Wire, change: Json, why: str) -> None:
    assert why in wire.refused(wire.http.post("/triggers", json=body() | change), 400)
    assert wire.http.get("/triggers").json() == {"triggers": []}


def test_an_invalid_change_of_a_trigger_is_refused(wire: Wire) -> None:
    trigger = create(wire)
    for change, why in ({"status": "tired"}, "status is one of"), ({"display_name": 1}, "display_name is a string"):
        assert why in wire.refused(wire.http.patch(f"/triggers/{trigger['id']}", json=change), 400)
    assert "was not found" in wire.refused(wire.http.get("/triggers/nothing/executions"), 404)


@pytest.mark.parametrize(
    ("schedule", "moments"),
    [
        ("30 9 * * *", ["2026-11-30 09:30", "2026-12-01 09:30"]),
        ("*/20 10-11 * * *", ["2026-11-30 10:00", "2026-11-30 10:20", "2026-11-30 10:40", "2026-11-30 11:00"]),
        ("0 0 1 jan,Jul *", ["2027-01-01 00:00", "2027-07-01 00:00"]),
        ("0 12 * * mon-wed", ["2026-11-30 12:00", "2026-12-01 12:00", "2026-12-02 12:00", "2026-12-07 12:00"]),
        ("0 12 * * 7", ["2026-12-06 12:00", "2026-12-13 12:00"]),
        ("0 12 2 * fri", ["2026-12-02 12:00", "2026-12-04 12:00", "2026-12-11 12:00"]),  # either of both days
        ("0 12 2 * */2", ["2027-01-02 12:00"]),  # both of them
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("5/30 9 30 * *", ["2026-11-30 09:05", "2026-11-30 09:35"]),
    ],
)
def test_a_schedule_has_the_moments_of_cron(schedule: str, moments: list[str]) -> None:
    moment = datetime(2026, 11, 30, 8, 15, tzinfo=BERLIN).timestamp()
    for expected in moments:
        found = next_time(schedule, BERLIN, moment)
        assert datetime.fromtimestamp(found, BERLIN).strftime("%Y-%m-%d %H:%M") == expected
        moment = found


def test_a_schedule_keeps_the_local_time_when_clocks_change() -> None:
    before = datetime(2027, 3, 27, 9, 30, tzinfo=BERLIN).timestamp()
    after = next_time("30 9 * * *", BERLIN, before)
    assert timedelta(seconds=after - before) == timedelta(hours=23)
    assert datetime.fromtimestamp(after, UTC).strftime("%H:%M") == "07:30"


@pytest.mark.parametrize(
    ("begin", "moments"),
    [
        ("2027-03-27 12:00+01:00", ["2027-03-28 03:00", "2027-03-29 02:30"]),  # 02:30 is skipped
        ("2027-10-30 12:00+02:00", ["2027-10-31 02:30", "2027-11-01 02:30"]),  # 02:30 comes twice
        ("2027-10-31 02:10+01:00", ["2027-11-01 02:30"]),  # the first 02:30 has passed
    ],
)
def test_a_change_of_the_clocks_neither_loses_nor_repeats_a_moment(begin: str, moments: list[str]) -> None:
    moment = datetime.fromisoformat(begin).timestamp()
    for expected in moments:
        moment = next_time("30 2 * * *", BERLIN, moment)
        assert datetime.fromtimestamp(moment, BERLIN).strftime("%Y-%m-%d %H:%M") == expected
