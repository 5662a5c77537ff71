"""Months and a year of virtual time over two replicas, which are killed with SIGKILL at random writes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.ledger.conftest import open_ledger, url
from tests.notices.conftest import SECRET, Receiver, receiver
from tests.schedules.conftest import AGENT, Open
from tests.schedules.replica import LIMITS, ReplicaProcess, Step
from tests.schedules.test_timing import at
from tests.scripts import said
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.notices.targets import Target
from tools.research.order import Order
from tools.research.schedules.schedule import Schedule
from tools.research.schedules.service import Schedules
from tools.research.schedules.timing import Timing

__all__ = ["open_ledger", "receiver", "url"]
HOUR, DAY = 3600.0, 86_400.0
BRIEF = "How high are the tides at Brest?"
BEGIN = at("2026-01-03T12:00")
WRITES = 12
"""Number of writes of a run of a schedule."""


def reporting(turn: Turn) -> Iterator[TimedStep]:
    """A report whose figure differs from run to run, and a model that finds words for it."""
    if not turn.is_agent:
        yield TimedStep(0, said("IN WORDS: the height has changed."))
        return
    reporting.runs += 1  # type: ignore[attr-defined]
    text = f"# Tides\n\nThe tides at Brest were {reporting.runs}.5 metres high this week.\n\n"  # type: ignore[attr-defined]
    yield TimedStep(0, said(f"{text}The moon causes the tides of the sea, together with the sun.\n"))


@dataclass
class Life:
    """What happened while time passed for two replicas."""

    schedule: Schedule
    off: list[tuple[float, float]]
    """When both replicas were off."""
    end: float
    kills: int
    started: set[str]
    """Ids of the runs that the server has started."""


async def live(
    ledger: Ledger, where: str, target: Target, timing: Timing, max_usd: float, days: int, seed: int
) -> Life:
    """Lets time pass for two replicas, which are killed at random writes, and are off two times."""
    rng, end = random.Random(seed), BEGIN + days * DAY
    off = [(BEGIN + part * days * DAY, BEGIN + (part + 0.1) * days * DAY) for part in (0.35, 0.8)]
    reporting.runs = 0  # type: ignore[attr-defined]
    with Emulator(brain=reporting) as server:
        client: Any = None
        schedules = Schedules(ledger, client, lambda: BEGIN, lambda: "", lambda: True, lambda job_id: asyncio.sleep(0))
        order = Order(BRIEF, "ada", "s1", AGENT, notify=("hook",))
        made, _ = await schedules.add(order, timing, max_usd, LIMITS)
        replicas = [ReplicaProcess(server.port, where, target) for _ in range(2)]
        try:
            for due in takewhile(lambda due: due < end, timing.upcoming(BEGIN, 400)):
                for now in (due - rng.uniform(1, HOUR), due + rng.uniform(0, 60), due + HOUR / 2, due + 3 * HOUR):
                    killed = 0.7 if 0 <= now - due < 60 else 0.3  # most writes happen when a run is due
                    if not any(start <= now < stop for start, stop in off):
                        writes = [rng.randint(1, WRITES) if rng.random() < killed else 0 for _ in replicas]
                        steps = [Step(now, rng.choice(("before", "after")), write) for write in writes]
                        await asyncio.gather(*(r.play(step) for r, step in zip(replicas, steps, strict=True)))
            for hour in range(1, 4):  # the last notices of replicas that were killed
                await asyncio.gather(*(replica.play(Step(end + hour * HOUR)) for replica in replicas))
        finally:
            for replica in replicas:
                replica.stop()
        started = {i["id"] for i in server.interactions() if i["target"] == AGENT}
    return Life(made, off, end, sum(replica.kills for replica in replicas), started)


async def judge(ledger: Ledger, life: Life, receiver: Receiver) -> None:
    """Checks the promises of schedules."""
    made, timing = life.schedule, life.schedule.timing
    jobs = (await ledger.find(limit=1000))[::-1]
    dues = [job.order.due for job in jobs]
    states = Counter(job.state for job in jobs)
    # Each due time has at most one run, and each run was started at most once.
    assert len(set(dues)) == len(dues)
    assert states.keys() <= {State.COMPLETED, State.START_UNKNOWN}, states
    followed = {job.interaction_id for job in jobs if job.state is State.COMPLETED}
    assert len(followed) == states[State.COMPLETED]
    assert followed <= life.started
    assert len(life.started - followed) <= states[State.START_UNKNOWN]  # killed before the answer arrived
    # The ceiling of each month is kept.
    spent = [entry for entry in await ledger.spending() if entry.schedule == made.id]
    months = Counter[float]()
    for entry in spent:
        months[timing.month(entry.time)[0]] += entry.estimate  # type: ignore[assignment]
    assert all(usd <= made.max_usd + 1e-9 for usd in months.values()), months
    # Each time that is due has a run, unless both replicas were off, or the ceiling left too little money.
    full = Counter[float]()
    for due in takewhile(lambda due: due < life.end, timing.upcoming(BEGIN, 400)):
        if due in dues or any(start <= due + 3 * HOUR and due < stop for start, stop in life.off):
            continue
        month = timing.month(due)[0]
        before = sum(entry.estimate for entry in spent if month <= entry.time <= due + 3 * HOUR)
        assert before + made.price > made.max_usd, timing.show(due)
        full[month] += 1
    # After an interruption, one run catches up with all times that were missed.
    for start, stop in life.off:
        assert sum(1 for job in jobs if job.order.due and start <= job.order.due < stop) <= 1
        assert sum(1 for job in jobs if start <= job.created < stop) == 0
    # The notices say what has changed, and once a month that the ceiling is reached.
    noticed = dict(receiver.webhooks).values()
    completed = {body["data"]["job"]: body["data"] for body in noticed if body["type"] == "research.completed"}
    assert completed.keys() == {job.id for job in jobs if job.state is State.COMPLETED}
    assert sum(1 for body in noticed if body["type"] == "research.ceiling") >= len(full)
    with_report = [job for job in jobs if job.state is State.COMPLETED]
    for earlier, job in pairwise(with_report):
        counted = {"earlier": earlier.id, "changed": 1, "new": 0, "gone": 0, "new_sources": 0, "gone_sources": 0}
        assert completed[job.id]["changes"] == counted
        assert job.changes and "metres high this week" in job.changes.text
    assert "changes" not in completed[with_report[0].id]


@pytest.mark.parametrize(
    ("days", "cron", "max_usd"),
    [
        (49, "0 8 * * 1", 12.5),
        pytest.param(365, "0 8 * * 1", 12.5, marks=pytest.mark.nightly),
        pytest.param(100, "30 2 * * *", 81, marks=pytest.mark.nightly),
    ],
)
async def test_each_due_run_starts_once_over_two_killed_replicas_within_the_ceiling_and_notices_say_what_changed(
    days: int, cron: str, max_usd: float, open_ledger: Open, url: str, receiver: Receiver
) -> None:
    target = Target(url=f"{receiver.url}/", secret=SECRET, private=True)
    ledger = open_ledger()
    life = await live(ledger, url, target, Timing(cron, "Europe/Berlin"), max_usd, days, seed=7)
    assert life.kills  # how many depends on how far each process came
    await judge(ledger, life, receiver)
