"""Exact answers from a YAML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx2
import pytest

from interactions_emulator import Emulator
from interactions_emulator.errors import Refused
from interactions_emulator.scenarios import load_scenarios
from wire.brains import brain
from wire.conftest import KEY, MODEL, Wire, research
from wire.test_chains import TOOLS, go_on, result

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


def weather(text: str) -> dict[str, Any]:
    """The body that asks for the weather with a function."""
    return {"model": MODEL, "input": text, "tools": TOOLS}


def told(interaction: dict[str, Any]) -> str:
    """The text of the last step."""
    return str(interaction["steps"][-1]["content"][0]["text"])


LOOP = """
- match: {text: weather}
  steps: [{type: function_call, name: weather, arguments: {city: Bonn}}]
- match: {text: weather, function_result: {name: weather, result: "-[0-9]+"}}
  text: Take a coat.
- match: {function_result: weather}
  text: It is warm.
- match: {function_result: {is_error: true}}
  text: I could not find out.
"""


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ({"celsius": -7}, "Take a coat."),
        ("-3 degrees", "Take a coat."),
        ([{"type": "text", "text": "-3"}], "Take a coat."),
        ({"celsius": 7}, "It is warm."),
    ],
)
def test_a_scripted_tool_loop_ends_with_the_scenario_for_its_result(value: Any, answer: str) -> None:
    with Emulator(brain=brain, scenarios=LOOP) as api:
        wire = Wire(api.url)
        asked = wire.create(weather("weather?"))
        (call,) = asked["steps"]
        assert (asked["status"], call["name"]) == ("requires_action", "weather")
        assert told(wire.good(go_on(wire, asked["id"], [result(call["id"], value)]))) == answer


def test_a_history_sent_by_the_client_matches_by_its_new_steps() -> None:
    with Emulator(brain=brain, scenarios=LOOP) as api:
        wire = Wire(api.url)
        asked = {"type": "user_input", "content": [{"type": "text", "text": "weather?"}]}
        call = {"type": "function_call", "id": "c", "name": "weather", "arguments": {}}
        body = {"model": MODEL, "store": False, "input": [asked, call, result("c", "5")]}
        assert told(wire.create(body)) == "It is warm."


def test_a_result_can_match_by_whether_it_is_an_error() -> None:
    with Emulator(brain=brain, scenarios=LOOP) as api:
        wire = Wire(api.url)
        asked = wire.create(weather("weather?"))
        failed = {**result(asked["steps"][0]["id"]), "name": "other", "is_error": True}
        assert told(wire.good(go_on(wire, asked["id"], [failed]))) == "I could not find out."


def test_a_scenario_answers_as_many_times_as_it_says() -> None:
    script = [{"match": {"text": "hello"}, "text": "Hi.", "times": 2}, {"match": {"text": "hello"}, "text": "Again?"}]
    with Emulator(brain=brain, scenarios=script) as api:
        wire = Wire(api.url)
        answers = [told(wire.create({"model": MODEL, "input": "hello"})) for _ in range(4)]
        assert answers == ["Hi.", "Hi.", "Again?", "Again?"]


def test_answers_come_in_their_order_and_the_last_one_is_repeated() -> None:
    script = """
- match: {text: go on}
  answers:
  - text: one
  - status: failed
    error: {code: internal_error, message: No.}
  - steps: [{type: thought}, {text: three}]
