"""Flows with a model; what each is to show stands in `flows.json`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from api import Api, check_citations, check_stream, deltas_of, refused, steps_of

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Gets the current weather of a place.",
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string", "description": "A city, such as Rome."}},
        "required": ["place"],
    },
}
IN_LISBON = "What is the weather in Lisbon?"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


def text_answer(api: Api) -> None:
    made = api.ask("Hello!")
    assert made.id and made.status == "completed", made
    assert api.model in made.model, made.model
    assert made.created and made.updated
    contents = [content for step in steps_of(made, "model_output") for content in step.content]
    assert made.output_text and made.output_text == "".join(content.text for content in contents)
    assert made.usage.total_input_tokens > 0 and made.usage.total_output_tokens > 0, made.usage


def stream(api: Api) -> None:
    events = list(api.ask("What is a tide?", stream=True))
    check_stream(events)
    assert events[-1].interaction.status == "completed"
    assert events[-1].interaction.usage.total_tokens > 0
    stored = api.interactions.get(id=events[0].interaction.id)
    assert "".join(delta.text for delta in deltas_of(events, "text")) == stored.output_text


def function_call(api: Api) -> None:
    asked = api.ask(IN_LISBON, tools=[WEATHER])
    assert asked.status == "requires_action", asked.status
    [call] = steps_of(asked, "function_call")
    assert call.id and call.name == "get_weather"
    assert "Lisbon" in call.arguments["place"], call.arguments
    told = api.ask([_result(call.id)], previous_interaction_id=asked.id, tools=[WEATHER])
    assert told.status == "completed" and told.id != asked.id
    assert "21" in told.output_text, told.output_text


def function_call_stream(api: Api) -> None:
    events = list(api.ask(IN_LISBON, tools=[WEATHER], stream=True))
    check_stream(events)
    assert events[-1].interaction.status == "requires_action"
    [call] = [event for event in events if event.event_type == "step.start" and event.step.type == "function_call"]
    pieces = [delta.arguments for delta in deltas_of(events, "arguments_delta")]
    assert "Lisbon" in json.loads("".join(pieces))["place"], pieces
    interaction_id = events[0].interaction.id
    more = {"previous_interaction_id": interaction_id, "tools": [WEATHER], "stream": True}
    told = list(api.ask([_result(call.step.id)], **more))
    check_stream(told)
    assert "21" in "".join(delta.text for delta in deltas_of(told, "text"))


def structured_output(api: Api) -> None:
    wanted = {"type": "text", "mime_type": "application/json", "schema": PERSON}
    made = api.ask("Extract name and age: Ada Lovelace, 36.", response_format=wanted)
    assert json.loads(made.output_text) == {"name": "Ada Lovelace", "age": 36}, made.output_text


def chain(api: Api) -> None:
    first = api.ask("Hello, my name is Ada.")
    second = api.ask("What is my name?", previous_interaction_id=first.id)
    assert second.id != first.id
    assert second.previous_interaction_id == first.id
    assert "Ada" in second.output_text, second.output_text


def branches(api: Api) -> None:
    root = api.ask("Hello, my name is Ada.")
    one = api.ask("From now on my name is Grace.", previous_interaction_id=root.id)
    other = api.ask("What is my name?", previous_interaction_id=root.id)
    assert len({root.id, one.id, other.id}) == 3
    assert "Ada" in other.output_text and "Grace" not in other.output_text, other.output_text


def not_stored_is_not_found(api: Api) -> None:
    made = api.ask("Hello!", store=False)
    assert made.status == "completed"
    if made.id:
        refused(404, lambda: api.interactions.get(id=made.id))


def get_with_input(api: Api) -> None:
    made = api.ask("Hello!")
    first, *rest = api.interactions.get(id=made.id, include_input=True).steps
    assert first.type == "user_input"
    assert first.content[0].text == "Hello!"
    assert [step.type for step in rest] == [step.type for step in made.steps]
    assert rest[-1].content[0].text == made.steps[-1].content[0].text


def deleted_is_not_found(api: Api) -> None:
    made = api.ask("Hello!")
    assert api.interactions.get(id=made.id).id == made.id
    api.interactions.delete(id=made.id)
    refused(404, lambda: api.interactions.get(id=made.id))


def unknown_previous_is_not_found(api: Api) -> None:
    gone = api.ask("Hello!")
    api.interactions.delete(id=gone.id)
    refused(404, lambda: api.ask("And now?", previous_interaction_id=gone.id))


def model_and_agent_is_refused(api: Api) -> None:
    # The client refuses both by itself: the second one goes past it.
    refused(400, lambda: api.ask("Hello!", extra_body={"agent": api.agent}))


def neither_model_nor_agent_is_refused(api: Api) -> None:
    refused(400, lambda: api.ask("Hello!", extra_body={"model": None}))


def labels_and_tier(api: Api) -> None:
    made = api.ask("Hello!", labels={"team": "tides"}, service_tier="standard")
    assert made.labels == {"team": "tides"}, made.labels
    assert made.service_tier == "standard", made.service_tier


def search_citations(api: Api) -> None:
    made = api.ask("What is a tidal barrage?", tools=[{"type": "google_search"}])
    calls = steps_of(made, "google_search_call")
    assert calls and all(call.id and call.arguments.queries for call in calls), calls
    assert {result.call_id for result in steps_of(made, "google_search_result")} == {call.id for call in calls}
    check_citations(made)


def picture_and_document_input(api: Api) -> None:
    picture = base64.b64encode((Path(__file__).parent / "red.png").read_bytes()).decode()
    table = base64.b64encode(b"place,temperature\nLisbon,21\n").decode()
    contents: list[dict[str, Any]] = [
        {"type": "text", "text": "What do you see?"},
        {"type": "image", "mime_type": "image/png", "data": picture},
        {"type": "document", "mime_type": "text/csv", "data": table},
    ]
    made = api.ask(contents)
    assert made.status == "completed" and made.output_text
    stored = api.interactions.get(id=made.id, include_input=True)
    assert [content.type for content in stored.steps[0].content] == ["text", "image", "document"]


def picture_output(api: Api) -> None:
    made = api.ask("Draw a red circle.", response_format={"type": "image", "mime_type": "image/png"})
    contents = [content for step in steps_of(made, "model_output") for content in step.content]
    pictures = [content for content in contents if content.type == "image"]
    assert pictures, f"no picture among {[content.type for content in contents]}"
    assert pictures[0].mime_type == "image/png"
    assert base64.b64decode(pictures[0].data).startswith(b"\x89PNG\r\n\x1a\n")


def continuation(api: Api) -> None:
    made = api.ask("Count to three, with pauses.")
    assert made.status == "completed"
    assert made.output_text == "one two three", made.output_text
    assert len(made.steps) == 3
    assert made.continuation_ids and made.continuation_ids[-1] == made.id, made.continuation_ids
    assert made.usage.initial_input_tokens < made.usage.total_input_tokens, made.usage


def continuation_stream(api: Api) -> None:
    events = list(api.ask("Count to three, with pauses.", stream=True))
    check_stream(events, pairs=3)
    assert "".join(delta.text for delta in deltas_of(events, "text")) == "one two three"
    ends = [event.interaction.status for event in events if event.event_type == "interaction.completed"]
    assert ends == ["requires_continuation", "requires_continuation", "completed"], ends


def _result(call_id: str) -> dict[str, Any]:
    weather = {"temperature": "21 °C", "sky": "clear"}
    return {"type": "function_result", "call_id": call_id, "name": "get_weather", "result": weather}
