"""`python -m tests.faults.chaos`: research runs with random mixtures of faults and kills.

In most runs a "process" is a service inside this process, and a kill cancels its tasks and prevents its further writes.
Every twentieth run has real processes, which are killed with SIGKILL.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from typing import Annotated, Any

import typer

from tests.faults import notice_receiver
from tests.faults.cells import ANNOUNCED, CREATES, EFFECTS, EVENTS, REFUSED, STATUSES, Fault
from tests.faults.ledger_write_kills import NEVER, WRITES, Kill, KillSwitch, MortalLedger, process_main, run_process
from tests.faults.run import (
    AGENT,
    ASKED,
    FAILURES,
    MISTAKES,
    Outcome,
    Place,
    TurnResult,
    ask_until_report,
    judge,
    just_found,
    new_brief,
    plain,
    play_everywhere,
    play_here,
)
from tests.faults.webhook_replica import MISHAPS, WebhookReplica
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.open_questions import Action, NotConfirmed
from tools.research.order import Order
from tools.research.report.report import Report
from tools.research.service import Research
from tools.researcher import confirmation
from tools.researcher.confirmation import AWAITS_INPUT_KEY

BATCH = 100
REAL = 20
"""One of so many runs has real processes."""


@dataclass(frozen=True)
class Run:
    """A research run, and the faults that happen to it."""

    number: int
    status: str
    faults: tuple[Fault, ...]
    refusals: int
    kills: tuple[Kill, ...]
    """One per process, in order. They are followed by a process that is not killed."""
    real: bool
    twins: bool
    """Two processes ask at once in the end."""
    answers: tuple[str, ...] = ()
    """The person's answers to the price, one per turn: yes, no, a question, or a yes that comes a turn too late. If
    empty, nobody is asked.
    """
    mishaps: tuple[str, ...] | None = None
    """What happens to the messages of the webhook; None: there is no webhook."""
    notices: bool = False
    """Whether a receiver gets notices."""


@dataclass
class Person:
    """The person who is asked for a yes by all processes of a run."""

    answers: list[str]
    marks: frozenset[str] = frozenset()
    """Marks of the questions that the previous turn showed."""
    yeses: int = 0
    """Number of yeses that count."""
    turns: int = 0

    def turn(self, brief: str) -> tuple[str, confirmation.TurnContext]:
        """The next answer, and the turn in which it is given."""
        answer = self.answers.pop(0) if self.answers else "yes"
        marks, self.marks, self.turns = self.marks, frozenset(), self.turns + 1
        shown = frozenset() if answer == "late yes" else marks
        return answer, confirmation.TurnContext(f"{brief} {self.turns}", "ada", brief, answer, shown)


ANSWERS = ("yes", "no", "question", "late yes")


def draw(seed: int, number: int) -> Run:
    """The run with this number, which is always the same for the same seed."""
    rng = random.Random(f"{seed}:{number}")
    effects = list(EFFECTS.values())
    faults: list[Fault] = []
    create = rng.choice(list(CREATES)) if rng.random() < 0.3 else "200"
    faults += CREATES[create].faults
    if rng.random() < 0.7:
        faults.append({"on": "create_stream", rng.choice(effects): rng.randint(1, EVENTS)})
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        spoiled: list[Fault] = [{rng.choice(effects): rng.randint(0, 6)}, {"status": 503}, {"drop": True}]
        faults.append({"on": "resume", "times": rng.randint(1, 2), **rng.choice(spoiled)})
    for _ in range(rng.choice((0, 0, 1, 2))):
        refusals: list[Fault] = [{"status": status} for status in (401, 408, 429, 500, 503)]
        faults.append({"on": "get", "skip": rng.randint(0, 2), **rng.choice([*refusals, {"drop": True}])})
    kills = tuple(
        Kill("time", rng.randint(10, 250))
        if rng.random() < 0.3
        else Kill(rng.choice(("before", "after")), rng.randint(1, WRITES))
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))
    )
    return Run(
        number=number,
        status="completed" if rng.random() < 0.6 else rng.choice(list(STATUSES)),
        faults=tuple(faults),
        refusals=int(create == REFUSED),
        kills=kills,
        real=number % REAL == 0,
        twins=(twins := rng.random() < 0.2),
        notices=number % REAL != 0 and random.Random(f"notices {seed}:{number}").random() < 0.5,
        answers=() if twins or number % REAL == 0 else tuple(rng.choices(ANSWERS, (2, 1, 3, 3), k=rng.randint(0, 4))),
        mishaps=tuple(rng.choices(MISHAPS, k=3)) if number % REAL and rng.random() < 0.4 else None,
    )


async def play_run(place: Place, run: Run) -> Outcome:
    """Plays a run, and judges it like a cell. A start stays unknown only if no webhook names its run."""
    if run.mishaps is None:
        return await play_processes(place, run, None)
    async with WebhookReplica(place, run.mishaps) as replica:
        return await play_processes(place, run, replica)


async def play_processes(place: Place, run: Run, replica: WebhookReplica | None) -> Outcome:
    brief = new_brief(run.status)
    place.notify = (notice_receiver.NAME,) if run.notices else ()
    if not run.notices:
        return await play_brief(place, run, brief, replica)
    async with notice_receiver.receiving() as receiver:
        outcome = await play_brief(place, run, brief, replica, receiver)
        return replace(outcome, unnoticed=await receiver.judge(place.ledger, brief, len(run.kills)))


async def play_brief(
    place: Place, run: Run, brief: str, replica: WebhookReplica | None, receiver: notice_receiver.Receiver | None = None
) -> Outcome:
    """Plays the processes of a run, which send notices if there is a receiver."""
    await place.prepare(run.faults, 0 if run.real else run.refusals)
    person = Person([*run.answers]) if run.answers else None
    process = real_process if run.real else partial(simulated_process, person=person, receiver=receiver)
    shown: list[str] = []
    for kill in run.kills:
        lines, told = await process(place, brief, kill)
        shown += lines
    if run.twins:
        (lines, told), (_, others) = await asyncio.gather(*(process(place, brief, Kill(*NEVER)) for _ in range(2)))
        told = [*others, *told]
    else:
        lines, told = await process(place, brief, Kill(*NEVER))
    if replica and told[-1].state in (State.START_UNKNOWN, State.RUNNING):  # running: a webhook has just named it
        await replica.until_delivered(brief)
        more, told = await process(place, brief, Kill(*NEVER))
        lines += more
    researches = await place.researches(brief)
    outcome = judge(told, [*shown, *lines], researches)
    if replica and outcome.state == State.START_UNKNOWN:
        outcome = replace(outcome, lost=not {*ANNOUNCED}.isdisjoint(researches))
    if person is None:
        return outcome
    missed = outcome.state == State.AWAITING_APPROVAL and person.yeses > 0 and not run.kills
    return replace(outcome, unwanted=outcome.creates > person.yeses or missed)


async def ask_person(place: Place, service: Research, brief: str, show: Any, person: Person) -> list[TurnResult]:
    """Takes turns with a person who is asked for a yes. Returns the result of each turn."""
    told: list[TurnResult] = []
    last = ASKED + len(person.answers) + 2
    while len(told) < last and not (told and told[-1].report):

        async def turn() -> tuple[Job, Report | None]:
            order = Order(brief=brief, user="ada", session=brief, agent=AGENT, notify=place.notify)
            job, _ = await service.start(order, confirm=True)
            answer, said = person.turn(brief)
            if job.state is State.AWAITING_APPROVAL:
                if answer in ("yes", "late yes"):
                    person.yeses += bool(said.marks)  # counted before the process can die
                    with suppress(NotConfirmed):
                        yes = await confirmation.yes_to(service.ledger, said, job.id, Action.START, job.version)
                        await service.approve(job.id, yes=yes)
                elif answer == "no":
                    await service.cancel(job.id)
                job = await service.job(job.id)
            if job.state is State.AWAITING_APPROVAL:
                marks = await confirmation.record_shown(
                    service.ledger, said, [said.question(job.id, Action.START, job.version)]
                )
                person.marks = frozenset(marks[AWAITS_INPUT_KEY])
            async for line in service.watch(job.id):
                show(line)
            return await service.job(job.id), await service.report(job.id)

        try:
            job, report = await place.while_time_passes(turn())
        except MISTAKES:
            raise
        except Exception as error:  # the agent shows it unchanged
            told.append(TurnResult(f"raised {type(error).__name__}", None, str(error)))
        else:
            reason = (
                job.error
                or just_found(place, job)
                or ("it waits for a yes" if job.state is State.AWAITING_APPROVAL else "")
            )
            if job.state is State.CANCELLED:
                reason = reason or "the person said no"
            told.append(TurnResult(str(job.state), plain(report) if report else None, reason))
            if job.state is State.CANCELLED and not person.answers:
                break
    return told


LinesAndResults = tuple[list[str], list[TurnResult]]
"""Lines of progress, and the result of each turn."""


async def real_process(place: Place, brief: str, kill: Kill) -> LinesAndResults:
    output = await run_process(process_main, place, brief, kill)
    return [*output.lines], [*output.told]


_tasks: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("tasks of a process", default=None)


def note_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **how: Any
) -> asyncio.Task[Any]:
    """A task factory that records the tasks of each process, without the ledger's: a database completes statements."""
    task = asyncio.Task(work, loop=loop, **how)
    tasks = _tasks.get()
    if tasks is not None and not getattr(work, "__qualname__", "").startswith(("Ledger.", "Outbox.")):
        tasks.add(task)
    return task