"""
    with Emulator(brain=brain, scenarios=script) as api:
        wire = Wire(api.url)
        seen = [wire.create({"model": MODEL, "input": "go on"}) for _ in range(4)]
        assert [one["status"] for one in seen] == ["completed", "failed", "completed", "completed"]
        assert [told(seen[0]), told(seen[2]), told(seen[3])] == ["one", "three", "three"]


def test_the_rest_after_a_hop_belongs_to_the_answer_that_was_begun() -> None:
    hops = [{"text": "1a"}, {"type": "hop"}, {"text": "1b"}, {"type": "hop"}, {"text": "1c"}]
    script = [{"match": {"text": "count"}, "answers": [{"steps": hops}, {"text": "2"}], "times": 2}]
    with Emulator(brain=brain, scenarios=script) as api:
        wire, body = Wire(api.url), {"model": MODEL, "input": "count"}
        texts = []
        for _ in range(3):
            hop = wire.create(body)
            texts.append(told(hop))
            while hop["status"] == "requires_continuation":
                more = {"previous_interaction_id": hop["id"], "continuation_token": hop["continuation_token"]}
                hop = wire.create({"model": MODEL, **more})
                texts.append(told(hop))
        assert texts == ["1a", "1b", "1c", "2", "You said: count"]


def test_a_restarted_server_goes_on_with_the_answer_that_was_begun(tmp_path: Path) -> None:
    steps = [[{"text": f"{name} begins"}, {"text": f"{name} ends"}] for name in ("one", "two")]
    script = [{"match": {}, "answers": [{"steps": each, "wait": 60} for each in steps]}]
    with Emulator(brain=brain, scenarios=script, speed=0, state=tmp_path / "state.db") as api:
        wire = Wire(api.url)
        wire.create(research())
        api.advance(120)
        second = wire.create(research())["id"]
        api.advance(60)
        assert told(wire.get(second)) == "two begins"
        api.restart()
        api.advance(60)
        assert told(wire.get(second)) == "two ends"


def test_ids_of_calls_and_of_their_results_may_be_left_out() -> None:
    script = "[{steps: [{type: google_search_call}, {type: google_search_result, result: []}, {text: Done.}]}]"
    with Emulator(scenarios=script) as api:
        call, found, _ = Wire(api.url).create({"model": MODEL, "input": "x"})["steps"]
        assert call["arguments"] == {} and call["id"] == found["call_id"] != ""


def test_a_run_can_end_as_idle() -> None:
    with Emulator(scenarios=[{"match": {"agent": "antigravity.*"}, "text": "Ready.", "status": "idle"}]) as api:
        body = {"agent": "antigravity-preview-09-2026", "input": "x"}
        answer = httpx2.post(f"{api.url}/v1/interactions", headers=KEY, json=body).json()
        assert (answer["status"], told(answer)) == ("idle", "Ready.")


STRICT = """
strict: true
scenarios:
- match: {text: hello}
  text: Hi.
  times: 1
- match: {agent: "deep-research.*"}
  text: A report.
