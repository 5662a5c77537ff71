"""Models and agents on one chain: questions continue research, and research continues answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.conftest import Desk
from tests.research.test_promises import ORDER, lines_while_time_passes
from tests.scripts import research_brain, said
from tools.research.follow_up import ask_model
from tools.research.job import Job
from tools.research.job_errors import NotFinished, UnknownJob
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.report.reading import read_report
from tools.research.service import Research
from tools.researcher.run_texts import started

MODEL = "gemini-3.8-flash"
DEEPER = replace(ORDER, brief="Dig deeper into the moon")
SUMMARY, SHORTER = "Summarise it for my board", "Shorter, please"


class Brain:
    """Researches and plans as an agent, gives numbered answers as a model, and records all requests."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def __call__(self, turn: Turn) -> Iterator[TimedStep]:
        self.turns.append(turn)
        if turn.is_agent and turn.agent_config.get("collaborative_planning"):
            yield TimedStep(60, said("1. Look at the moon."))
        elif turn.is_agent:
            yield from research_brain(turn)
        else:
            yield TimedStep(0, said(f"Answer {sum(not t.is_agent for t in self.turns)}."))


@pytest.fixture
def brain() -> Brain:
    return Brain()


def asked(turn: Turn) -> list[str]:
    """The texts of a request's input, without the chain before it."""
    return [part["text"] for step in turn.steps[-turn.fresh :] for part in step["content"]]


def chain(desk: Desk) -> list[tuple[str, int | None]]:
    """Each interaction at the server, oldest first: its kind, and the index of the interaction that it continues."""
    known = desk.api.interactions()
    places: dict[str | None, int] = {line["id"]: place for place, line in enumerate(known)}
    kinds = ["agent" if line["target"].startswith("deep-research") else "model" for line in known]
    return [(kind, places.get(line["previous_interaction_id"])) for kind, line in zip(kinds, known, strict=True)]


async def run(desk: Desk, service: Research, order: Order) -> Job:
    job, _ = await service.start(order)
    await lines_while_time_passes(desk, service, job)
    return await service.job(job.id)


async def ask(service: Research, job: Job, question: str) -> str:
    return await service.follow_ups.ask_once(job.id, question, MODEL)


async def deeper(desk: Desk, service: Research, job: Job, order: Order = DEEPER) -> Job:
    return await run(desk, service, await service.with_base(job.id, order))


async def test_research_questions_and_further_research_form_one_chain(desk: Desk, brain: Brain) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    assert await ask(service, job, SUMMARY) == "Answer 1."
    assert await ask(service, job, SHORTER) == "Answer 2."
    second = await deeper(desk, service, job)
    assert chain(desk) == [("agent", None), ("model", 0), ("model", 1), ("agent", 2)]
    known = str(brain.turns[-1].steps)
    assert all(text in known for text in (ORDER.brief, "The moon moves the sea", SUMMARY, "Answer 2.", DEEPER.brief))
    assert (second.state, second.order.base, second.id != job.id) == (State.COMPLETED, job.id, True)
    assert f"building on `{job.id}`" in started(second)


async def test_a_chain_of_questions_continues_in_another_process(desk: Desk, brain: Brain) -> None:
    first = desk.service()
    job = await run(desk, first, ORDER)
    await ask(first, job, SUMMARY)
    await first.close()
    second = desk.service()
    await ask(second, job, SHORTER)
    await second.close()
    await deeper(desk, desk.service(), job)
    assert chain(desk) == [("agent", None), ("model", 0), ("model", 1), ("agent", 2)]


