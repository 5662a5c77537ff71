"""Over MCP nothing is bought by accident: a price needs the yes of a person, once, to what was shown."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import mcp_types as types
import pytest

from tests.mcp_server.conftest import BRIEF, ERAS, YES, Desk, call, error, text
from tools.mcp_server import tools
from tools.research.job_states import State
from tools.research.order import OUTSIDE_CONVERSATIONS

AGREE = {"start": True}
NO_YES = {
    "cancelled": types.ElicitResult(action="cancel"),
    "declined with a yes in it": types.ElicitResult(action="decline", content=AGREE),
    "accepted without a yes": types.ElicitResult(action="accept", content={"start": False}),
    "accepted with a text": types.ElicitResult(action="accept", content={"start": "true"}),
}


@pytest.mark.parametrize("mode", ERAS)
async def test_an_accepted_question_starts_one_run_however_often_the_brief_is_ordered(desk: Desk, mode: str) -> None:
    async with desk.client(YES, mode=mode) as client:
        first = await call(client, "start", brief=BRIEF)
        assert first["state"] != "awaiting_approval"
        await call(client, "status", job=first["job"], wait_seconds=45)
        for brief in (BRIEF, f"  {BRIEF.upper()} "):
            again = await call(client, "start", brief=brief, title="Another title")
            assert (again["job"], again["state"]) == (first["job"], "completed")
    assert (desk.runs, len(desk.asked)) == (1, 1)
    assert BRIEF in desk.asked[0]
    assert "up to $3?" in desk.asked[0]


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("answer", NO_YES.values(), ids=NO_YES)
async def test_anything_but_an_accepted_yes_buys_nothing_and_leaves_the_quote(
    desk: Desk, mode: str, answer: types.ElicitResult
) -> None:
    async with desk.client(answer, mode=mode) as client:
        refused = await call(client, "start", brief=BRIEF)
        assert "nothing was started" in refused["next"]
        assert (await error(client, "approve", job=refused["job"], max_usd=1)).startswith("`max_usd` is 1")
        await call(client, "approve", job=refused["job"], max_usd=3)
        assert (await desk.service.job(refused["job"])).state is State.AWAITING_APPROVAL
    async with desk.client() as client:  # naming the price is no way around the person's answer
        assert "has not been shown" in await error(client, "approve", job=refused["job"], max_usd=3)
    assert (desk.runs, len(desk.asked)) == (0, 2)
    async with desk.client(YES, mode=mode) as client:
        await call(client, "approve", job=refused["job"], max_usd=3)
        assert (await call(client, "status", job=refused["job"], wait_seconds=45))["state"] == "completed"
    assert desk.runs == 1


async def test_a_person_who_does_not_answer_in_time_has_bought_nothing(desk: Desk) -> None:
    async with desk.client(lambda: asyncio.Event().wait(), elicitation_timeout_s=0.01) as client:
        waits = await call(client, "start", brief=BRIEF)
    assert (waits["state"], waits["answer"], desk.runs) == ("awaiting_approval", "none", 0)


async def test_a_client_that_gives_up_and_asks_again_buys_once(desk: Desk) -> None:
    """The client cancels its request while the person is asked, then twice while it waits for the run."""
    desk.api.set_speed(0)
    reached = asyncio.Event()

    async def think() -> types.ElicitResult:
        reached.set()
        return await asyncio.Event().wait() if len(desk.asked) == 1 else YES  # type: ignore[return-value]

    async def progress(*_: object) -> None:
        reached.set()

    async def give_up(tool: str, **arguments: Any) -> None:
        reached.clear()
        request = asyncio.create_task(client.call_tool(f"research_{tool}", arguments, progress_callback=progress))
        await reached.wait()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)

    async with desk.client(think) as client:
        await give_up("start", brief=BRIEF)
        assert desk.runs == 0
        job = (await call(client, "start", brief=BRIEF))["job"]
        while not desk.runs:  # the run is sent in the background
            await asyncio.sleep(0.01)
        desk.api.advance(70)
        for _ in range(2):
            await give_up("status", job=job, wait_seconds=45)
            assert (await call(client, "start", brief=BRIEF))["job"] == job
        desk.api.set_speed(math.inf)
        assert (await call(client, "status", job=job, wait_seconds=45))["state"] == "completed"
        assert "The moon moves the sea." in await text(client, "report", job=job, part="page")
    assert desk.runs == 1


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_that_cannot_ask_gets_the_question_and_has_to_name_its_price(desk: Desk, mode: str) -> None:
    async with desk.client(mode=mode) as client:
        quote = await call(client, "start", brief=BRIEF)
        job = quote["job"]
        assert "Price: about $1 to $3" in quote["show_to_person"]
        assert "Show `show_to_person` to the person" in quote["next"]
        assert await error(client, "approve", job=job) == "`max_usd` is missing"
        for wrong in (0, 2.99, 3.01, 7, 1000):
            assert "nothing was started" in await error(client, "approve", job=job, max_usd=wrong)
        assert desk.runs == 0
        await call(client, "approve", job=job, max_usd=quote["price_usd_at_most"])
        assert (await call(client, "approve", job=job, max_usd=3))["state"] != "awaiting_approval"
        await call(client, "status", job=job, wait_seconds=45)
        assert (await call(client, "approve", job=job, max_usd=3))["state"] == "completed"
    assert desk.runs == 1


async def test_a_run_is_being_sent_when_its_yes_is_answered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a client that leaves then has bought nothing until another process starts the run."""
    monkeypatch.setattr(tools, "SEND_WAIT_S", 60)
    async with desk.client() as client:
        job = (await call(client, "start", brief=BRIEF))["job"]
        assert (await call(client, "approve", job=job, max_usd=3))["state"] != State.INTENDED


