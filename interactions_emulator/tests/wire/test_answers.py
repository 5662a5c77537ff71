"""What a client of the real SDK gets, and what crosses the socket."""

from __future__ import annotations

import json
import re
import socket

from google import genai

from interactions_emulator import Emulator, __version__
from wire.brains import EVERY_STEP, REPORT, WAIT
from wire.conftest import AGENT, MODEL, Wire


async def test_the_sdk_creates_and_gets_an_interaction(client: genai.Client) -> None:
    made = await client.aio.interactions.create(model=MODEL, input="hello", labels={"team": "docs"})
    assert (made.status, made.output_text, made.model) == ("completed", "You said: hello", MODEL)
    assert made.usage.total_tokens == made.usage.total_input_tokens + made.usage.total_output_tokens
    same = client.interactions.get(made.id)
    assert (same.output_text, same.labels) == (made.output_text, {"team": "docs"})
    assert same.usage.total_tokens == made.usage.total_tokens


async def test_the_sdk_streams_an_answer(client: genai.Client) -> None:
    kinds, text = [], ""
    async for event in await client.aio.interactions.create(model=MODEL, input="hello", stream=True):
        kinds.append(event.event_type)
        if event.event_type == "step.delta":
            text += event.delta.text
    assert text == "You said: hello"
    assert kinds == [
        "interaction.created",
        "interaction.status_update",
        "step.start",
        *["step.delta"] * 3,
        "step.stop",
        "interaction.completed",
    ]


def test_the_sdk_completes_a_function_call_round_trip(client: genai.Client) -> None:
    tools = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]
    asked = client.interactions.create(model=MODEL, input="weather in Bonn", tools=tools)
    call = asked.steps[-1]
    assert (asked.status, call.name, call.arguments) == ("requires_action", "weather", {"city": "Bonn"})
    result = {"type": "function_result", "call_id": call.id, "name": "weather", "result": {"celsius": 21}}
    told = client.interactions.create(model=MODEL, input=[result], previous_interaction_id=asked.id, tools=tools)
    assert (told.status, told.output_text) == ("completed", "results: [{'celsius': 21}]")


async def test_the_sdk_streams_resumes_cancels_and_deletes_a_research_run(client: genai.Client) -> None:
    interactions = client.aio.interactions
    stream = await interactions.create(agent=AGENT, input="tides", background=True, stream=True)
    events = [event async for event in stream]
    done = events[-1].interaction
    again = await interactions.get(done.id, stream=True, last_event_id=events[-3].event_id)
    assert [event.event_id async for event in again] == [event.event_id for event in events[-2:]]
    assert (await interactions.cancel(done.id)).status == "completed"
    assert await interactions.delete(done.id) is None


def test_every_step_and_event_type_passes_strict_validation(wire: Wire) -> None:
    tools = [{"type": "function", "name": "look"}, {"type": "google_search"}]
    events = list(wire.stream({"model": MODEL, "input": "every step", "tools": tools, "service_tier": "flex"}))
    stored = wire.get(events[0]["interaction"]["id"])
    assert stored["steps"] == EVERY_STEP
    assert (stored["status"], events[-1]["interaction"]["status"]) == ("requires_action",) * 2
    assert stored["usage"]["grounding_tool_count"] == [{"type": "google_search", "count": 1}]
    assert events[-1]["interaction"]["usage"] == stored["usage"]


def test_usage_counts_input_output_and_thought_tokens(wire: Wire) -> None:
    first = wire.create({"model": MODEL, "input": "hello"})
    second = wire.create({"model": MODEL, "input": "hello", "previous_interaction_id": first["id"]})
    whole = wire.create({"model": MODEL, "input": "every step"})["usage"]
    assert (first["usage"]["total_input_tokens"], first["usage"]["total_output_tokens"]) == (2, 4)
    assert second["usage"]["total_input_tokens"] == 2 + 4 + 2
    assert whole["total_thought_tokens"] == 2
    modalities = {line["modality"]: line["tokens"] for line in whole["output_tokens_by_modality"]}
    assert modalities["image"] == 258
    parts = ("total_input_tokens", "total_output_tokens", "total_thought_tokens", "total_tool_use_tokens")
    assert whole["total_tokens"] == sum(whole[part] for part in parts)


def test_concatenated_deltas_equal_the_stored_step(wire: Wire) -> None:
    events = list(wire.stream({"model": MODEL, "input": "every step"}))
    deltas: dict[int, list[dict]] = {}
    for event in events:
        if event["event_type"] == "step.delta":
            deltas.setdefault(event["index"], []).append(event["delta"])
    report = deltas[3]
    assert "".join(delta["text"] for delta in report if delta["type"] == "text") == REPORT
    assert [delta["type"] for delta in report].count("text") > 5
    assert report[-1]["annotations"] == EVERY_STEP[3]["content"][0]["annotations"]
    assert deltas[4][0]["data"] == EVERY_STEP[4]["content"][0]["data"]
    arguments = "".join(delta["arguments"] for delta in deltas[len(EVERY_STEP) - 1])
    assert json.loads(arguments) == EVERY_STEP[-1]["arguments"]


