"""What each tool of the researcher does, and how it explains a refusal."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types

from tests.researcher.conftest import Call, Desk
from tests.talk import refusals, words
from tools.app import build_app
from tools.research.database_errors import LedgerError
from tools.research.job import Kind
from tools.research.job_states import State
from tools.research.order import MAX_BRIEF_CHARS
from tools.research.spending import EMULATOR, Spending
from tools.researcher.agent import Researcher
from tools.researcher.model_instruction import spent_by


def results(desk: Desk) -> list[dict[str, Any]]:
    """The tool results in the last request to the researcher's model, newest first."""
    steps = desk.script.asked[-1].steps
    return [step["result"] for step in reversed(steps) if step["type"] == "function_result"]


async def order(desk: Desk, **arguments: Any) -> str:
    return await desk.say("research", [("start_research", {"title": "Tides", "brief": "Tides", **arguments})])


async def test_an_order_and_its_approval_take_two_model_calls_each(desk: Desk) -> None:
    job = await desk.quote()
    models = [i for i in desk.api.interactions() if i["target"].startswith("gemini")]
    assert len(models) == 2
    await desk.say("yes", [("approve", {"job_id": job.id})])
    models = [i for i in desk.api.interactions() if i["target"].startswith("gemini")]
    assert len(models) == 4


async def test_progress_is_streamed_and_then_the_report_is_shown_verbatim(desk: Desk) -> None:
    job = await desk.quote()
    desk.script.replies[:] = [[("approve", {"job_id": job.id})]]
    events = [event async for event in desk.talk.events("yes")]
    partial = [words(event) for event in events if event.partial]
    assert any("Planning" in line for line in partial)
    assert "The moon moves the sea. Größere Fluten kommen bei Neumond" in words(events[-1])
    assert events[-1].author == "researcher" and events[-1].is_final_response()


async def test_the_system_instruction_lists_the_runs_and_what_waits_for_a_yes(desk: Desk) -> None:
    await desk.say("hello", "Hello.")
    assert "No research run in this conversation yet." in desk.script.asked[-1].system_instruction
    job = await desk.quote()
    await desk.say("hm", "Well.")
    assert f"- {job.id} | waits for a yes: price | Tides" in desk.script.asked[-1].system_instruction
    await desk.say(f"yes {job.id}", [("approve", {"job_id": job.id})])
    await desk.say("hm", "Well.")
    assert f"- {job.id} | completed | Tides" in desk.script.asked[-1].system_instruction


async def test_the_api_refuses_no_request_after_tools_questions_and_reports(desk: Desk) -> None:
    job = await desk.report()
    await desk.say("list", [("list_research", {}), ("show_research", {"job_id": job.id})])
    await desk.say("nonsense", [("show_research", {"job_id": "job_22222222"}), ("list_research", {})])
    await desk.say("hello", "Hello.")
    await desk.say("ask", [("ask_report", {"job_id": job.id, "question": "When?"})])
    assert refusals(desk.api) == []


async def test_the_system_instruction_says_what_the_user_has_spent(desk: Desk) -> None:
    await desk.say("hello", "Hello.")
    assert "Spent so far: nothing in 30 days." in desk.script.asked[-1].system_instruction
    await desk.report()
    await desk.say("what have I spent?", "Nothing.")
    unpaid = "Spent so far: nothing in 30 days. Nothing is paid on the emulator; its runs would have cost up to $3.00."
    assert unpaid in desk.script.asked[-1].system_instruction


def test_what_was_spent_is_summed_by_day_and_month_without_the_emulator() -> None:
    now = 100 * 86_400.0
    entries = [
        Spending(now - days * 86_400, "ann", "job_1", Kind.RUN, "deep-research", usd, server=server)
        for days, usd, server in ((0.5, 3, "gemini"), (2, 7, "gemini"), (60, 1, ""), (0.1, 50, EMULATOR))
    ]
    said = "Spent so far: at most $3.00 in 24 hours and $10.00 in 30 days."
    assert spent_by(entries, now).startswith(said)


async def test_the_question_before_a_deletion_says_how_the_run_stands(desk: Desk) -> None:
    job = await desk.quote()
    await desk.say("no", [("cancel_research", {"job_id": job.id})])
    asked = await desk.say("delete it", [("delete_research", {"job_id": job.id})])
    assert "“Tides”, cancelled), here" in asked