async def test_a_run_continues_directly_from_a_base_without_questions(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    await deeper(desk, service, job)
    assert chain(desk) == [("agent", None), ("agent", 0)]


async def test_a_plan_continues_from_the_base_and_the_research_from_the_plan(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    planned = replace(DEEPER, options={**DEEPER.options, "collaborative_planning": True})
    second = await deeper(desk, service, job, planned)
    assert second.state is State.AWAITING_APPROVAL
    await service.approve(second.id)
    await lines_while_time_passes(desk, service, second)
    assert (await service.job(second.id)).state is State.COMPLETED
    assert chain(desk) == [("agent", None), ("agent", 0), ("agent", 1)]


async def test_report_and_earlier_answers_are_sent_again_when_the_chain_has_expired(desk: Desk, brain: Brain) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    await ask(service, job, SUMMARY)
    await desk.pass_time(56 * 86_400)
    assert await ask(service, job, SHORTER) == "Answer 2."
    [text] = asked(brain.turns[-1])
    assert all(known in text for known in ("The moon moves the sea", SUMMARY, "Answer 1.", SHORTER))
    await ask(service, job, "In German")  # continues the new interaction
    assert len(brain.turns[-1].steps) == 3


async def test_an_expired_base_is_replaced_by_its_saved_report_and_the_user_is_told(desk: Desk, brain: Brain) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    await ask(service, job, SUMMARY)
    await desk.pass_time(56 * 86_400)
    creates = desk.creates
    picture = {"type": "image", "mime_type": "image/png", "data": "iVBORw0KGgo="}
    second, _ = await service.start(await service.with_base(job.id, replace(DEEPER, inputs=(picture,))))
    shown = await lines_while_time_passes(desk, service, second)
    assert shown[0] == f"the server has forgotten {job.id}: starting from its saved report"
    assert ((await service.job(second.id)).state, desk.creates) == (State.COMPLETED, creates + 1)
    [known, brief, image] = brain.turns[-1].steps[0]["content"]
    assert all(text in known["text"] for text in ("The moon moves the sea", "https://example.org/moon", "Answer 1."))
    assert (brief["text"], image["type"]) == (DEEPER.brief, "image")


async def test_a_run_whose_base_was_deleted_fails_with_the_reason_and_starts_nothing(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    order = await service.with_base(job.id, DEEPER)
    await service.forget(job.id)
    creates = desk.creates
    second = await run(desk, service, order)
    assert (second.state, desk.creates) == (State.FAILED, creates)
    assert f"{job.id}, which it builds on, is forgotten here and at the server" in second.error


async def test_the_same_brief_on_the_same_base_is_one_paid_run(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    second = await deeper(desk, service, job)
    await ask(service, job, SUMMARY)  # which moves the end of the chain
    again, new = await desk.service().start(
        await service.with_base(job.id, replace(DEEPER, brief="dig  DEEPER into the moon"))
    )
    assert (again.id, new, desk.creates) == (second.id, False, 3)
    other, new = await service.start(DEEPER)  # the same brief without a base is another job
    assert (new, other.order.base) == (True, "")
    third, new = await service.start(await service.with_base(second.id, DEEPER))
    assert (new, third.order.base) == (True, second.id)


async def test_a_create_with_a_base_is_not_sent_again_when_its_outcome_is_unknown(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    desk.api.faults({"on": "create", "after_accept": True, "status": 503})
    second = await deeper(desk, service, job)
    assert (second.state, desk.creates) == (State.START_UNKNOWN, 2)


async def test_a_run_can_build_only_on_a_job_with_a_report(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER)
    with pytest.raises(NotFinished, match="no report that could be built on"):
        await service.with_base(job.id, DEEPER)
    with pytest.raises(UnknownJob, match="job_nothere1"):
        await service.with_base("job_nothere1", DEEPER)


async def test_forgetting_a_job_deletes_and_lists_all_of_its_answers(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    await ask(service, job, SUMMARY)
    await ask(service, job, SHORTER)
    made = {line["id"] for line in desk.api.interactions()}
    receipt = await desk.service().forget(job.id)
    assert {f"interaction {id_}: deleted at the server" for id_ in made} | {receipt[-1]} == set(receipt)
    assert (len(made), desk.api.interactions()) == (3, [])


async def test_concurrent_questions_are_all_stored(desk: Desk) -> None:
    services = [desk.service() for _ in range(3)]
    job = await run(desk, services[0], ORDER)
    await asyncio.gather(*(service.follow_ups.ask_once(job.id, f"{n}?", MODEL) for n, service in enumerate(services)))
    job = await services[0].job(job.id)
    assert {answer.question for answer in job.follow_ups} == {"0?", "1?", "2?"}
    assert set(job.interactions) == {line["id"] for line in desk.api.interactions()}


async def test_the_answer_to_a_cancelled_question_is_stored_and_deleted_with_its_job(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    asking = asyncio.create_task(service.follow_ups.ask_once(job.id, SUMMARY, MODEL))
    while len(desk.api.interactions()) < 2:  # the run, and the answer that is on its way
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await service.close()
    later = desk.service()
    assert len((await later.job(job.id)).follow_ups) == 1
    await later.forget(job.id)
    assert desk.api.interactions() == []


async def test_an_answer_about_a_job_deleted_meanwhile_is_deleted_at_the_server(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    await service.ledger.delete(job.id)
    resource = await service._client.get(job.interaction_id or "")
    answer = await ask_model(service.ledger, service._client, job, read_report(resource), SUMMARY, MODEL)
    assert answer == "Answer 1."
    assert [line["id"] for line in desk.api.interactions()] == [job.interaction_id]


async def test_the_chain_does_not_continue_from_an_answer_without_text(desk: Desk, brain: Brain) -> None:
    service = desk.service()
    job = await run(desk, service, ORDER)
    await ask(service, job, SUMMARY)
    job = await service.job(job.id)
    silent = replace(job.follow_ups[0], text="", interaction_id="v1_silent")
    assert replace(job, follow_ups=(*job.follow_ups, silent)).latest_interaction_id == job.follow_ups[0].interaction_id
    assert replace(job, follow_ups=(silent,)).latest_interaction_id == job.interaction_id