def test_each_event_has_a_unique_id_and_one_data_line(wire: Wire) -> None:
    text = "a\u2028b\u2029c\x85d\ne"
    raw = wire.http.post("/interactions", json={"model": MODEL, "input": text, "stream": True}).text
    frames = raw.removesuffix("event: done\ndata: [DONE]\n\n").split("\n\n")[:-1]
    events = []
    for frame in frames:
        name, data = re.fullmatch("event: (.*)\ndata: (.*)", frame).groups()
        assert len(data.splitlines()) == 1
        events.append(json.loads(data))
        assert events[-1]["event_type"] == name
    assert len({event["event_id"] for event in events}) == len(frames)
    assert "".join(event["delta"]["text"] for event in events if "delta" in event) == f"You said: {text}"


def test_a_stream_that_is_sent_at_once_has_the_bytes_of_one_that_is_sent_event_by_event(wire: Wire) -> None:
    path = f"/interactions/{wire.create({'model': MODEL, 'input': 'hello'})['id']}?stream=true"
    at_once = wire.http.get(path)
    in_pieces = wire.http.get(path, headers={"x-emulator-fault": '{"before": ""}'})
    assert at_once.content == in_pieces.content
    assert at_once.headers == in_pieces.headers


def test_input_is_returned_only_if_requested(wire: Wire) -> None:
    made = wire.create({"model": MODEL, "input": "hello"})
    assert [step["type"] for step in wire.get(made["id"])["steps"]] == ["model_output"]
    whole = wire.get(made["id"], include_input="true")["steps"]
    assert whole[0] == {"type": "user_input", "content": [{"type": "text", "text": "hello"}]}
    assert whole[1:] == made["steps"]


def test_input_is_accepted_in_four_forms(wire: Wire) -> None:
    content = {"type": "text", "text": "hello"}
    for given in ("hello", content, [content], [{"type": "user_input", "content": [content]}]):
        assert wire.create({"model": MODEL, "input": given})["steps"][0]["content"][0]["text"] == "You said: hello"


def test_all_api_versions_and_vertex_paths_serve_the_same_interactions(api: Emulator, wire: Wire) -> None:
    wire.http.base_url = api.url
    vertex = "/v1beta1/projects/p/locations/global/interactions"
    bearer = {"x-goog-api-key": "", "authorization": "Bearer token"}
    made = wire.good(wire.http.post(vertex, json={"model": MODEL, "input": "hello"}, headers=bearer))
    for path in ("/v1/interactions", "/v1beta/interactions", vertex):
        assert wire.good(wire.http.get(f"{path}/{made['id']}"))["id"] == made["id"]


def test_the_emulator_identifies_itself_in_headers_ids_and_the_index_page(wire: Wire) -> None:
    response = wire.http.post("/interactions", json={"model": MODEL, "input": "hello"})
    assert response.headers["server"] == f"interactions-emulator/{__version__}"
    assert re.fullmatch(r"v1_emu_[A-Za-z0-9_-]{24}", response.json()["id"])
    about = wire.http.get(wire.http.base_url.join("/")).json()
    assert (about["name"], about["version"], about["documents"]) == ("interactions-emulator", __version__, 0)


def test_an_exception_in_the_brain_ends_the_interaction_as_failed(wire: Wire) -> None:
    events = list(wire.stream({"model": MODEL, "input": "break"}))
    assert [event["event_type"] for event in events[-2:]] == ["error", "interaction.completed"]
    assert events[-1]["interaction"]["status"] == "failed"
    stored = wire.get(events[0]["interaction"]["id"])
    assert stored["errors"] == [{"code": "internal_error", "message": "The brain failed: RuntimeError: no idea"}]
    assert len(stored["steps"]) == 1


def test_an_interaction_continues_after_its_stream_is_closed(held: Emulator, wire: Wire) -> None:
    started = wire.stream({"model": MODEL, "input": "slowly"})
    interaction_id = next(started)["interaction"]["id"]
    started.close()
    assert wire.get(interaction_id)["status"] == "in_progress"
    held.advance(WAIT)
    assert wire.get(interaction_id)["steps"][0]["content"][0]["text"] == "Slow and steady."


def test_an_interaction_continues_after_a_waiting_client_disconnects(held: Emulator) -> None:
    body = json.dumps({"model": MODEL, "input": "slowly"})
    head = f"POST /v1/interactions HTTP/1.1\r\nhost: x\r\nx-goog-api-key: k\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", held.port)) as connection:
        connection.sendall((head + body).encode())
        while not held.interactions():
            pass
    held.advance(WAIT)
    assert [line["status"] for line in held.interactions()] == ["completed"]