async def test_a_chain_that_the_server_deleted_is_rebuilt_from_the_session(desk: Desk) -> None:
    job = await desk.quote()
    for interaction in desk.api.interactions():
        await desk.delete(interaction["id"])
    report = await desk.say("yes", [("approve", {"job_id": job.id})])
    assert "The moon moves the sea" in report and desk.creates == 1


async def test_an_unknown_job_id_is_refused_and_named(desk: Desk) -> None:
    calls: list[Call] = [
        ("approve", {}),
        ("revise", {"wishes": "shorter"}),
        ("show_research", {}),
        ("ask_report", {"question": "When?"}),
        ("cancel_research", {}),
        ("repeat_research", {}),
        ("delete_research", {}),
    ]
    for name, arguments in calls:
        for job_id in ("job_22222222", "the one about Cats", "'; DROP TABLE research_jobs; --"):
            await desk.say("do it", [(name, {"job_id": job_id, **arguments})], "I know no such run.")
            assert repr(job_id) in results(desk)[0]["error"], name
    assert (await desk.jobs(), desk.creates) == ([], 0)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"brief": "  "}, "`brief` is empty"),
        ({"brief": "x" * 20_001}, "20,001 characters"),
        ({"depth": "bottomless"}, "bottomless"),
        ({"builds_on": "job_22222222"}, "'job_22222222'"),
        ({"title": 7, "brief": ["a"]}, ""),
    ],
)
async def test_invalid_arguments_return_an_error_that_a_model_can_explain_and_store_nothing(
    desk: Desk, arguments: dict[str, Any], problem: str
) -> None:
    call: Call = ("start_research", {"title": "Tides", "brief": "Tides", **arguments})
    answer = await desk.say("research", [call], "That did not work.")
    assert "That did not work." in answer
    assert problem in str(results(desk)[0]["error"])
    assert (await desk.jobs(), desk.creates) == ([], 0)


async def test_a_model_that_keeps_repeating_a_refused_call_is_stopped(desk: Desk) -> None:
    wrong: list[Call] = [("show_research", {"job_id": "job_22222222"})]
    answer = await desk.say("show it", *[wrong] * 20)
    assert "I could not do that: the user has no research run 'job_22222222'" in answer
    assert len(desk.script.asked) == 5


async def test_parallel_tool_calls_are_all_executed_and_refusals_are_shown(desk: Desk) -> None:
    answer = await desk.say(
        "research tides, and show the old one",
        [("start_research", {"title": "Tides", "brief": "Tides"}), ("show_research", {"job_id": "job_22222222"})],
    )
    assert "$1 to $3" in answer and "Not everything could be done: the user has no research run" in answer


async def test_the_same_brief_again_shows_the_existing_run(desk: Desk) -> None:
    job = await desk.report("Tides")
    again = await order(desk)
    assert "The moon moves the sea" in again
    assert ([found.id for found in await desk.jobs()], desk.creates) == ([job.id], 1)


async def test_a_paraphrased_order_starts_nothing_without_another_yes(desk: Desk) -> None:
    await desk.report("Tides")
    await order(desk, brief="The tides, please")
    assert desk.creates == 1


async def test_a_repeated_run_waits_for_its_own_yes(desk: Desk) -> None:
    job = await desk.report()
    asked = await desk.say("start again", [("repeat_research", {"job_id": job.id})])
    new = (await desk.jobs())[0]
    assert new.id in asked and "$1 to $3" in asked and desk.creates == 1
    await desk.say("yes", [("approve", {"job_id": new.id})])
    assert desk.creates == 2


async def test_a_brief_can_be_rewritten_before_it_is_sent(desk: Desk) -> None:
    job = await desk.quote()
    missing: Call = ("revise", {"job_id": job.id, "wishes": "only the Baltic"})
    brief: Call = ("revise", {"job_id": job.id, "wishes": "only the Baltic", "brief": "Tides of the Baltic Sea"})
    asked = await desk.say("only the Baltic", [missing], [brief])
    assert "Tides of the Baltic Sea" in asked
    await desk.say("yes", [("approve", {"job_id": job.id})])
    (run,) = [i for i in desk.api.interactions() if i["target"].startswith("deep-research")]
    assert "Tides of the Baltic Sea" in str(desk.api.log(bodies=True)["requests"])
    assert run["status"] == "completed"


async def test_only_a_run_that_waits_for_a_yes_can_be_revised(desk: Desk) -> None:
    job = await desk.report()
    await desk.say("shorter", [("revise", {"job_id": job.id, "wishes": "shorter"})], "It cannot be changed.")
    assert "only what waits for a yes can be changed" in results(desk)[0]["error"]


