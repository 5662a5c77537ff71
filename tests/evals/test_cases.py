"""The sets are what their YAML says, and say what an evaluation of the desk has to."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from google.adk.evaluation.eval_case import EvalCase

from evals.build_sets import AGENT, CASES, HERE, build, main
from evals.case_conditions import Conditions
from evals.case_files import CaseError, Category, Turn, agent_names, read_cases
from evals.effects import Effect, Expectation
from evals.invocation_facts import facts_of
from evals.public_datasets import OFFENSIVE_SET, read_public
from evals.set_selection import load_sets
from tests.conftest import ROOT
from tools.yaml_files.reading import read_yaml

SAMPLES = ROOT.parent / "shared" / "eval-data"
FROM_THE_FIELD = ROOT.parent / "shared" / "cases" / "conversation.yaml"
"""What people really said; the sets have the kinds of it in words of their own."""


def test_the_generated_sets_match_their_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_check_names_an_outdated_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("evals.build_sets.HERE", tmp_path)
    assert main(["--check"]) == 1
    assert "routing.evalset.json" in capsys.readouterr().out


def test_the_sets_cover_every_route_and_verdict_category() -> None:
    sets = load_sets(HERE)
    cases = [case for each in sets.values() for case in each.eval_cases]
    turns = [facts_of(turn) for case in cases for turn in case.conversation or ()]
    assert len(cases) >= 150
    assert set(sets) == {
        *("routing", "tools", "moderation", "memory"),
        *("research", "conversation", "running", "refusals"),
    }
    assert {route for turn in turns for route in turn.routes} == agent_names()
    assert {c for turn in turns for c, _ in turn.verdicts} == set(Category.__args__)  # type: ignore[attr-defined]
    assert [turn for turn in turns if turn.research and "researcher" not in turn.routes] == []


def test_conversation_cases_cover_six_languages_and_every_effect() -> None:
    files = [read_cases(CASES / f"{name}.yaml") for name in ("conversation", "running")]
    cases = [(file, case) for file in files for case in file.cases]
    assert len(cases) >= 37 + 80
    languages = {context.rpartition("-")[2] for file in files for context in file.contexts if "-" in context}
    assert languages == {"de", "fr", "es", "it", "pt"}  # and English, which is not named
    for language in languages:
        assert sum(case.context.endswith(f"-{language}") for _, case in cases) >= 10
    effects = {effect for _, case in cases for turn in case.turns for effect in turn.effects}
    assert effects == {*get_args(Effect)} - {"start"}  # nothing starts there without a yes
    turns = [turn for _, case in cases for turn in case.turns]
    assert sum(bool(turn.brief_has or turn.brief_lacks) for turn in turns) >= 30
    assert sum(turn.effects == ("approve",) for turn in turns) >= 25
    assert sum(turn.effects == ("none",) for turn in turns) >= 40


@pytest.mark.skipif(not FROM_THE_FIELD.is_file(), reason="what people said is not here")
def test_no_case_repeats_a_real_user_message_verbatim() -> None:
    said = {
        " ".join(case[key].casefold().split())
        for case in read_yaml(FROM_THE_FIELD).data
        for key in case
        if key in ("say", "before")
    }
    ours = {
        " ".join(turn.user.casefold().split()).strip(" .!")
        for name in ("conversation", "running")
        for case in read_cases(CASES / f"{name}.yaml").cases
        for turn in case.turns
    }
    assert {each.strip(" .!") for each in said} & ours <= {"thanks"}


def test_a_context_precedes_the_turns_of_a_case_and_is_not_scored(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "about: a\nask_above_usd: 3\nunfinished: true\n"
        "contexts: {quote: [{user: Research bees., effect: quote}]}\n"
        "cases:\n  - {id: one, context: quote, user: 'yes', effect: approve, about: [bees]}"
    )
    (case,) = build("s", read_cases(tmp_path / "s.yaml")).eval_cases
    first, second = map(facts_of, case.conversation or ())
    assert first.expectation == Expectation(("quote",), setup=True) and first.routes == ("researcher",)
    assert second.expectation == Expectation(("approve",), about=("bees",)) and second.message == "yes"
    assert Conditions.from_case(EvalCase.model_validate_json(case.model_dump_json())) == Conditions(3.0, True)


def test_a_turn_that_may_have_no_effect_accepts_the_desk_or_the_researcher() -> None:
    for effects, routes in (
        (("none",), ("researcher", "desk")),
        (("quote", "none"), ("researcher", "desk")),
        (("approve",), ("researcher",)),
        (("forget_question",), ("desk",)),
    ):
        assert Turn(user="Hi", effect=effects).routes == routes
    assert Turn(user="Hi").routes == ("desk",)


def test_single_turn_cases_contain_at_most_two_repeated_messages() -> None:
    first = [
        (case.context, case.turns[0].user)
        for file in CASES.glob("*.yaml")
        for case in read_cases(file).cases
        if len(case.turns) == 1
    ]
    assert len(first) - len(set(first)) <= 2  # the greatest near misses stand in two sets


def test_each_set_is_linked_in_the_folder_where_adk_looks() -> None:
    assert {link.name for link in AGENT.glob("*.evalset.json")} == {file.name for file in HERE.glob("*.evalset.json")}
    assert all(link.resolve().parent == HERE for link in AGENT.glob("*.evalset.json"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("about: a\ncases:\n  - {user: Hi, rout: desk}", "s.yaml: case “Hi”: rout: Extra inputs"),
        ("about: a\ncases:\n  - {user: Hi, route: boss}", "s.yaml: case “Hi”: route"),
        ("about: a\ncases:\n  - {user: 你好}", "the case needs an `id`"),
        ("about: a\ncases:\n  - {user: Hi}\n  - {user: hi}", "more than one case is called hi"),
        ("about: a\ncases:\n  - {user: Hi, calls: [{a: {}, b: {}}]}", "each call is one function"),
        (
            "about: a\ncases:\n  - {id: one, turns: [{user: Hi}, {usr: Hi}]}",
            "s.yaml: case “one”: turns.1.user: Field required",
        ),
        ("about: a\ncases:\n  - {id: one, turns: []}", "s.yaml: case “one”: turns: List should have at least 1 item"),
        ("about: a\ncases:\n  - {user: Hi, verdict: safe}", "case “Hi”: `verdict` needs the `route` moderator"),
        ("about: a\ncases:\n  - {user: Hi, research: true}", "case “Hi”: `research` needs the `route` researcher"),
        ("about: a\ncases:\n  - {user: Hi, effect: buy}", "s.yaml: case “Hi”: effect"),
        ("about: a\ncases:\n  - {user: Hi, brief_has: [bees]}", "case “Hi”: `brief_has`, `brief_lacks` and `about`"),
        (
            "about: a\ncases:\n  - {user: Hi, route: researcher, research: true, effect: quote}",
            "case “Hi”: `research` is the effect `start`",
        ),
        ("about: a\ncases:\n  - {user: Hi, context: there}", "case “hi”: there is no context 'there'"),
        ("about: a\ncases:\n  - {user: Hi, route: nobody}", "there is no agent 'nobody': name one of assistant, desk"),
        ("about: a\nask_above_usd: -1\ncases: []", "s.yaml: ask_above_usd: "),
        ("about: a\ncases:\n  - Hi", "s.yaml: cases.0: "),
        ("about: a\ncases: {}", "s.yaml: cases: "),
        ("about: a\ncontexts: {quote: [{user: Hi, effect: buy}]}\ncases: []", "s.yaml: contexts.quote.0.effect"),
        ("about: a\ncontexts: {quote: [Hi]}\ncases: [{user: Hi}]", "s.yaml: contexts.quote.0"),
        ("- Hi", "s.yaml: Input should be"),
        ("about: [", "s.yaml: "),
    ],
)
def test_a_mistake_in_a_case_file_is_reported_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(CaseError) as error:
        read_cases(tmp_path / "s.yaml")
    assert says in str(error.value)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
def test_public_samples_are_converted_to_sets() -> None:
    sets = {each.eval_set_id: each for each in read_public(SAMPLES)}
    assert set(sets) == {"public_routing", OFFENSIVE_SET, "public_research", "public_longfact"}
    routed = [facts_of(turn) for case in sets["public_routing"].eval_cases for turn in case.conversation or ()]
    assert {turn.route for turn in routed} == {"assistant", "moderator", "researcher", "desk"}
    assert all(turn.research == (turn.routes == ("researcher",)) for turn in routed)


def test_an_unreadable_sample_row_is_named_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "moderation.jsonl").write_text('{"id": "a", "text": "SECRET", "category": "odd", "accept": []}\n')
    with pytest.raises(CaseError) as error:
        read_public(tmp_path)
    assert "moderation.jsonl, line 1" in str(error.value)
    assert "SECRET" not in str(error.value)


def test_without_samples_there_are_no_public_sets(tmp_path: Path) -> None:
    assert read_public(tmp_path) == []
