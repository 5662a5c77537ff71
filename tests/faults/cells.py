"""The fault matrix as data: what can go wrong at the start, in the stream, at the end, and with the process.

The matrix contains every value of each dimension. It combines starts with streams, streams with endings, and kills with
streams, but leaves out combinations in which one cannot influence the other:

* A start that is never answered has no stream, so it is combined with one stream of each kind.
* Once a run is started, it does not matter how, and a cut influences the ending only shortly before it: so not every
  place of a cut is combined with each start and ending.
* A start is over before there is an ending, so these two are not combined.
* A run that is never shown has neither a stream nor an ending that anybody could see.
* A run whose start is lost has a webhook in some cells; what follows then is a re-attached stream.
* A kill looks like a cut to the server, so it is combined with an undisturbed and a cut stream.

`every_cell` leaves out only the first of these. `tests.faults.chaos` plays random mixtures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interactions_emulator.brain.protocol import Ending, TimedStep, Turn
from interactions_emulator.engine.events import step_events
from interactions_emulator.faults.named import NAMED
from tests.scripts import REPORT as REPORT
from tests.scripts import research_brain
from tools.research.job_states import State

Fault = dict[str, Any]
"""A fault of the emulator, see `interactions_emulator.faults.fault`."""

LINES = (
    "Planning: What moves the sea?",
    "searching: tides moon",
    "Writing: Two sources agree.",
    "writing",
)
"""What a person may see of the scripted research, in this order, each at most once."""
WAITS = (60, 240, 300, 600, 0)
"""Virtual seconds before each step. One step comes at exactly 600 s, when the real service cuts its streams."""


def brain(turn: Turn) -> Iterator[TimedStep | Ending]:
    """The scripted research. It ends with the status that its brief ends with."""
    for wait, beat in zip(WAITS, research_brain(turn), strict=True):
        yield TimedStep(wait, beat.step)
    status = turn.steps[-1]["content"][-1]["text"].split()[-1]
    if status == "in_progress":
        yield TimedStep(math.inf, {"type": "thought"})
    if status != "completed":
        error = {"code": "internal_error", "message": "The agent could not finish."}
        yield Ending(status, (error,) if status == "failed" else ())


def _events() -> list[int]:
    """The number of events of a stream after each step."""
    turn = Turn(target="", is_agent=True, steps=(), fresh=0)
    counts, total = [], 2
    for beat in research_brain(turn):
        total += len(step_events(beat.step, 0))
        counts.append(total)
    return counts


AT_600_SECONDS = _events()[2]
EVENTS = _events()[-1] + 1
"""The number of events of an undisturbed stream, including `interaction.completed`."""
SOME = (1, AT_600_SECONDS - 1, EVENTS - 3)
"""Places for faults that are not tried at every event: early, in the middle of a step, and in the report."""

REFUSED = "connection refused"
NEVER_SHOWN = "accepted, then 404 for ever"


@dataclass(frozen=True)
class Start:
    """What happens to the create request, and what the client can know afterwards."""

    faults: Sequence[Fault] = ()
    unknown: bool = False
    """Whether the client cannot know if a run was started."""
    active: bool = True
    """Whether the request started a run."""


CREATES: Mapping[str, Start] = {
    "200": Start(),
    "429": Start([{"on": "create", "status": 429, "retry_after_ms": 1}], active=False),
    "503, nothing created": Start([{"on": "create", "status": 503}], unknown=True, active=False),
    "503, yet created": Start([{"on": "create", "status": 503, "after_accept": True}], unknown=True),
    "reset before headers, nothing created": Start([{"on": "create", "drop": True}], unknown=True, active=False),
    "reset before headers, yet created": Start([{"on": "create", "after_accept": True}], unknown=True),
    "reset after headers": Start([{"on": "create_stream", "cut_after": 0}], unknown=True),
    NEVER_SHOWN: Start(NAMED["accepted_then_404"].faults),
    REFUSED: Start(active=False),  # done by the client's address, since a listening server cannot refuse
}
OUTCOME_UNKNOWN = frozenset(name for name, start in CREATES.items() if start.unknown)
"""After these starts the client cannot know whether a run was started."""
LOST = tuple(name for name, start in CREATES.items() if start.unknown and start.active)
"""After these starts a run is active, and the client does not know it."""


@dataclass(frozen=True)
class Stream:
    """What happens to the streams of a research."""

    kind: str
    after: int = 0
    """Number of events before the fault."""

    @property
    def faults(self) -> list[Fault]:
        match self.kind:
            case "complete":
                return []
            case "array at 600 s":
                return [{"on": "create_stream", "array_after": self.after}]
            case "re-attach hangs":
                return [
                    {"on": "create_stream", "cut_after": self.after},
                    {"on": "resume", "silence_after": 2, "times": 0},
                ]
        return [{"on": "create_stream", EFFECTS[self.kind]: self.after}]


EFFECTS = {
    "cut": "cut_after",
    "cut inside an event": "cut_inside",
    "clean early end": "end_after",
    "silence": "silence_after",
    "garbage": "garbage_after",
    "unknown event": "unknown_after",
    "repeated event": "repeat_after",
    "swapped events": "swap_after",
}
HARMLESS = ("garbage", "unknown event", "repeated event", "swapped events")
"""Faults after which a stream continues."""
STREAMS = (
    Stream("complete"),
    *(Stream("cut", after) for after in range(1, EVENTS + 1)),
    *(Stream("cut inside an event", after) for after in range(1, EVENTS)),
    *(Stream("clean early end", after) for after in range(1, EVENTS + 1)),
    *(Stream("silence", after) for after in SOME),
    *(Stream(kind, after) for kind in HARMLESS for after in SOME),
    Stream("array at 600 s", AT_600_SECONDS),
    *(Stream("re-attach hangs", after) for after in SOME),
)
ONE_OF_EACH_KIND = tuple({stream.kind: stream for stream in STREAMS}.values())
SOME_OF_EACH_KIND = tuple(s for s in STREAMS if s.kind not in EFFECTS or s.after in SOME or s.after >= EVENTS - 2)
"""All streams, except most of the cuts that come long before the end."""

STATUSES: Mapping[str, frozenset[State]] = {
    "completed": frozenset({State.COMPLETED}),
    "failed": frozenset({State.FAILED}),
    "cancelled": frozenset({State.CANCELLED}),
    "incomplete": frozenset({State.INCOMPLETE}),
    "budget_exceeded": frozenset({State.INCOMPLETE}),
    "requires_action": frozenset({State.INCOMPLETE}),
    "requires_continuation": frozenset({State.INCOMPLETE}),
    "queued": frozenset({State.STALLED}),
    "in_progress": frozenset({State.STALLED}),
    "dreaming": frozenset({State.STALLED}),
}
"""The nine statuses of the API and an unknown one, each with the states that its job may end in."""
STILL_RUNS = frozenset(status for status, states in STATUSES.items() if State.STALLED in states)
ANNOUNCED = ("completed", "failed", "requires_action")
"""The final statuses that the API tells webhooks of."""
WITH_REPORT = frozenset({"completed", "incomplete", "budget_exceeded", "requires_action", "requires_continuation"})
"""Final statuses of runs that have a report."""


@dataclass(frozen=True)
class Cell:
    """One research run, and the faults that happen to it."""

    create: str = "200"
    stream: Stream = STREAMS[0]
    status: str = "completed"
    webhook: bool = False
    """Whether the run has a webhook, whose message arrives before the person asks again."""

    @property
    def group(self) -> str:
        """The row of the table."""
        if self.webhook:
            return f"start lost, webhook on: {self.create}"
        if self.create != "200":
            return f"start: {self.create}"
        if self.status != "completed":
            return f"end: {self.status}"
        return f"stream: {self.stream.kind}"

    @property
    def expected(self) -> frozenset[State]:
        if self.create == NEVER_SHOWN:
            return frozenset({State.EXPIRED})
        found = self.webhook and self.create in LOST and self.status in ANNOUNCED
        unknown = self.create in OUTCOME_UNKNOWN and not found
        return frozenset({State.START_UNKNOWN}) if unknown else STATUSES[self.status]


def every_cell() -> list[Cell]:
    """Every start with every stream that it can have and with every ending."""
    return [
        *(
            Cell(create, stream, status)
            for create in CREATES
            for stream in (ONE_OF_EACH_KIND if create in OUTCOME_UNKNOWN | {NEVER_SHOWN} else STREAMS)
            for status in STATUSES
        ),
        *(Cell(create, status=status, webhook=True) for create in OUTCOME_UNKNOWN for status in STATUSES),
    ]


def cells() -> list[Cell]:
    """The matrix without the kills."""
    starts = [
        Cell(create, stream)
        for create in CREATES
        if create not in ("200", NEVER_SHOWN)
        for stream in (ONE_OF_EACH_KIND if create in OUTCOME_UNKNOWN else SOME_OF_EACH_KIND)
    ]
    streams = [Cell(stream=stream) for stream in STREAMS]
    ends = [
        Cell(stream=stream, status=status)
        for status in STATUSES
        if status != "completed"
        for stream in (ONE_OF_EACH_KIND if status in STILL_RUNS else SOME_OF_EACH_KIND)
    ]
    never_shown = [Cell(NEVER_SHOWN, status=status) for status in ("completed", "failed", "in_progress")]
    webhooks = [
        *(Cell(create, status=status, webhook=True) for create in LOST for status in ANNOUNCED),
        *(Cell(create, Stream("re-attach hangs", EVENTS - 3), webhook=True) for create in LOST),
        *(Cell(create, webhook=True) for create in sorted(OUTCOME_UNKNOWN - {*LOST})),
    ]
    return [*starts, *never_shown, *webhooks, *streams, *ends]