async def test_a_plan_is_shown_first_when_it_is_requested(desk: Desk) -> None:
    job = await desk.quote(plan_first=True)
    plan = await desk.say("yes", [("approve", {"job_id": job.id})])
    assert "look at the sea" in plan and "**yes**" in plan and desk.creates == 1
    report = await desk.say("looks good, go", [("approve", {"job_id": job.id})])
    assert "The moon moves the sea" in report and desk.creates == 2


async def test_a_plan_can_be_requested_while_the_price_waits_for_a_yes(desk: Desk) -> None:
    job = await desk.quote()
    asked = await desk.say(
        "a plan first", [("start_research", {"title": "T", "brief": job.order.brief, "plan_first": True})]
    )
    assert "First comes a plan" in asked and [found.id for found in await desk.jobs()] == [job.id]
    assert "look at the sea" in await desk.say("yes", [("approve", {"job_id": job.id})])


async def test_an_answer_names_its_report_and_starts_no_run(desk: Desk) -> None:
    job = await desk.report()
    for _ in range(2):  # the same question gets the same answer
        answer = await desk.say("when?", [("ask_report", {"job_id": job.id, "question": "When is the flood?"})])
        assert f"About the report `{job.id}` (“Tides”):" in answer and "The moon moves the sea" in answer
    kinds = [entry.kind for entry in await desk.service.ledger.spending()]
    assert (kinds, desk.creates) == (["run", "question"], 1)


async def test_the_quote_names_the_report_that_a_run_builds_on(desk: Desk) -> None:
    base = await desk.report()
    asked = await order(desk, brief="The tides of the moon itself", builds_on=base.id)
    assert f"Builds on: `{base.id}` (“Tides”)" in asked
    job = (await desk.jobs())[0]
    assert (job.order.base, job.order.previous) == (base.id, base.latest_interaction_id)


async def test_files_of_the_message_are_sent_with_the_order_and_listed_in_the_quote(desk: Desk) -> None:
    file = types.Part.from_bytes(data=b"Neap tides.", mime_type="text/plain")
    sound = types.Part.from_bytes(data=b"...", mime_type="audio/mp3")
    call: Call = ("start_research", {"title": "Tides", "brief": "Tides", "with_files": True})
    asked = await desk.say("research with this", [call], files=(file, sound))
    assert "Files that go along: 1 (text/plain)" in asked and "audio/mp3" in asked
    (listed,) = await desk.jobs()
    assert listed.order.inputs == ()  # a list has no files: each may have megabytes
    job = await desk.service.job(listed.id)
    assert [content["mime_type"] for content in job.order.inputs] == ["text/plain"]


async def test_files_of_the_message_are_left_out_unless_with_files_is_set(desk: Desk) -> None:
    file = types.Part.from_bytes(data=b"Neap tides.", mime_type="text/plain")
    await desk.say("research", [("start_research", {"title": "T", "brief": "T"})], files=(file,))
    (job,) = await desk.jobs()
    assert job.order.inputs == ()


async def test_show_research_without_an_id_shows_the_newest_run_of_the_conversation(desk: Desk) -> None:
    empty = await desk.say("status", [("show_research", {})])
    assert "no research" in empty
    job = await desk.report()
    assert "The moon moves the sea" in await desk.say("my research again, please", [("show_research", {})])
    listed = await desk.another().say("list", [("list_research", {})])
    assert job.id in listed
    assert f"To see one, say its name, such as “show {job.id}”." in listed


async def test_in_a_new_conversation_the_only_run_is_shown_and_can_then_be_asked_about(desk: Desk) -> None:
    job, later = await desk.report(), desk.another()
    assert "The moon moves the sea" in await later.say("how far is my research?", [("show_research", {})])
    await later.say("hm", "Well.")
    assert f"- {job.id} | completed | Tides" in desk.script.asked[-1].system_instruction


async def test_of_several_runs_the_list_is_shown_and_only_what_was_named_can_then_be_asked_about(desk: Desk) -> None:
    job, other, later = await desk.report(), await desk.report("Currents"), desk.another()
    listed = await later.say("how far is my research?", [("show_research", {})])
    assert job.id in listed and other.id in listed
    await later.say(f"show {job.id}", [("show_research", {"job_id": job.id})])
    await later.say("hm", "Well.")
    instruction = desk.script.asked[-1].system_instruction
    assert f"- {job.id} | completed" in instruction and other.id not in instruction


