"""The sets are what their YAML says, and say what an evaluation of the desk has to."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.build import AGENT, CASES, HERE, CaseError, Category, Route, main, read_cases
from evals.facts import facts_of
from evals.public import OFFENSIVE, read_public
from evals.sets import load_sets
from tests.conftest import ROOT

SAMPLES = ROOT.parent / "shared" / "eval-data"


def test_the_sets_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_a_set_that_is_not_up_to_date_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("evals.build.HERE", tmp_path)
    assert main(["--check"]) == 1
    assert "routing.evalset.json" in capsys.readouterr().out


def test_there_are_cases_of_every_kind() -> None:
    sets = load_sets(HERE)
    cases = [case for each in sets.values() for case in each.eval_cases]
    turns = [facts_of(turn) for case in cases for turn in case.conversation or ()]
    assert len(cases) >= 150
    assert set(sets) == {"routing", "tools", "moderation", "memory", "research", "refusals"}
    assert {route for turn in turns for route in turn.routes} == set(Route.__args__)  # type: ignore[attr-defined]
    assert {c for turn in turns for c, _ in turn.verdicts} == set(Category.__args__)  # type: ignore[attr-defined]
    assert all((turn.routes == ("researcher",)) if turn.research else True for turn in turns), (
        "a research that somebody else begins"
    )


def test_no_two_cases_ask_the_same_of_a_fresh_conversation() -> None:
    first = [
        case.turns[0].user for file in CASES.glob("*.yaml") for case in read_cases(file).cases if len(case.turns) == 1
    ]
    assert len(first) - len(set(first)) <= 2  # the greatest near misses stand in two sets


def test_adk_finds_each_set_where_it_looks() -> None:
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
        ("about: a\ncases:\n  - {user: Hi, verdict: safe}", "case “Hi”: with a verdict the `route` is moderator"),
        ("about: a\ncases:\n  - {user: Hi, research: true}", "case “Hi”: with a research the `route` is researcher"),
        ("about: a\ncases:\n  - Hi", "s.yaml: cases.0: "),
        ("about: a\ncases: {}", "s.yaml: cases: "),
        ("- Hi", "s.yaml: Input should be"),
        ("about: [", "s.yaml: "),
    ],
)
def test_a_mistake_in_the_yaml_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(CaseError) as error:
        read_cases(tmp_path / "s.yaml")
    assert says in str(error.value)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
def test_public_samples_become_sets() -> None:
    sets = {each.eval_set_id: each for each in read_public(SAMPLES)}
    assert set(sets) == {"public_routing", OFFENSIVE, "public_research", "public_longfact"}
    routed = [facts_of(turn) for case in sets["public_routing"].eval_cases for turn in case.conversation or ()]
    assert {turn.route for turn in routed} == {"assistant", "moderator", "researcher", "desk"}
    assert all(turn.research == (turn.routes == ("researcher",)) for turn in routed)


def test_a_row_that_cannot_be_read_is_named_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "moderation.jsonl").write_text('{"id": "a", "text": "SECRET", "category": "odd", "accept": []}\n')
    with pytest.raises(CaseError) as error:
        read_public(tmp_path)
    assert "moderation.jsonl, line 1" in str(error.value)
    assert "SECRET" not in str(error.value)


def test_without_samples_there_are_no_public_sets(tmp_path: Path) -> None:
    assert read_public(tmp_path) == []