async def simulated_process(
    place: Place, brief: str, kill: Kill, person: Person | None = None, receiver: notice_receiver.Receiver | None = None
) -> LinesAndResults:
    """A process inside this one: a service that asks until it has a report or is killed."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(note_task)
    tasks: set[asyncio.Task[Any]] = set()
    own = copy_context()
    own.run(_tasks.set, tasks)
    lines: list[str] = []
    dead = False

    def die() -> None:
        nonlocal dead
        dead = True
        for task in tasks:
            task.cancel()

    class Fatal(KillSwitch):
        """Prevents writes after the kill."""

        def _kill_at(self, side: str, number: int) -> None:
            super()._kill_at(side, number)
            if dead:
                raise asyncio.CancelledError

    ledger = MortalLedger(place.ledger, Fatal(kill.side, kill.number, die))
    service = place.service(ledger)
    alarm = loop.call_later(kill.number / 1000, die) if kill.side == "time" else None
    sending = loop.create_task(receiver.keep_sending(ledger), context=own) if receiver else None
    told: list[TurnResult] = []
    with suppress(asyncio.CancelledError):
        asking = (
            ask_person(place, service, brief, lines.append, person)
            if person
            else ask_until_report(place, service, brief, lines.append)
        )
        told = await loop.create_task(asking, context=own)
    if alarm:
        alarm.cancel()
    if sending:
        sending.cancel()
    if dead:
        await asyncio.gather(*tasks, return_exceptions=True)
        await ledger.close()
    else:
        await service.close()
    return lines, told


def main(
    runs: Annotated[int, typer.Option(help="Number of runs.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the runs; random if left out.")] = 0,
    run: Annotated[int, typer.Option(help="Play only the run with this number.")] = 0,
) -> None:
    """Plays random runs. Exit status 1 if one is lost, doubled, garbled, unwanted or ends silently."""
    logging.disable(logging.CRITICAL)
    seed = seed or random.randrange(1, 10**6)
    print(f"seed {seed}", flush=True)
    if run:
        drawn = draw(seed, run)
        (outcome,) = play_here([drawn], play_run)
        print(drawn, outcome, sep="\n")
        raise typer.Exit(outcome.bad)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    drawn_runs = [draw(seed, number) for number in range(1, runs + 1)]
    with ProcessPoolExecutor(
        mp_context=get_context("spawn"), initializer=logging.disable, initargs=(logging.CRITICAL,)
    ) as processors:
        for first in range(0, runs, BATCH):
            outcomes += play_everywhere(drawn_runs[first : first + BATCH], play_run, processors)
            bad = sum(outcome.bad for outcome in outcomes)
            print(f"{len(outcomes)} of {runs} runs, {bad} bad, {time.monotonic() - began:.0f} s", flush=True)
    sum_up(drawn_runs, outcomes)
    for drawn, outcome in zip(drawn_runs, outcomes, strict=True):
        if outcome.bad:
            print(f"--seed {seed} --run {drawn.number}: {drawn}\n  {outcome}", file=sys.stderr)
    raise typer.Exit(any(outcome.bad for outcome in outcomes))


def sum_up(runs: Sequence[Run], outcomes: Sequence[Outcome]) -> None:
    states = Counter(outcome.state for outcome in outcomes)
    print(", ".join(f"{number} {state}" for state, number in states.most_common()))
    kinds: dict[str, Callable[[Run], object]] = {
        "killed really": lambda run: run.real and run.kills,
        "killed": lambda run: not run.real and run.kills,
        "not killed": lambda run: not run.kills,
        "webhook on": lambda run: run.mishaps is not None,
        "notices on": lambda run: run.notices,
        "both on": lambda run: run.mishaps is not None and run.notices,
    }
    for kind, fits in kinds.items():
        of_kind = [outcome for run, outcome in zip(runs, outcomes, strict=True) if fits(run)]
        failures = {name: sum(getattr(o, name) for o in of_kind) for name in FAILURES}
        print(f"{kind:14}{len(of_kind):6} runs", *(f"{number:4} {name}" for name, number in failures.items()))


if __name__ == "__main__":
    typer.run(main)