async def test_limits_are_checked_at_the_order_and_again_at_the_yes(desk: Desk) -> None:
    researcher = build_app().root_agent.find_agent("researcher")
    assert isinstance(researcher, Researcher)
    first, second = await desk.quote("Tides"), await desk.quote("The sun")
    agent = desk.talk.runner.app.root_agent.find_agent("researcher")
    agent.limits = agent.limits.model_copy(update={"per_day": 1})
    await desk.say(f"yes, {first.id}", [("approve", {"job_id": first.id})])
    await desk.say(f"yes, {second.id}", [("approve", {"job_id": second.id})], "Not today.")
    assert "limit 1" in results(desk)[0]["error"]
    assert ((await desk.service.job(second.id)).state, desk.creates) == (State.AWAITING_APPROVAL, 1)
    await order(desk, brief="The moon")
    assert len(await desk.jobs()) == 2


async def test_private_mode_refuses_orders(desk: Desk) -> None:
    agent = desk.talk.runner.app.root_agent.find_agent("researcher")
    agent.store = False
    await desk.say("research", [("start_research", {"title": "T", "brief": "T"})], "Not here.")
    assert "`store: false`" in results(desk)[0]["error"]
    assert await desk.jobs() == []


async def test_a_yes_to_a_plan_that_the_server_deleted_fails_with_the_reason(desk: Desk) -> None:
    job = await desk.quote(plan_first=True)
    await desk.say("yes", [("approve", {"job_id": job.id})])
    waiting = await desk.service.job(job.id)
    assert waiting.plan
    await desk.delete(waiting.plan.interaction_id)
    answer = await desk.say("yes", [("approve", {"job_id": job.id})])
    assert "the server has forgotten the plan" in answer
    assert (await desk.service.job(job.id)).state is State.FAILED


async def test_report_text_never_reaches_the_model_of_the_researcher(desk: Desk) -> None:
    await desk.report()
    second = await desk.quote("The sun")
    obeying: list[Call] = [("approve", {"job_id": second.id})]
    desk.script.root[:] = [("forget_conversation", {})]
    await desk.say("hello")
    await desk.say("summarise it", obeying, "It waits for your yes.")
    assert desk.creates == 1
    assert all("moves the sea" not in str(turn.steps) for turn in desk.script.asked)


async def test_a_german_answer_is_followed_by_the_open_question(desk: Desk) -> None:
    job = await desk.quote("Wärmepumpen im Altbau")
    answer = await desk.say("was kostet das?", "Etwa 1 bis 3 Dollar.")
    assert answer.startswith("Etwa 1 bis 3 Dollar.") and job.id in answer


async def test_an_unavailable_ledger_is_reported_and_nothing_is_ordered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await desk.quote()
    with monkeypatch.context() as patch:
        patch.setattr("tools.research.database.Database.read", _broken)
        answer = await desk.say("yes", [("approve", {"job_id": job.id})], "It does not answer.")
    assert "It does not answer." in answer
    assert "the database does not answer now" in results(desk)[0]["error"]
    assert desk.creates == 0
    assert "The research runs of this conversation are not known" in desk.script.asked[-1].system_instruction


async def test_a_ledger_that_cannot_be_opened_is_not_named_in_a_conversation(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await desk.quote()
    with monkeypatch.context() as patch:
        patch.setattr("tools.research.database.Database.read", _unopened)
        answer = await desk.say("yes", [("approve", {"job_id": job.id})], "It cannot be used.")
    told = f"{answer} {results(desk)[0]['error']} {desk.script.asked[-1].system_instruction}"
    assert told.count("the database cannot be used now") == 2
    assert "10.0.0.1" not in told


async def _unopened(*_: object) -> None:
    raise LedgerError("the ledger postgresql+asyncpg://desk:***@10.0.0.1/desk cannot be opened")


async def _broken(*_: object) -> None:
    raise OSError("no space left on device")


async def test_a_rewritten_brief_has_the_same_length_limit_and_may_change_the_title(desk: Desk) -> None:
    job = await desk.quote()
    changes = {"job_id": job.id, "wishes": "cars"}
    await desk.say("cars", [("revise", {**changes, "brief": "x" * (MAX_BRIEF_CHARS + 1)})], "That is too long.")
    assert (await desk.service.job(job.id)).order.brief == job.order.brief
    said = await desk.say("cars", [("revise", {**changes, "brief": "Cars of the North", "title": "Cars"})])
    assert "**Cars**" in said
    assert (await desk.service.job(job.id)).order.title == "Cars"
