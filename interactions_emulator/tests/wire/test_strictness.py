"""What the server refuses or doubts because the real service is reported to, and what it accepts for its clients."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.requests.create import parse_create
from interactions_emulator.requests.create_rules import RULES, _warn
from wire.brains import brain
from wire.conftest import AGENT, MODEL, Wire
from wire.test_chains import TOOLS, go_on, result, shown

ASK = {"type": "user_input", "content": [{"type": "text", "text": "weather in Bonn"}]}
CALL = {"type": "function_call", "id": "c", "name": "weather", "arguments": {}}
SIGNED = {"type": "thought", "signature": "c2ln"}


@pytest.fixture(scope="module")
def api() -> Iterator[Emulator]:
    """One server for all."""
    with Emulator(brain=brain) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def fresh_warnings() -> None:
    """Forget which warnings were logged."""
    _warn.cache_clear()


def configured(**config: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": "x", "generation_config": config}


def researched(**config: Any) -> dict[str, Any]:
    return {"agent": AGENT, "input": "x", "background": True, "agent_config": {"type": "deep-research", **config}}


def allowing(*names: str) -> dict[str, Any]:
    return {"generation_config": {"tool_choice": {"allowed_tools": {"mode": "any", "tools": [*names]}}}}


def with_tool(**tool: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": "x", "tools": [tool]}


def replayed(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": [*steps], "store": False, **more}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": MODEL, "input": "x", "previousInteractionId": "v1_a"}, "did you mean 'previous_interaction_id'?"),
    ({"model": MODEL, "input": "x", "mood": "good"}, "unknown parameter 'mood': remove it"),
    ({"model": MODEL, "inputs": "x"}, "unknown parameter 'inputs': remove it; did you mean 'input'?"),
    (configured(presence_penalty=0.1), "'generation_config.presence_penalty': the Interactions API has no penalties"),
    (configured(maxOutputTokens=5), "did you mean 'max_output_tokens'?"),
    (configured(tool_choice="always"), "tool_choice is one of auto, any"),
    (configured(tool_choice="any"), "no function is declared in tools"),
    (configured(tool_choice={"allowed_tools": {"tools": ["f"]}}), "no function is declared in tools"),
    (configured(temperature="hot"), "generation_config.temperature is a number from 0 to 2, not 'hot'"),
    (configured(temperature=2.5), "temperature is a number from 0 to 2, not 2.5"),
    (configured(top_p=True), "top_p is a number from 0 to 1, not True"),
    (configured(max_output_tokens=0), "max_output_tokens is a whole number from 1, not 0"),
    (configured(max_output_tokens=1.5), "max_output_tokens is a whole number from 1, not 1.5"),
    (configured(seed="7"), "seed is a whole number, not '7'"),
    (configured(stop_sequences="end"), "stop_sequences is a list of texts, not 'end'"),
    (researched(thinking_summaries="yes"), "agent_config.thinking_summaries is auto or none, not 'yes'"),
    (researched(visualization=True), "agent_config.visualization is auto or off, not True"),
    (researched(collaborative_planning="yes"), "agent_config.collaborative_planning is true or false, not 'yes'"),
    (researched(collaborative_planning=1), "agent_config.collaborative_planning is true or false, not 1"),
    ({"model": MODEL, "input": "x", "response_format": {"type": "json_schema"}}, "response_format.type 'json_schema'"),
    ({"model": AGENT, "input": "x"}, "is an agent: send it as agent instead of model"),
    (with_tool(type="function", name="get weather"), "function 'get weather': a name begins with a letter or _"),
    (with_tool(type="function", name="f" * 65), "at most 64 letters"),
    (with_tool(type="function", name="f", parameters={"type": "array"}), "must be of type object, not 'array'"),
    (
        with_tool(type="function", name="f", parameters={"properties": {"a": "text"}}),
        "'a' of function 'f' must be",
    ),
    (with_tool(type="function", name="f", parameters={"properties": {"a": {"type": "text"}}}), "has the type 'text'"),
    (
        {**with_tool(type="function", name="f"), **allowing("g")},
        "tool_choice.allowed_tools: 'g' is not declared in tools; declared are f",
    ),
    (with_tool(type=["function"]), "tools[0]: type ['function'] is unknown"),
    ({"model": MODEL, "input": "x", "response_modalities": ["smell"]}, "'smell' is unknown"),
    (replayed(ASK, CALL, {**result("c"), "name": ""}), "function_result for call_id 'c' has no name"),
    (replayed({"type": "user_input", "content": [{"type": "text", "text": ""}]}), "a user_input has an empty text"),
    (replayed({"type": ["user_input"]}), "is unknown"),
]


@pytest.mark.parametrize(("body", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_what_the_real_service_refuses_is_refused(wire: Wire, body: dict[str, Any], why: str) -> None:
    assert why in wire.refused(wire.http.post("/interactions", json=body), 400)


def test_an_unknown_parameter_has_the_code_of_its_own(wire: Wire) -> None:
    refused = [wire.http.post("/interactions", json=body).json() for body, _ in (REFUSED[1], REFUSED[-1])]
    assert [body["error"]["code"] for body in refused] == ["parameter_unknown", "invalid_request"]


EMPTY = {"type": "object", "properties": {"a": {"type": "object", "required": []}}}
DOUBTED: list[tuple[dict[str, Any], str]] = [
    (with_tool(type="function", name="f", parameters=EMPTY), '"required": []'),
    (with_tool(type="function", name="f", parameters={"required": ["a"]}), "requires 'a', which its schema does not"),
    (replayed(ASK, CALL, result("c")), "without a thought signature"),
    ({"model": "gemini-3.9-flash", "input": "x"}, "the real service answers 404 if there is none; did you mean"),
    ({"model": "gpt-6", "input": "x"}, "model 'gpt-6' is not one that the SDKs name"),
    (with_tool(type="google_search", searchTypes=["web"]), "unknown field 'searchTypes' in tools (google_search)"),
    ({"model": MODEL, "input": {"type": "text", "text": "x", "colour": "red"}}, "'colour' in content (text)"),
    ({"model": MODEL, "input": "x", "response_format": {"type": "image", "size": "1K"}}, "'size' in response_format"),
    ({"agent": "antigravity-preview-09-2026", "input": "x", "environment": {"typ": "remote"}}, "did you mean 'type'?"),
]


@pytest.mark.parametrize(("body", "why"), DOUBTED, ids=[why for _, why in DOUBTED])
def test_what_the_real_service_may_refuse_is_logged_once(
    wire: Wire, caplog: pytest.LogCaptureFixture, body: dict[str, Any], why: str
) -> None:
    with caplog.at_level(logging.WARNING, "interactions_emulator"):
        for _ in range(2):
            assert wire.http.post("/interactions", json=body).status_code == 200
    assert [why in record.message for record in caplog.records] == [True]


def test_the_request_log_has_the_warnings_of_a_request(api: Emulator, wire: Wire) -> None:
    for model in ("gpt-6", MODEL):
        wire.create({"model": model, "input": "x"})
    doubted, certain = api.log()["requests"][-2:]
    assert len(doubted["warnings"]) == 1 and "gpt-6" in doubted["warnings"][0]
    assert "warnings" not in certain


ACCEPTED: list[dict[str, Any]] = [
    configured(top_k=10, top_p=0.9, temperature=0, seed=1, thinking_level="xhigh"),
    with_tool(type="function", name="f", defer_loading=True, short_description="f", parameters={"type": "object"}),
    {**with_tool(type="function", name="f"), **allowing("f")},
    {**with_tool(type="mcp_server", name="docs", url="https://example.org"), **allowing("read")},
    researched(collaborative_planning=False, enable_bigquery_tool=True, visualization="off", thinking_summaries="auto"),
    {"model": MODEL, "input": "x", "response_format": {"type": "OBJECT", "properties": {}}},
    with_tool(type="function", name="f", parameters={"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}),
    with_tool(type="mcp_server", name="docs", url="https://example.org", defer_loading=True),
    with_tool(type="tool_search", execution="server"),
    replayed(ASK, SIGNED, CALL, result("c")),
    {"model": MODEL, "input": "x", "service_tier": "deferred", "response_mime_type": "text/plain"},
    {
        "agent": "antigravity-preview-09-2026",
        "input": "x",
        "agent_config": {"type": "antigravity", "model": MODEL, "max_total_tokens": 1000},
        "environment": {"type": "remote", "mode": "self_hosted", "sources": [], "env": {}, "network": "disabled"},
    },
]


@pytest.mark.parametrize("body", ACCEPTED, ids=str)
def test_what_the_newest_sdks_can_send_is_accepted_without_a_doubt(wire: Wire, body: dict[str, Any]) -> None:
    assert parse_create(wire.http.build_request("POST", "/", json=body).content).warnings == ()
    assert wire.http.post("/interactions", json=body).status_code == 200


def test_a_result_inside_a_user_input_is_the_step_that_it_means(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    asked = wire.create({"model": MODEL, "input": "weather in Bonn and Rome", "tools": TOOLS})
    results = [result(step["id"], step["arguments"]["city"]) for step in asked["steps"]]
    told = wire.good(go_on(wire, asked["id"], [{"type": "user_input", "content": results}]))
    assert shown(told) == "results: ['Bonn', 'Rome']"
    whole = wire.get(told["id"], include_input="true")
    assert [step["type"] for step in whole["steps"]] == ["function_result", "function_result", "model_output"]
    assert "it was not tried on the real service" in caplog.text


def test_text_beside_a_result_in_a_user_input_comes_after_it(wire: Wire) -> None:
    asked = wire.create({"model": MODEL, "input": "weather in Bonn", "tools": TOOLS})
    content = [{"type": "text", "text": "show the turn"}, result(asked["steps"][0]["id"])]
    told = wire.good(go_on(wire, asked["id"], [{"type": "user_input", "content": content}]))
    steps = wire.get(told["id"], include_input="true")["steps"]
    assert [step["type"] for step in steps] == ["function_result", "user_input", "model_output"]
    assert steps[1]["content"] == content[:1]


def test_a_result_inside_a_user_input_is_checked_like_a_step(wire: Wire) -> None:
    nameless = {"type": "function_result", "call_id": "", "result": "x"}
    body = replayed(ASK, CALL, {"type": "user_input", "content": [nameless]})
    assert "Missing call_id" in wire.refused(wire.http.post("/interactions", json=body), 400)


def test_an_agent_needs_no_known_name(wire: Wire) -> None:
    assert parse_create(b'{"agent": "my-own-agent", "input": "x"}').warnings == ()


def test_every_rule_has_a_source_and_says_what_to_keep_to() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES) > 15
    for rule in RULES:
        assert rule.source and rule.summary and "\n" not in rule.summary
