"""What a finished run of a schedule says has changed, in the ledger and in its notice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.notices.conftest import SECRET, Receiver, receiver
from tests.schedules.conftest import AGENT, DECEMBER, LIMITS, MONDAYS
from tests.scripts import said
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.job import Job, Kind
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.notices.delivery import deliver_due
from tools.research.notices.targets import Target
from tools.research.notices.timeouts import MAX_DESCRIPTION_WAIT_S
from tools.research.order import Order
from tools.research.schedules.report_changes import MAX_DESCRIPTION_CHARS, MAX_TEXT_CHARS
from tools.research.service import Research

__all__ = ["receiver"]
MODEL = "gemini-3.8-flash"
WORDS = "The tides have become higher."
SUN = "The sun causes the rest of the tides, with less force than the moon does."
COUNTS = {"changed": 1, "new": 1, "gone": 0, "new_sources": 0, "gone_sources": 0}


@dataclass
class Script:
    """The reports that are written one after another, and a model's words."""

    reports: list[str] = field(default_factory=list)
    words: str = WORDS
    asked: list[str] = field(default_factory=list)
    """Questions to the model."""

    def __call__(self, turn: Turn) -> Iterator[TimedStep]:
        if not turn.is_agent:
            self.asked.append(turn.steps[-1]["content"][-1]["text"])
            yield TimedStep(0, said(self.words))
            return
        yield TimedStep(0, said(f"# Tides\n\n{self.reports.pop(0)}\n"))


@dataclass
class Place:
    """A service with a clock that the test sets, and an emulator."""

    api: Emulator
    script: Script
    service: Research
    clock: list[float]
    receiver: Receiver

    async def begin(self, max_usd: float = 30) -> None:
        order = Order("Tides?", "ada", "s1", AGENT, notify=("hook",))
        await self.service.schedules.add(order, MONDAYS, max_usd, LIMITS)

    async def run(self, due: float) -> Job:
        """Plays the run that is due to its end."""
        self.clock[0] = due
        [job_id] = await self.service.schedules.start_due(LIMITS)
        async for _ in self.service.watch(job_id):
            pass
        job = await self.service.job(job_id)
        assert job.state is State.COMPLETED
        return job

    async def notice(self, contents: bool = False, after: float = 0) -> dict[str, Any] | None:
        """Sends what is due, and returns the newest notice, if there is a new one."""
        before = len(self.receiver.webhooks)
        target = Target(url=self.receiver.url, secret=SECRET, private=True, contents=contents)
        await deliver_due(self.service.ledger, lambda: {"hook": target}, lambda: self.clock[0] + after)
        return self.receiver.webhooks[-1][1] if len(self.receiver.webhooks) > before else None


