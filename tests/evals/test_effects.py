"""What a turn did is known from the tools of the researcher, as they really answer."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.adk.evaluation.evaluation_generator import EvaluationGenerator

from evals import effects
from evals.effects import RESEARCHER_TOOLS, Expectation, tool_effects
from evals.invocation_facts import Facts, facts_of
from interactions_emulator import Emulator
from tests.evals.turns import did, ordered, refused, turn, wants
from tests.researcher.conftest import Call, Script
from tests.talk import Talk
from tools.app import build_app
from tools.research.factory import close, research
from tools.research.job import new_job
from tools.research.order import Order
from tools.research.quotas import LimitReached, Quotas, quota_check
from tools.research.settings import load_research_settings
from tools.research.spending import Used
from tools.researcher import tools
from tools.settings import load_settings

ORDER: Call = ("start_research", {"title": "Tides", "brief": "Tides of the North Sea"})


class Conversation:
    """One with a researcher whose model does what the test says."""

    def __init__(self, script: Script) -> None:
        self.script, self.talk = script, Talk(build_app())

    async def say(self, text: str, *calls: Call | str) -> Facts:
        """What is known of the turn with this message, in which the researcher's model replies so."""
        self.script.replies[:] = [call if isinstance(call, str) else [call] for call in calls]
        await self.talk.say(text)
        events = (await self.talk.session()).events
        return facts_of(EvaluationGenerator.convert_events_to_eval_invocations(events)[-1])

    async def id(self) -> str:
        """Of the newest run."""
        return (await research().jobs("ada"))[0].id


@pytest.fixture
async def conversation(use: Any, asks: None) -> AsyncIterator[Conversation]:
    script = Script()
    with Emulator(brain=script, speed=math.inf) as api:
        use(api)
        yield Conversation(script)
        await close()


async def test_a_yes_after_which_one_of_several_questions_is_asked_again_has_approved_nothing(
    conversation: Conversation,
) -> None:
    await conversation.say("research the tides", ORDER)
    schedule = {"title": "Wind", "brief": "Wind", "every": "monday", "max_usd_per_month": 9.0}
    await conversation.say("the wind every Monday", ("schedule_research", schedule))
    [proposed] = await research().schedules.of_user("ada")
    for subject in (await conversation.id(), proposed.id):
        await conversation.say("list", ("list_research", {}))
        assert (await conversation.say("yes", ("approve", {"job_id": subject}))).effects == ("status",)


async def test_effects_are_recognised_from_the_quote_to_the_deletion_of_a_run(conversation: Conversation) -> None:
    quote = await conversation.say("research the tides", ORDER)
    assert (quote.effects, quote.brief, quote.about) == (("quote",), "Tides of the North Sea", "Tides")
    assert quote.research and not quote.creates
    named = {"job_id": await conversation.id()}
    changed = await conversation.say(
        "of the Baltic", ("revise", {**named, "wishes": "Baltic", "brief": "Baltic tides"})
    )
    assert (changed.effects, changed.brief, changed.creates) == (("revise",), "Baltic tides", 0)
    approved = await conversation.say("yes", ("approve", named))
    assert (approved.effects, approved.creates, approved.yeses) == (("approve",), 1, 1)
    assert not approved.research
    assert (await conversation.say("again?", ("approve", named))).effects == ("report",)  # nothing waited any more
    assert (await conversation.say("show it", ("show_research", {}))).effects == ("report",)
    asked = await conversation.say("why?", ("ask_report", {**named, "question": "Why?"}))
    assert (asked.effects, asked.about) == (("answer",), "Tides")
    assert (await conversation.say("all", ("list_research", {}))).effects == ("list",)
    assert (await conversation.say("once more", ("repeat_research", named))).effects == ("repeat",)
    assert (await conversation.say("no", ("cancel_research", {"job_id": await conversation.id()}))).effects == (
        "cancel",
    )
    assert (await conversation.say("delete it", ("delete_research", named))).effects == ("delete_question",)
    deleted = await conversation.say("yes", ("approve", named | {"deletes": True}))
    assert (deleted.effects, deleted.creates) == (("approve",), 0)
    assert (await conversation.say("hello", "Hello.")).effects == ("none",)


