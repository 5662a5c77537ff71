"""Calculates what the desk needs at a given size: `make bench-scaling`. A model of replicas and leases, without I/O.

ARGS="--replicas 4 --researches 2000" calculates a size of your own; ARGS=--measure measures the constants in `Measured`
again, on this machine. docs/scaling.md has the tables of both.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from tools.research.database import POOL
from tools.research.pricing import cost_of
from tools.research.timeouts import LOCK_LEASE_S as TURN_LEASE
from tools.research.timeouts import RECOVERY_INTERVAL_S, ResearchTimeouts
from tools.server.settings import ServerSettings

DAY = 86_400.0
AGENT = "deep-research-preview-04-2026"
VCPU_SECOND = 0.000018
"""USD, Cloud Run with CPU always allocated, in regions of tier 1: cloud.google.com/run/pricing."""
SAMPLE = 20_000
"""Number of research runs to simulate, whatever time they span."""


@dataclass(frozen=True)
class Load:
    """The load of the desk, and what it runs on. The defaults are assumptions: replace them by your own."""

    researches: float = 100
    """Research runs ordered per day."""
    turns: float = 0.1
    """Turns of conversations per second."""
    replicas: int = 1
    shortest: float = 5
    """Minutes of a research run; all durations from `shortest` to `longest` are equally likely."""
    longest: float = 60
    failures: float = 0.05
    """Kills of each replica per hour, without warning."""
    restart: float = 20
    """Seconds until the platform has replaced it."""
    lease: float = ResearchTimeouts.lease_s
    look: float = RECOVERY_INTERVAL_S
    """Seconds between two checks of a replica for runs that no process follows."""
    cut: float = 600
    """Seconds after which the API cuts a stream (Google AI forum, thread 143098)."""
    polled: float = 0.05
    """Share of runs whose streams do not work at all."""
    poll: float = ResearchTimeouts.max_poll_s
    asked: float = 1
    """Average number of other replicas that are asked about a run while it runs."""
    turn_seconds: float = 6
    turn_calls: float = 2
    """Requests to the API in a turn: the desk, and a specialist."""
    ledger_pool: int = POOL["pool_size"]
    ledger_overflow: int = POOL["max_overflow"]
    sessions_pool: int = ServerSettings.model_fields["pool_size"].default
    quota: float = 1_000
    """Requests a minute that the API allows your project."""


@dataclass(frozen=True)
class Measured:
    """Results of `--measure`: seconds of CPU, bytes, and statements."""

    start_cpu: float = 0.021
    followed_cpu: float = 0.000004
    """Per second, while only leases are renewed."""
    event_cpu: float = 0.0006
    turn_cpu: float = 0.0144
    followed_bytes: float = 56_000
    replica_bytes: float = 205_000_000
    events: float = 77
    """Of a run at the emulator."""
    start_reads: float = 7
    start_writes: float = 4
    end_reads: float = 3
    """From its first event to its report, without the renewals of leases."""
    end_writes: float = 28
    changes: float = 13
    """Of a run: its lines of progress, and its end."""
    watch_reads: float = 0.15
    """Per second, at a replica that watches any number of runs that others follow: it checks their leases."""
    watched_change_reads: float = 4.5
    """Of a replica that watches a run, for each change of the run."""
    look_reads: float = 4
    turn_reads: float = 2
    """One more than measured: the events of a conversation whose last turn was at another replica."""
    turn_writes: float = 5


@dataclass
class Fleet:
    """Results of the simulation. Times are in seconds."""

    ordered: int = 0
    ended: int = 0
    running: int = 0
    """At the end of the simulation."""
    followed_time: float = 0
    orphaned_time: float = 0
    job_time: float = 0
    """Of all runs, from their start to their end or to the end of the simulation."""
    delays: list[float] = field(default_factory=list)
    """Time until each run that lost its follower had a new one."""

    def delay(self, share: float) -> float:
        """The quantile of the delays; 0 when nothing was ever lost."""
        found = sorted(self.delays)
        return found[min(len(found) - 1, int(share * len(found)))] if found else 0.0

    @property
    def orphaned(self) -> float:
        """Share of the time of all runs in which no process follows them."""
        return self.orphaned_time / self.job_time if self.job_time else 0.0


def taken_up(crash: float, free: float, phases: Sequence[float], back: float, look: float) -> float:
    """When a lease that is free from `free` on is taken: at the next check of a replica that lives, or of the new one,
    which checks as soon as it is back.
    """
    first = back + math.ceil(max(0.0, free - back) / look) * look
    return min([first, *(free + (phase - free) % look for phase in phases)])


def simulate(load: Load, sample: int = SAMPLE, seed: int = 2026) -> Fleet:
    """Simulates arrivals, ends and crashes, event by event."""
    draw, fleet = random.Random(seed), Fleet()
    arrival, crashes = load.researches / DAY, load.failures * load.replicas / 3600
    end = sample / arrival
    phases = [draw.random() * load.look for _ in range(load.replicas)]
    jobs: dict[int, list[float]] = {}  # number -> [start, end, orphaned since or -1, seconds orphaned so far]
    of: defaultdict[int, set[int]] = defaultdict(set)
    where: dict[int, int] = {}
    queue: list[tuple[float, int, str, int]] = []
    count = 0

    def push(at: float, what: str, number: int) -> None:
        nonlocal count
        count += 1
        heapq.heappush(queue, (at, count, what, number))

    def after(rate: float) -> float:
        return -math.log(1 - draw.random()) / rate if rate else math.inf

    def gone(number: int, now: float) -> None:
        start, _, lost, orphaned = jobs.pop(number)
        orphaned += now - lost if lost >= 0 else 0.0
        fleet.job_time += now - start
        fleet.orphaned_time += orphaned
        fleet.followed_time += now - start - orphaned
        of[where.pop(number, -1)].discard(number)

    push(after(arrival), "order", 0)
    push(after(crashes), "crash", 0)
    while queue and queue[0][0] < end:
        now, _, what, number = heapq.heappop(queue)
        if what == "order":
            minutes = load.shortest + draw.random() * (load.longest - load.shortest)
            jobs[number] = [now, now + minutes * 60, -1.0, 0.0]
            where[number] = int(draw.random() * load.replicas)
            of[where[number]].add(number)
            fleet.ordered += 1
            push(now + minutes * 60, "end", number)
            push(now + after(arrival), "order", number + 1)
        elif what == "end":
            fleet.ended += 1
            gone(number, now)
        elif what == "taken":
            job = jobs.get(number)
            if job and job[2] >= 0:
                fleet.delays.append(now - job[2])
                job[3] += now - job[2]
                job[2] = -1.0
                where[number] = int(draw.random() * load.replicas)
                of[where[number]].add(number)
        else:
            dead, back = int(draw.random() * load.replicas), now + load.restart
            others = [phase for each, phase in enumerate(phases) if each != dead]
            for lost in sorted(of.pop(dead, ())):
                del where[lost]
                jobs[lost][2] = now
                free = now + load.lease * (1 - draw.random() / 3)  # renewed at most a third of a lease ago
                push(taken_up(now, free, others, back, load.look), "taken", lost)
            phases[dead] = back % load.look
            push(now + after(crashes), "crash", 0)
    fleet.running = len(jobs)
    for number in list(jobs):
        gone(number, end)
    return fleet


def reckon(load: Load, cost: Measured, fleet: Fleet) -> dict[str, float]:
    """What a load needs, by name of its row. Rates are per second."""
    order = load.researches / DAY
    followed = order * (load.shortest + load.longest) / 2 * 60
    renewals = min(load.replicas, followed) / (load.lease / 3)  # one statement renews all leases of a replica
    asked = followed * min(load.asked, load.replicas - 1)
    turn_renewals = load.turns * load.turn_seconds / (TURN_LEASE / 3)
    kept = 2 * load.ledger_pool + load.sessions_pool + (load.replicas > 1)  # one listens for notifications
    most = kept + 2 * load.ledger_overflow + load.sessions_pool
    streams = followed * (1 - load.polled) / load.cut * 2
    requests = 2 * order + streams + followed * load.polled / load.poll + load.turns * load.turn_calls
    cpu = (
        order * (cost.start_cpu + cost.events * cost.event_cpu)
        + followed * cost.followed_cpu
        + load.turns * cost.turn_cpu
    )
    low, high = cost_of(AGENT)
    return {
        "research runs at a time": followed,
        "of them on one replica": followed / load.replicas,
        "connections kept": kept * load.replicas,
        "connections at most": most * load.replicas,
        "writes/s: research": order * (cost.start_writes + cost.end_writes),
        "writes/s: leases": renewals,
        "writes/s: conversations": load.turns * cost.turn_writes + turn_renewals,
        "reads/s: research": order * (cost.start_reads + cost.end_reads),
        "reads/s: searches for orphaned runs": load.replicas * cost.look_reads / load.look,
        "reads/s: runs watched from another replica": (
            min(asked, load.replicas if load.replicas > 1 else 0) * cost.watch_reads
            + order * min(load.asked, load.replicas - 1) * cost.changes * cost.watched_change_reads
        ),
        "reads/s: conversations": load.turns * cost.turn_reads,
        "API requests/s": requests,
        "API requests, share of the quota": requests * 60 / load.quota,
        "takeover after a crash, p50, s": fleet.delay(0.5),
        "takeover after a crash, p95, s": fleet.delay(0.95),
        "time without a follower, share": fleet.orphaned,
        "memory of a replica, MB": (cost.replica_bytes + followed / load.replicas * cost.followed_bytes) / 1e6,
        "CPU of a replica, cores": cpu / load.replicas,
        "replicas of 1 vCPU, USD a day": load.replicas * DAY * VCPU_SECOND,
        "research, from USD a day": load.researches * low,
        "research, to USD a day": load.researches * high,
    }


SIZES = (
    Load(),
    Load(researches=10_000, turns=5, replicas=10),
    Load(researches=1_000_000, turns=500, replicas=1_000),
)


def shown(name: str, value: float) -> str:
    """A figure, rounded to a suitable number of digits."""
    if name.endswith("share"):
        return f"{value:.3%}" if value < 0.01 else f"{value:,.0%}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def table(loads: Sequence[Load]) -> str:
    """The sizes side by side, as Markdown."""
    columns = [reckon(load, Measured(), simulate(load)) for load in loads]
    heads = [f"{load.replicas:,} replica{'s' * (load.replicas > 1)}" for load in loads]
    rows = [["", *heads], ["---", *("---:" for _ in loads)]]
    rows.append(["research runs a day", *(f"{load.researches:,.0f}" for load in loads)])
    rows.append(["turns of conversations a second", *(f"{load.turns:g}" for load in loads)])
    rows += [[name, *(shown(name, column[name]) for column in columns)] for name in columns[0]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Calculates what the desk needs at a given size.")
    parser.add_argument("--measure", action="store_true", help="measure the constants again (needs PostgreSQL)")
    for each in fields(Load):
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(each.default), default=None)
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    if given.pop("measure"):
        from tests.bench.followers import measure

        measure()
    else:
        print(table([Load(**given)] if given else SIZES))


if __name__ == "__main__":
    main()
