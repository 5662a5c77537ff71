"""A model fills a JSON schema: in the server's best format, checked, and asked again if it does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model.conftest import Start
from model.stub import Reply, error, says
from wire.conftest import MODEL

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer", "minimum": 0}},
    "required": ["name", "people"],
}
GOOD = '{"name": "Größe", "people": 3}'


def form(schema: dict[str, Any] = CITY) -> dict[str, Any]:
    """The request's fields that ask for JSON."""
    return {"response_format": {"type": "text", "mime_type": "application/json", "schema": schema}}


def test_a_schema_is_filled_in_the_format_json_schema(start: Start) -> None:
    desk = start(says(GOOD[:10], GOOD[10:]))
    ended = desk.ask(**form())
    assert json.loads(ended["steps"][0]["content"][0]["text"]) == json.loads(GOOD)
    request = desk.server.requests[0]
    assert request["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": CITY}}
    assert json.dumps(CITY) in request["messages"][0]["content"], "servers without grammars need the schema in words"


@pytest.mark.parametrize("refusals", [1, 2])
def test_a_server_that_refuses_the_format_is_asked_in_a_simpler_one(start: Start, refusals: int) -> None:
    desk = start(*[error(400, "response_format json_schema is not supported")] * refusals, says(GOOD), says(GOOD))
    for _ in range(2):
        assert desk.ask(**form())["status"] == "completed"
    formats = [request.get("response_format", {}).get("type") for request in desk.server.requests]
    tried = ["json_schema", "json_object", None][: refusals + 1]
    assert formats == [*tried, tried[-1]], "the second turn begins with the format that worked"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [("Sure!", "it is not JSON"), ('{"name": "A"}', "'people' is a required property"),
     ('{"name": "A", "people": -1}', "$.people: -1 is less than the minimum of 0")],
)  # fmt: skip
def test_a_model_is_told_what_does_not_fit_and_writes_again(start: Start, wrong: str, told: str) -> None:
    desk = start(says(wrong), says(f"```json\n{GOOD}\n```"))
    ended = desk.ask(**form())
    assert [json.loads(step["content"][0]["text"]) for step in ended["steps"]] == [json.loads(GOOD)]
    assert told in desk.server.prompts()[1]
    assert desk.sent()[-2] == {"role": "assistant", "content": wrong}


def test_a_model_that_never_fits_ends_as_failed_with_its_words(start: Start) -> None:
    desk = start(*[says("I would rather not.")] * 3)
    ended = desk.ask(**form())
    assert (ended["status"], ended["steps"]) == ("failed", [])
    assert ended["errors"][0]["code"] == "malformed_response"
    assert "I would rather not." in ended["errors"][0]["message"]


def test_a_text_that_was_cut_is_incomplete_and_not_repaired(start: Start) -> None:
    ended = start(says('{"name": ', finish="length")).ask(**form())
    assert (ended["status"], ended["steps"][0]["content"][0]["text"]) == ("incomplete", '{"name": ')


@pytest.mark.parametrize("schema", [{"type": "poem"}, {"$ref": "https://example.org/schema.json"}])
def test_a_schema_that_cannot_be_used_fails_with_a_sentence(start: Start, schema: dict[str, Any]) -> None:
    ended = start(says("{}")).ask(**form(schema))
    assert ended["status"] == "failed"
    assert "schema in response_format is not usable" in ended["errors"][0]["message"]


def test_nothing_is_streamed_before_it_fits(start: Start) -> None:
    desk = start(says("{"), Reply(says(GOOD).events))
    events = list(desk.wire.stream({"model": MODEL, "input": "Hi", **form()}))
    texts = [event["delta"]["text"] for event in events if event["event_type"] == "step.delta"]
    assert json.loads("".join(texts)) == json.loads(GOOD)
