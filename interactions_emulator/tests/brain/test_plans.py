"""Plans: what is asked to be changed is changed, and the research keeps to it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from brain.conftest import said
from interactions_emulator.brain.protocol import Brain, Step, Turn

BRIEF = "Research tidal power: barrages, tidal stream turbines, costs and environmental impact"


def run(brain: Brain, steps: list[Step], **config: Any) -> str:
    turn = Turn("deep-research", True, tuple(steps), 1, agent_config={"type": "deep-research", **config})
    text: str = next(b.step for b in brain(turn) if b.step["type"] == "model_output")["content"][0]["text"]
    return text


def planned(brain: Brain, *messages: str) -> list[Step]:
    """The conversation in which each message was answered by a plan."""
    steps: list[Step] = []
    for message in messages:
        steps.append(said(message))
        plan = run(brain, steps, collaborative_planning=True)
        steps.append({"type": "model_output", "content": [{"type": "text", "text": plan}]})
    return steps


def searched(steps: list[Step]) -> list[str]:
    return re.findall(r"Search the local documents for “(.+)”", steps[-1]["content"][0]["text"])


USUAL = ["tidal power", "barrages", "tidal stream turbines", "costs", "environmental impact"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("Leave out costs", [one for one in USUAL if one != "costs"]),
        ("Looks good, but drop step 4", [one for one in USUAL if one != "costs"]),
        ("Please add a section on wading birds", [*USUAL, "wading birds"]),
        ("also look at batteries and pumped storage", [*USUAL, "batteries", "pumped storage"]),
        ("focus on environmental impact", ["environmental impact"]),
        ("only cover costs, and leave out the rest", ["costs"]),
        ("pumped storage too", [*USUAL, "pumped storage too"]),
        ("as a table, in at most 100 words", USUAL),
        ("and leave out the small web shop", USUAL),
        ("make it shorter", USUAL),
        ("Make the report much shorter", USUAL),
        ("skip the part about costs", [one for one in USUAL if one != "costs"]),
        ("Put batteries first", [*USUAL, "batteries"]),
        ("actually make it about costs only", ["costs"]),
    ],
)
def test_the_next_plan_contains_the_requested_changes(brain: Brain, change: str, expected: list[str]) -> None:
    assert searched(planned(brain, BRIEF, change)) == expected


def test_plan_changes_accumulate_and_the_last_one_wins(brain: Brain) -> None:
    steps = planned(brain, BRIEF, "leave out costs", "add batteries", "add costs again")
    assert searched(steps) == [*[one for one in USUAL if one != "costs"], "batteries", "costs again"]


def test_the_research_follows_the_approved_plan(brain: Brain) -> None:
    steps = planned(brain, BRIEF, "leave out costs", "add a section on batteries")
    report = run(brain, [*steps, said("Yes, go ahead")])
    assert "cost" not in report.casefold()
    assert "## Batteries" in report and "Batteries smooth the output" in report


def test_an_approval_may_include_a_last_change(brain: Brain) -> None:
    report = run(brain, [*planned(brain, BRIEF), said("Go ahead, but leave out costs and write at most 120 words")])
    assert "cost" not in report.casefold() and len(report.split()) <= 120


def test_a_new_brief_after_a_plan_starts_a_new_plan(brain: Brain) -> None:
    steps = planned(brain, BRIEF, "Research how honey bees dance for their sisters and how many flowers a bee visits")
    assert "bees dance" in " ".join(searched(steps)) and "barrages" not in searched(steps)


def test_the_topic_of_a_brief_is_not_the_verb_that_orders_it(brain: Brain) -> None:
    assert searched(planned(brain, "Explain tides and barrages. Compare both.")) == ["tides", "barrages"]
    assert searched(planned(brain, "Nice, and then compile a report on tides")) == ["tides"]
    assert searched(planned(brain, "I'd love a study about long-term storage")) == ["long-term storage"]


def test_a_brief_may_exclude_topics(brain: Brain) -> None:
    report = run(brain, [said("Research tidal barrages and turbines, but leave out costs.")])
    assert "cost" not in report.casefold() and "barrage" in report


def test_a_report_of_one_finding_says_that_there_is_no_more(brain: Brain) -> None:
    report = run(brain, [said("Research honey bees.")])
    assert report.count("[1]") and "[2]" not in report, report
    assert "Nothing more was found on the topic." in report


def test_only_aspects_without_any_finding_are_listed_as_missing(brain: Brain) -> None:
    report = run(brain, [said("Research tidal power: tidal stream turbines, costs, environmental impact, zeppelins")])
    missing = report.partition("## What the documents do not say")[2]
    assert "zeppelins" in missing and "costs" not in missing and "environmental" not in missing


def test_every_aspect_of_a_long_brief_is_searched_for(brain: Brain) -> None:
    text = "Research tidal power: barrages, turbines, costs, seals, gravity, Scotland, batteries"
    turn = Turn("deep-research", True, (said(text),), 1)
    queries = [b.step["arguments"]["queries"][0] for b in brain(turn) if b.step["type"] == "google_search_call"]
    for aspect in ("seals", "gravity", "Scotland", "batteries"):
        assert any(aspect in query for query in queries), queries