"""


def test_a_strict_script_says_what_was_asked_and_what_is_nearest(tmp_path: Path) -> None:
    file = tmp_path / "strict.yaml"
    file.write_text(STRICT)
    with Emulator(brain=brain, scenarios=str(file)) as api:
        wire = Wire(api.url)
        assert told(wire.create({"model": MODEL, "input": "hello"})) == "Hi."
        (again,) = wire.create({"model": MODEL, "input": "hello"})["errors"]
        (error,) = wire.create({"model": MODEL, "input": "good night"})["errors"]
        assert again["code"] == error["code"] == "no_scenario"
        assert f"{file}:4: all its times are used" in again["message"]
        assert f"No scenario matches model {MODEL} with the text 'good night'" in error["message"]
        assert f"{file}:4: text 'hello' does not match; {file}:7: is for an agent. " in error["message"]
        assert "set strict: false" in error["message"]


def test_unused_scenarios_and_faults_are_listed(tmp_path: Path) -> None:
    script = [{"match": {"text": "hello"}, "text": "Hi."}, {"match": {"text": "bye"}, "text": "Bye."}]
    faults = [{"on": "create", "delay_ms": 1}, {"on": "create", "status": 500, "skip": 2}, {"on": "get", "drop": True}]
    with Emulator(brain=brain, scenarios=script, faults=faults) as api:
        Wire(api.url).create({"model": MODEL, "input": "hello"})
        assert api.unused() == {
            "faults": faults[1:],
            "scenarios": [{"where": "scenarios[1]", "match": {"text": "bye"}, "file": False}],
        }


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("- match: {text: a}\n  text: b\n- match: {text: '('}", 3, "match.text: '(' is not a regular expression"),
        ("- match: {}\n  steps:\n  - {type: thought}\n  - {type: song}", 4, "steps.1: step type 'song' is unknown"),
        ("- steps: [{type: function_call}]", 1, "step.name of a function_call must be str"),
        ("- steps:\n  - {type: model_output, content: hello}", 2, "step.content must be a list of contents"),
        ("- steps:\n  - {type: model_output, content: [{type: txt}]}", 2, "content[0]: content type 'txt' is unknown"),
        ("- steps:\n  - {type: model_output, content: [{type: text}]}", 2, "content[0].text must be a string"),
        ("- steps:\n  - {type: thought, summary: Hm}", 2, "step.summary must be a list of contents"),
        ("- steps:\n  - {type: user_input, content: []}", 2, "an answer has no user_input"),
        (
            "- steps:\n  - {type: function_call, name: f, arguments: {a: .nan}}",
            2,
            "holds what JSON in UTF-8 cannot hold",
        ),
        ("- match: {}\n  status: finished", 2, "status: it is one of 'completed', 'failed'"),
        ("- match: {}\n  txt: a", 2, "txt: this field is unknown, did you mean text?"),
        ("- match:\n    txet: a", 2, "match.txet: this field is unknown, did you mean text?"),
        ("- text: a\n  steps: [{type: thought}]", 1, "give text or steps, not both"),
        ("- text: a\n  answers: [{text: b}]", 1, "give answers, or the fields of one answer"),
        ("- text: a\n  times: 0", 2, "times"),
        ("- match: {text: a}\n  times: 2", 1, "the answer is missing: give text, steps or answers"),
        ("- hello", 1, "a scenario is an object"),
        ("match: {}", 1, "field 'match' is unknown; known are strict and scenarios"),
        ("strict: maybe\nscenarios: []", 1, "strict is true or false, not 'maybe'"),
        ("- [", 2, "this is not YAML"),
        ("- text: a\n  error: it broke", 2, "error: it is an object with code, message, not 'it broke'"),
        ("- text: a\n  error: {code: a, message: b}", 1, "error goes with a status that is not completed"),
        ("- text: a\n  text: b", 2, "text is in line 1 already: remove one of the two"),
        ("- text: a\n  match:\n    on: b", 3, "YAML reads the key on as no text: put it in quotes"),
        ("- match: {}\n  text: no", 2, "text: this has to be a text, not False: put it in quotes"),
        ("- text: a\n  match: {text: 12}", 2, "match.text: this has to be a text, not 12: put it in quotes"),
        ("- match: {}\n  steps: [{text: yes}]", 2, "steps.0: text has to be a text, not True: put it in quotes"),
        (
            "- steps:\n  - type: model_output\n    content: [{type: text, text: no}]",
            2,
            "steps.0: text has to be a text, not False: put it in quotes",
        ),
        ("- steps: [{type: function_call, name: f,\n  arguments: {day: 2026-01-01}}]", 2, "YAML reads this as a date"),
        ("- steps: [{type: function_call, name: f,\n  arguments: {at: 12:30}}]", 2, "YAML reads 12:30 as a number"),
        ("- answers: []", 1, "answers is empty: give at least one"),
        ("- text: a\n- request: {method: GET}\n  response: {status: 200}", 2, "request.path: this field is missing"),
        (
            "- request: {method: GET, path: /a}\n  response: {status: 200, events: [hi]}",
            2,
            "response.events.0: it is an object with after, data, not 'hi'",
        ),
    ],
)
def test_an_invalid_scenario_file_is_reported_with_line_and_remedy(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    file = tmp_path / "scenarios.yaml"
    file.write_text(text + "\n")
    with pytest.raises(Refused) as refused:
        load_scenarios(file)
    assert refused.value.message.startswith(f"{file}:{line}: ") and why in refused.value.message


def test_scenarios_that_are_nested_too_deeply_are_refused() -> None:
    with pytest.raises(Refused, match="this is nested too deeply"):
        load_scenarios("[" * 1_000)


def test_scenarios_of_a_list_are_named_by_their_number() -> None:
    with pytest.raises(Refused, match=r"scenarios\[1\]: status: it is one of"):
        load_scenarios([{"text": "a"}, {"status": "finished"}])


def test_a_scenario_file_that_is_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(Refused, match=r"pipe\.yaml is a pipe or a device: save its contents to a file"):
        load_scenarios(tmp_path / "pipe.yaml")


def test_a_missing_scenario_file_is_named() -> None:
    with pytest.raises(Refused, match=r"scenarios no\.yaml: No such file"):
        load_scenarios("no.yaml")


def test_an_empty_scenario_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet")
    with pytest.raises(Refused, match=r"empty\.yaml: this is empty: write a list"):
        load_scenarios(tmp_path / "empty.yaml")


def test_a_recording_that_was_cut_off_is_not_replayed_as_whole(tmp_path: Path) -> None:
    hello = "- request: {method: GET, path: /models}\n  response:\n    status: 200\n    body: Hello\n"
    whole, cut = tmp_path / "whole.yaml", tmp_path / "cut.yaml"
    whole.write_text(hello * 2)
    cut.write_text((hello * 2)[:-3])
    assert len(load_scenarios(whole).exchanges) == 2
    with pytest.raises(Refused, match=r"cut\.yaml:5: the file breaks off in its last line: record again"):
        load_scenarios(cut)