async def test_an_order_that_needs_no_yes_has_the_effect_start(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_ASK_ABOVE_USD", "3")
    started = await conversation.say("research the tides", ORDER)
    assert (started.effects, started.creates, started.yeses) == (("start",), 1, 0)
    again = await conversation.say("research the tides", ORDER)
    assert (again.effects, again.research, again.creates) == (("report",), False, 0)


async def test_a_plan_its_change_and_its_run_each_count_one_create(conversation: Conversation) -> None:
    first = await conversation.say("with a plan", ("start_research", {**ORDER[1], "plan_first": True}))
    assert (first.effects, first.creates) == (("plan",), 0)
    named = {"job_id": await conversation.id()}
    assert (await conversation.say("yes", ("approve", named))).creates == 1
    revise = ("revise", {**named, "wishes": "shorter"})
    await conversation.say("thanks", "You are welcome.")
    shown = await conversation.say("shorter", revise)
    assert (shown.effects, shown.creates) == (("status",), 0)  # the plan was not shown just before
    changed = await conversation.say("shorter", revise)
    assert (changed.effects, changed.brief, changed.creates, changed.yeses) == (("revise",), "shorter", 1, 1)
    assert (await conversation.say("yes", ("approve", named))).creates == 1


async def test_a_refused_approval_has_no_effect(conversation: Conversation) -> None:
    unknown = await conversation.say("yes", ("approve", {"job_id": "job_nothere1"}), "There is no such run.")
    assert (unknown.effects, unknown.tool_effects) == (("none",), ())
    await conversation.say("research the tides", ORDER)
    named = {"job_id": await conversation.id()}
    conversation.script.root[:] = [("forget_conversation", {})]
    assert (await conversation.say("forget all")).effects == ("forget_question",)
    late = await conversation.say("yes", ("approve", named), "Do you want it started?")
    assert (late.effects, late.creates) == (("none",), 0)


def test_an_order_refused_by_the_limits_still_counts_as_an_order() -> None:
    job = new_job(Order(user="ada", session="s1", brief="Bees", agent="deep-research-preview-04-2026"), now=0)
    texts = list[str]()
    for limits, used in (
        (Quotas(usd_per_day=0.01), Used(0, 0, 0.0)),
        (Quotas(at_once=1), Used(1, 1, 3.0)),
        (Quotas(per_day=1), Used(0, 1, 3.0)),
    ):
        with pytest.raises(LimitReached) as reached:
            quota_check(limits, job)(used)
        texts.append(str(reached.value))
    for text in texts:
        facts = facts_of(turn("I could not.", refused("start_research", text, brief="Bees")))
        assert facts.research and not facts.creates, text
    assert not facts_of(turn("Which topic?", refused("start_research", "`brief` is empty", brief=""))).research


def test_the_text_for_an_earlier_order_matches_what_the_tool_returns() -> None:
    assert tools._ORDERED_BEFORE.startswith(effects._EARLIER_RUN)


def test_an_order_for_an_existing_run_has_the_effect_status() -> None:
    for state in ("starting", "running"):
        assert facts_of(turn("", did("start_research", state, brief="Bees"))).effects == ("status",)
    old = ("start_research", {"brief": "Bees"}, {"state": "intended", "next": "it was ordered before: repeat it"})
    assert facts_of(turn("", old)).effects == ("status",)
    assert facts_of(turn("", did("repeat_research", "running"))).effects == ("status",)


def test_forgetting_a_conversation_has_two_separate_effects() -> None:
    assert facts_of(turn("", ("forget_conversation", {}, {"asked": "…"}))).effects == ("forget_question",)
    assert facts_of(turn("", ("confirm_forgetting", {}, {"confirmed": True}))).effects == ("forget",)
    assert facts_of(turn("", refused("confirm_forgetting", "nobody asked"))).effects == ("none",)


def test_a_schedule_is_proposed_and_approved_and_allows_no_create_by_itself() -> None:
    proposed = ("schedule_research", {"title": "Bees", "brief": "News of bees"}, {"schedule": "sched_1"})
    found = facts_of(turn("", proposed))
    assert found.effects == ("schedule_question",) and not found.creates
    found = facts_of(turn("", ("approve", {"job_id": "sched_1"}, {"schedule": "sched_1"})))
    assert found.effects == ("approve",) and not found.creates
    assert facts_of(turn("", refused("schedule_research", "`munday` is no day"))).effects == ("none",)


def test_a_call_without_a_known_result_has_no_effect() -> None:
    assert facts_of(turn("", ("approve", {"job_id": "job_1"}))).effects == ("none",)
    assert tool_effects([("get_weather", {}, {"temperature": 12})]) == ()


def test_wanted_effects_survive_serialization() -> None:
    wanted = Expectation(("quote", "none"), ("bees",), ("that",), ("gardens",), setup=True)
    assert Expectation.from_arguments(wanted.to_arguments()) == wanted
    found = facts_of(turn("", wants("quote", "none", brief_has=("bees",))))
    assert found.expectation == Expectation(("quote", "none"), ("bees",)) and found.tools == () and found.research
    assert facts_of(turn("", ordered())).expectation is None


def test_the_known_researcher_tools_match_its_yaml_file() -> None:
    root = load_settings().config.with_name("researcher.yaml").read_text(encoding="utf-8")
    assert {
        line.rpartition(".")[2].strip() for line in root.splitlines() if "- name: tools.researcher" in line
    } == RESEARCHER_TOOLS
    assert load_research_settings(load_settings().config).ask_above_usd == 0