@pytest.fixture
async def place(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Place]:
    script, clock = Script(), [DECEMBER[0] - 86_400]
    with Emulator(brain=script) as api:
        transport = Transport(gemini_endpoint(api.url, "k"))
        service = Research(
            Ledger(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"),
            InteractionsClient(lambda: transport),
            clock=lambda: clock[0],
            describer=lambda: (MODEL, LIMITS),
        )
        yield Place(api, script, service, clock, receiver)
        await service.close()
        await transport.aclose()


def tides(metres: float) -> str:
    return f"The tides at Brest were {metres} metres high in this week of the year."


@pytest.mark.parametrize("contents", [False, True])
async def test_the_notice_of_a_scheduled_run_has_counts_and_with_contents_also_words(
    place: Place, contents: bool
) -> None:
    place.script.reports = [tides(6.5), f"{tides(7.5)} {SUN}"]
    await place.begin()
    first = await place.run(DECEMBER[0])
    noticed = await place.notice(contents)
    assert noticed and "changes" not in noticed["data"]
    second = await place.run(DECEMBER[1])
    noticed = await place.notice(contents)
    assert noticed and noticed["type"] == "research.completed"
    changes, shown = noticed["data"]["changes"], str(noticed)
    assert changes["earlier"] == first.id
    assert {name: changes[name] for name in COUNTS} == COUNTS
    assert noticed["data"]["schedule"] == second.order.schedule
    assert (WORDS in shown, "7.5 metres" in shown, SUN in shown) == (contents,) * 3
    assert "6.5 metres" in place.script.asked[0] and SUN in place.script.asked[0]
    assert second.changes and second.changes.words == WORDS
    questions = [e for e in await place.service.ledger.spending() if e.kind is Kind.QUESTION]
    assert [(entry.estimate, entry.schedule) for entry in questions] == [(0.1, second.order.schedule)]


async def test_without_a_model_the_computed_list_stays_and_the_notice_goes(place: Place) -> None:
    place.script.reports = [tides(6.5), tides(7.5)]
    await place.begin()
    await place.run(DECEMBER[0])
    await place.notice()
    place.api.faults({"on": "create", "skip": 1, "times": 9, "status": 403})
    job = await place.run(DECEMBER[1])
    assert job.changes and job.changes.words == "" and "now: The tides at Brest were 7.5" in job.changes.text
    noticed = await place.notice(contents=True)
    assert noticed and "7.5 metres" in noticed["data"]["changes"]["text"]


async def test_no_model_is_asked_if_nothing_has_changed_or_the_ceiling_leaves_nothing_over(place: Place) -> None:
    place.script.reports = [tides(6.5), tides(6.5), tides(7.5)]
    await place.begin(max_usd=12)
    await place.run(DECEMBER[0])
    same = await place.run(DECEMBER[1])
    assert same.changes and same.changes.text.startswith("Nothing has changed")
    await place.run(DECEMBER[2])
    assert place.script.asked == []


async def test_a_notice_waits_for_the_words_of_a_process_that_died_for_a_minute_only(place: Place) -> None:
    place.script.reports = [tides(6.5), tides(7.5)]
    await place.begin()
    await place.run(DECEMBER[0])
    await place.notice()

    async def died(*arguments: Any) -> None:
        raise RuntimeError

    place.service.schedules.describe_changes = died  # type: ignore[method-assign]
    job = await place.run(DECEMBER[1])
    assert job.changes and job.changes.changed == 1
    assert await place.notice() is None
    noticed = await place.notice(after=MAX_DESCRIPTION_WAIT_S)
    assert noticed and noticed["data"]["changes"]["changed"] == 1


async def test_what_is_stored_is_bounded_and_forgotten_with_the_run(place: Place) -> None:
    facts = [f"Fact number {n} is about the {n * 37} harbours of the sea in the north." for n in range(200)]
    place.script.reports = [tides(6.5), "\n\n".join(facts)]
    place.script.words = "word " * 2_000
    await place.begin()
    await place.run(DECEMBER[0])
    job = await place.run(DECEMBER[1])
    assert job.changes and job.changes.new == 200
    assert len(job.changes.text) <= MAX_TEXT_CHARS
    assert len(job.changes.words) <= MAX_DESCRIPTION_CHARS
    [told] = job.changes.interactions
    assert told in {i["id"] for i in place.api.interactions()}
    await place.service.forget(job.id)
    assert told not in {i["id"] for i in place.api.interactions()}


async def test_words_about_a_run_that_was_deleted_meanwhile_are_deleted_too(place: Place) -> None:
    place.script.reports = [tides(6.5), tides(7.5)]
    await place.begin()
    await place.run(DECEMBER[0])
    place.service.schedules.describe_changes, describe = _nothing, place.service.schedules.describe_changes  # type: ignore[method-assign]
    job = await place.run(DECEMBER[1])
    await place.service.forget(job.id)
    left = len(place.api.interactions())
    await describe(job, MODEL, LIMITS)
    assert len(place.script.asked) == 1
    assert len(place.api.interactions()) == left


async def _nothing(*arguments: Any) -> None:
    pass


async def test_a_deleted_run_is_skipped_and_a_run_that_a_person_repeats_is_not_compared(place: Place) -> None:
    place.script.reports = [tides(6.5), tides(7.5), tides(8.5), tides(9.5)]
    await place.begin()
    first, second = await place.run(DECEMBER[0]), await place.run(DECEMBER[1])
    again = await place.service.start_again(second)
    async for _ in place.service.watch(again.id):
        pass
    again = await place.service.job(again.id)
    assert (again.order.schedule, again.order.due, again.changes) == ("", None, None)
    await place.service.forget(second.id)
    third = await place.run(DECEMBER[2])
    assert third.changes and third.changes.earlier == first.id


async def test_reports_in_other_languages_say_so(place: Place) -> None:
    german = "Die Gezeiten an der Küste werden vom Mond und von der Sonne verursacht, und sie kommen zweimal am Tag."
    english = "The tides at the coast are caused by the moon and by the sun, and they come two times in each day."
    place.script.reports = [f"{german} {german}", f"{english} {english}"]
    await place.begin()
    await place.run(DECEMBER[0])
    job = await place.run(DECEMBER[1])
    assert job.changes and job.changes.text.startswith("The reports are in different languages")
