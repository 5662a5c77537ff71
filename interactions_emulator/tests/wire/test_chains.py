"""What a chain of interactions remembers, and when it cannot be continued."""

from __future__ import annotations

from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Entry, TextDelta, Turn
from wire.brains import WAIT, brain
from wire.conftest import MODEL, Wire, research

TOOLS = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]


def go_on(wire: Wire, previous: str, given: Any, **more: Any) -> Any:
    """POST the continuation of `previous` and return the response."""
    body = {"model": MODEL, "input": given, "previous_interaction_id": previous, **more}
    return wire.http.post("/interactions", json=body)


def result(call_id: str, value: Any = "21 C") -> dict[str, Any]:
    """A function_result."""
    return {"type": "function_result", "call_id": call_id, "name": "weather", "result": value}


def shown(interaction: dict[str, Any]) -> str:
    """The text of the first step."""
    return str(interaction["steps"][0]["content"][0]["text"])


def test_history_is_inherited_but_tools_and_instructions_are_not(wire: Wire) -> None:
    first = wire.create({"model": MODEL, "input": "a", "tools": TOOLS, "system_instruction": "be brief"})
    second = wire.good(go_on(wire, first["id"], "b"))
    third = wire.good(go_on(wire, second["id"], "show the turn"))
    assert shown(third) == "tools=0 system='' steps=5"
    assert third["previous_interaction_id"] == second["id"]
    again = wire.good(go_on(wire, second["id"], "show the turn", tools=TOOLS, system_instruction="x"))
    assert shown(again) == "tools=1 system='x' steps=5"


def test_branches_of_a_chain_have_only_their_own_history() -> None:
    def brain(turn: Turn) -> list[Entry]:
        asked = [step["content"][0]["text"] for step in turn.steps if step["type"] == "user_input"]
        return [TextDelta(" ".join(asked))]

    with Emulator(brain=brain) as api:
        wire = Wire(api.url)
        ids = {"a": wire.create({"model": MODEL, "input": "a"})["id"]}
        for history in ("ab", "ac", "abd", "ace", "af", "abdg", "abh", "aceb", "abdgi", "aj"):
            answer = wire.good(go_on(wire, ids[history[:-1]], history[-1]))
            assert shown(answer) == " ".join(history)
            ids[history] = answer["id"]


def test_each_function_call_needs_its_result_before_new_input(wire: Wire) -> None:
    asked = wire.create({"model": MODEL, "input": "weather in Bonn and Rome", "tools": TOOLS})
    one, two = (step["id"] for step in asked["steps"])
    message = wire.refused(go_on(wire, asked["id"], "never mind"), 400)
    assert one in message and two in message
    message = wire.refused(go_on(wire, asked["id"], [result(one)]), 400)
    assert one not in message and two in message
    late = {"type": "user_input", "content": [{"type": "text", "text": "well?"}]}
    assert two in wire.refused(go_on(wire, asked["id"], [result(one), late, result(two)]), 400)
    wire.good(go_on(wire, asked["id"], [result(two), result(one), late]))


def test_function_results_without_a_matching_call_are_refused(wire: Wire) -> None:
    asked = wire.create({"model": MODEL, "input": "weather in Bonn", "tools": TOOLS})
    call = asked["steps"][0]["id"]
    assert "'fc_9'" in wire.refused(go_on(wire, asked["id"], [result(call), result("fc_9")]), 400)
    told = wire.good(go_on(wire, asked["id"], [result(call)]))
    assert call in wire.refused(go_on(wire, told["id"], [result(call)]), 400)
    nameless = go_on(wire, asked["id"], [result("")])
    assert "Missing call_id in content of type function_result" in wire.refused(nameless, 400)


def test_a_history_sent_by_the_client_is_accepted_and_validated(wire: Wire) -> None:
    history = [
        {"type": "user_input", "content": [{"type": "text", "text": "weather in Bonn"}]},
        {"type": "thought", "signature": "c2ln"},
        {"type": "function_call", "id": "mine", "name": "weather", "arguments": {}},
        result("mine", [{"type": "text", "text": "21 C"}]),
        {"type": "model_output", "content": [{"type": "text", "text": "21 degrees"}]},
        {"type": "user_input", "content": [{"type": "text", "text": "show the turn"}]},
    ]
    assert shown(wire.create({"model": MODEL, "input": history, "store": False})).endswith("steps=6")
    torn = [step for step in history if step["type"] != "function_result"]
    message = wire.refused(wire.http.post("/interactions", json={"model": MODEL, "input": torn}), 400)
    assert "mine (weather)" in message


@pytest.mark.parametrize("how", ["unknown", "deleted", "unstored", "ancestor deleted"])
def test_continuing_a_missing_or_deleted_chain_returns_404(wire: Wire, how: str) -> None:
    first = wire.create({"model": MODEL, "input": "a", "store": how != "unstored"})
    last = wire.good(go_on(wire, first["id"], "b")) if how == "ancestor deleted" else first
    if "deleted" in how:
        assert wire.http.delete(f"/interactions/{first['id']}").json() == {}
    previous = "v1_emu_unknown" if how == "unknown" else last["id"]
    assert "was not found" in wire.refused(go_on(wire, previous, "c"), 404)
    if how in ("deleted", "unstored"):
        wire.refused(wire.http.get(f"/interactions/{first['id']}"), 404)


def test_a_chain_expires_with_virtual_time() -> None:
    with Emulator(brain=brain, speed=0, retention_days=1) as api:
        wire = Wire(api.url)
        first = wire.create({"model": MODEL, "input": "a"})
        api.advance(86_399)
        second = wire.good(go_on(wire, first["id"], "b"))
        api.advance(1)
        assert first["id"] in wire.refused(go_on(wire, second["id"], "c"), 404)


def test_a_run_in_progress_cannot_be_continued(held: Emulator, wire: Wire) -> None:
    run = wire.create(research())
    assert "still in_progress" in wire.refused(go_on(wire, run["id"], "and?"), 400)
    held.advance(5 * WAIT)
    wire.good(go_on(wire, run["id"], "and?"))
