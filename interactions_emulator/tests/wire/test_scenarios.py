"""Exact answers from a YAML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from interactions_emulator import Emulator
from interactions_emulator.http.errors import Refused
from interactions_emulator.scenarios import load_scenarios
from wire.brains import brain
from wire.conftest import MODEL, Wire, research

FILE = """
- match: {text: "(?i)capital of france", model: "gemini.*"}
  steps:
    - {type: google_search_call, arguments: {queries: [france]}}
    - {type: model_output, content: [{type: text, text: Paris.}]}
- match: {text: weather}
  steps: [{type: function_call, name: weather, arguments: {city: Bonn}}]
- match: {agent: "deep-research.*", text: doomed}
  wait: 60
  steps: [{type: thought, summary: [{type: text, text: Hm.}]}]
  status: failed
  error: {code: internal_error, message: The agent could not finish.}
- match: {agent: "deep-research.*", text: zombie}
  wait: .inf
  steps: [{type: thought}]
- match: {text: too long}
  status: budget_exceeded
"""


@pytest.fixture
def scripted(tmp_path: Path) -> Path:
    file = tmp_path / "scenarios.yaml"
    file.write_text(FILE)
    return file


def test_scenarios_answer_first_and_the_brain_answers_the_rest(scripted: Path) -> None:
    with Emulator(brain=brain, scenarios=scripted) as api:
        wire = Wire(api.url)

        def ask(text: str, model: str = MODEL) -> dict:
            return wire.create({"model": model, "input": text})

        assert ask("The CAPITAL of France?")["steps"][-1]["content"][0]["text"] == "Paris."
        assert ask("capital of france", "other")["steps"][0]["content"][0]["text"].startswith("You said")
        assert ask("weather")["status"] == "requires_action"
        assert ask("weather")["steps"][0]["id"]
        assert ask("too long")["status"] == "budget_exceeded"


def test_scenarios_can_play_failed_and_zombie_runs(scripted: Path) -> None:
    with Emulator(brain=brain, scenarios=scripted, speed=0) as api:
        wire = Wire(api.url)
        doomed, zombie = wire.stream(research("doomed")), wire.create(research("zombie"))
        next(doomed)
        api.advance(59)
        assert [line["steps"] for line in api.interactions()] == [0, 0]
        api.advance(1_000_000)
        *_, error, last = doomed
        assert error["error"] == {"code": "internal_error", "message": "The agent could not finish."}
        assert last["interaction"]["status"] == "failed"
        assert wire.get(last["interaction"]["id"])["errors"] == [error["error"]]
        assert (wire.get(zombie["id"])["status"], wire.get(zombie["id"])["steps"]) == ("in_progress", [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- match: {text: '('}", "text"),
        ("- steps: [{type: song}]", "number 0: step type 'song'"),
        ("- {status: finished}", "finished"),
        ("match: {}", "list"),
        ("- [", "scenarios.yaml"),
    ],
)
def test_an_invalid_scenario_file_is_reported_with_the_position(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "scenarios.yaml"
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        load_scenarios(file)
    assert str(file) in refused.value.message and why in refused.value.message