async def test_two_approvals_at_once_start_one_run(desk: Desk) -> None:
    async with desk.client() as client, desk.client(mode="2026-07-28") as other:
        job = (await call(client, "start", brief=BRIEF))["job"]
        approvals = [each.call_tool("research_approve", {"job": job, "max_usd": 3}) for each in (client, other)]
        await asyncio.gather(*approvals)
        await call(client, "status", job=job, wait_seconds=45)
    assert desk.runs == 1


async def test_a_yes_does_not_count_for_a_brief_that_has_changed_since(desk: Desk) -> None:
    async with desk.client() as client:
        job = (await call(client, "start", brief=BRIEF))["job"]
        await desk.service.rewrite(job, "Something else")
        assert "not been shown in its present version" in await error(client, "approve", job=job, max_usd=3)
        assert "Something else" in (await call(client, "status", job=job, wait_seconds=0))["show_to_person"]
        await call(client, "approve", job=job, max_usd=3)


@pytest.mark.parametrize("mode", ERAS)
async def test_a_yes_does_not_count_if_the_brief_changes_while_the_person_reads(desk: Desk, mode: str) -> None:
    async def change() -> types.ElicitResult:
        if len(desk.asked) == 1:
            (job,) = await desk.service.jobs("ada")
            await desk.service.rewrite(job.id, "Something else")
            return YES
        return types.ElicitResult(action="decline")

    async with desk.client(change, mode=mode) as client:
        if mode == "legacy":
            assert "changed since it was shown" in await error(client, "start", brief=BRIEF)
        else:  # the call is repeated with the answer, and the brief is asked about anew
            assert (await call(client, "start", brief=BRIEF))["answer"] == "no"
    assert desk.runs == 0


async def test_a_price_that_nobody_has_seen_cannot_be_approved(desk: Desk) -> None:
    from tools.research.settings import load_research_settings
    from tools.settings import load_settings

    order = load_research_settings(load_settings().config).order(BRIEF, user="ada", session=OUTSIDE_CONVERSATIONS)
    job, _ = await desk.service.start(order, confirm=True)
    async with desk.client() as client:
        assert "has not been shown" in await error(client, "approve", job=job.id, max_usd=3)
        assert (await call(client, "start", brief=BRIEF))["job"] == job.id  # the brief of the command line
    assert desk.runs == 0


@pytest.mark.parametrize("mode", ERAS)
async def test_a_plan_and_its_run_need_a_yes_each(desk: Desk, mode: str) -> None:
    async with desk.client(mode=mode) as client:
        quote = await call(client, "start", brief=BRIEF, plan_first=True)
        job = quote["job"]
        assert quote["price_usd_at_most"] == 1
        await call(client, "approve", job=job, max_usd=1)
        plan = await call(client, "status", job=job, wait_seconds=45)
        assert "1. Look at the sea." in plan["show_to_person"]
        assert "nothing was started" in await error(client, "approve", job=job, max_usd=1)
        assert "nothing was started" in await error(client, "revise", job=job, changes="Add the moon.", max_usd=3)
        assert desk.runs == 1
        await call(client, "revise", job=job, changes="Add the moon.", max_usd=1)
        assert (await call(client, "status", job=job, wait_seconds=45))["price_usd_at_most"] == 3
        assert desk.runs == 2
    async with desk.client(YES, mode=mode) as client:
        await call(client, "approve", job=job, max_usd=3)
        assert (await call(client, "status", job=job, wait_seconds=45))["state"] == "completed"
    assert ("1. Look at the sea." in desk.asked[-1], desk.runs) == (True, 3)


async def test_a_failed_or_repeated_brief_is_bought_again_only_after_another_yes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_ASK_ABOVE_USD", "3")  # a standard run needs no question
    async with desk.client() as client:
        job = (await call(client, "start", brief=BRIEF))["job"]
        await call(client, "status", job=job, wait_seconds=45)
        again = await call(client, "start", brief=BRIEF, again=True)
        assert (again["job"] != job, again["price_usd_at_most"], desk.runs) == (True, 3, 1)
        assert (await call(client, "start", brief=BRIEF, again=True))["job"] == again["job"]
        assert (await call(client, "cancel", job=again["job"]))["state"] == "cancelled"
        assert (await call(client, "start", brief=f"{BRIEF} 2", depth="max"))["price_usd_at_most"] == 7
    assert desk.runs == 1


async def test_quotas_hold_and_the_quote_waits_for_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.api.set_speed(0)
    async with desk.client(YES) as client:
        jobs = [(await call(client, "start", brief=f"{BRIEF} {number}"))["job"] for number in range(3)]
        assert "3 research runs are under way already (limit 3)" in await error(client, "start", brief=BRIEF)
        await call(client, "cancel", job=jobs[0])
        assert (await call(client, "start", brief=BRIEF))["state"] != "awaiting_approval"
