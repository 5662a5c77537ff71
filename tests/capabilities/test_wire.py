"""The wire says and hears what the SDK would: requests and events alike, over one connection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from google.adk.agents.run_config import StreamingMode

from interactions_emulator import Emulator
from tests.capabilities.conftest import Script, Solo
from tests.scripts import call, cited, said, search, thought
from tools.interactions import backend, sdk, transport
from tools.interactions.client import retry_after, status_of
from tools.interactions.http_answer import BadStatus, NotSent
from tools.interactions.sdk import WiredClient, create_stream

TEXT = {"type": "text", "text": "Größe 🌊"}
REQUESTS: tuple[dict[str, Any], ...] = (
    {"model": "gemini-3.8-flash", "input": "hello"},
    {"model": "gemini-3.8-flash", "input": [{"type": "user_input", "content": [TEXT, TEXT]}], "store": False},
    {
        "model": "gemini-3.8-flash",
        "input": [{"type": "user_input", "content": [{"type": "image", "mime_type": "image/png", "data": "iVBORw0="}]}],
        "system_instruction": "Be “brief”.",
        "generation_config": {"temperature": 0.2, "thinking_level": "low", "stop_sequences": ["END"]},
        "response_modalities": ["text"],
        "labels": {"team": "desk"},
        "service_tier": "flex",
    },
    {
        "model": "gemini-3.8-flash",
        "input": [{"type": "function_result", "call_id": "c", "name": "f", "result": {"a": [1, "x"], "b": {"c": 1.5}}}],
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}},
            {"type": "google_search"},
            {"type": "mcp_server", "name": "m", "url": "https://m.example", "headers": {"authorization": "Bearer t"}},
        ],
        "previous_interaction_id": "v1_x",
        "response_format": [{"type": "text", "mime_type": "application/json", "schema": {"type": "object"}}],
    },
    {
        "agent": "deep-research-preview-04-2026",
        "input": [{"type": "user_input", "content": [TEXT]}],
        "agent_config": {"type": "deep-research", "thinking_summaries": "auto", "collaborative_planning": True},
        "background": True,
        "store": True,
    },
)
ANSWERS: tuple[list[dict[str, Any]], ...] = (
    [said("Hello 🌊")],
    [thought("Hm."), search("bees"), {"type": "model_output", "content": [cited("Bees fly.", "Bees fly.")]}],
    [call("get_weather", "fc_1", place="Bergen", days=2)],
)


@pytest.fixture
async def client(api: Emulator) -> AsyncIterator[WiredClient]:
    found = backend.client(retries=False)
    assert isinstance(found, WiredClient)
    yield found
    await found.aio.aclose()


async def sent(by: Callable[[], Awaitable[Any]]) -> httpx.Request:
    """The request that would be sent."""
    rehearsal = transport.Rehearsal(httpx.Response(200, json={"id": "v1_x", "status": "completed"}))
    before = transport._rehearsal.set(rehearsal)
    await by()
    transport._rehearsal.reset(before)
    assert rehearsal.request
    return rehearsal.request


@pytest.mark.parametrize("asked", REQUESTS)
async def test_a_request_is_the_one_that_the_sdk_sends(client: WiredClient, asked: dict[str, Any]) -> None:
    await client.wire._known()
    own = {"x-own": "1"}
    theirs = await sent(lambda: client.aio.interactions.create(**asked, stream=True, extra_headers=own))
    ours = await sent(lambda: client.wire.create({**asked, "stream": True}, own))
    assert json.loads(ours.content) == json.loads(theirs.content)
    assert (ours.method, ours.url, ours.extensions["timeout"]) == (
        theirs.method,
        theirs.url,
        theirs.extensions["timeout"],
    )
    assert {name for name, _ in {*ours.headers.items()} ^ {*theirs.headers.items()}} <= {"accept", "content-length"}


@pytest.mark.parametrize("last", [None, "e_7"])
async def test_so_is_the_one_that_attaches(client: WiredClient, last: str | None) -> None:
    await client.wire._known()
    theirs = await sent(lambda: client.aio.interactions.get("v1_x", stream=True, last_event_id=last))
    ours = await sent(lambda: client.wire.attach("v1_x", last))
    assert (ours.method, ours.url.path) == (theirs.method, theirs.url.path)
    assert {*ours.url.params.items()} == {*theirs.url.params.items()}


async def test_credentials_are_asked_for_again(client: WiredClient, monkeypatch: pytest.MonkeyPatch) -> None:
    known = await client.wire._known()
    assert await client.wire._known() is known
    monkeypatch.setattr(client.wire, "_until", 0.0)
    assert await client.wire._known() is not known


@pytest.mark.parametrize("answer", ANSWERS)
async def test_events_are_those_of_the_sdk(
    client: WiredClient, script: Script, answer: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "joined", list)  # as they were sent
    script.answers = [answer, answer]
    asked = {"model": "gemini-3.8-flash", "input": "hello"}
    theirs = [event async for event in await client.aio.interactions.create(**asked, stream=True)]
    ours = [event async for event in await create_stream(client, asked, None)]
    assert [type(event) for event in ours] == [type(event) for event in theirs]
    for our, their in zip(ours, theirs, strict=True):
        assert without_ids(our) == without_ids(their)


def without_ids(event: Any) -> dict[str, Any]:
    data = event.model_dump(mode="json")
    for name in ("event_id", "interaction_id"):
        data.pop(name, None)
    data["interaction"] = {
        key: value for key, value in (data.get("interaction") or {}).items() if key not in ("id", "created", "updated")
    }
    return dict(data)


ODD = (
    {"event_type": "interaction.novelty", "more": 1},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "hologram", "depth": 3}},
    {"event_type": "step.start", "index": 1, "step": {"type": "hologram"}},
    {"event_type": "step.delta", "index": "first", "delta": 3},
)


@pytest.mark.parametrize("event", ODD)
async def test_an_event_that_nobody_foresaw_is_what_the_sdk_makes_of_it(
    client: WiredClient, event: dict[str, Any]
) -> None:
    content = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=content)
    _, stream = await transport.rehearse(client, answer, stream=True)
    [theirs] = [each async for each in stream]
    ours = await sdk._model(client, event)
    assert type(ours) is type(theirs)
    assert ours == theirs


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
async def test_an_error_has_the_status_and_the_words_of_the_server(
    client: WiredClient, api: Emulator, status: int
) -> None:
    api.faults({"on": "get", "status": status, "retry_after_ms": 7000})
    with pytest.raises(BadStatus) as raised:
        await client.wire.get("v1_x")
    assert (status_of(raised.value), retry_after(raised.value)) == (status, 7.0)
    assert raised.value.message and str(raised.value) == f"HTTP {status}: {raised.value.message}"


async def test_a_connection_that_cannot_be_made_has_sent_nothing(client: WiredClient, api: Emulator) -> None:
    await client.wire._known()
    api.close()
    with pytest.raises(NotSent) as raised:
        await client.wire.create({"model": "gemini-3.8-flash", "input": "hello"})
    assert raised.value.transient


@pytest.mark.parametrize("base", ["ftp://127.0.0.1", "nowhere"])
async def test_an_address_that_is_none_has_sent_nothing(base: str) -> None:
    client = sdk.new_client(base, retries=False, enterprise=False, api_key="k")
    with pytest.raises(NotSent):
        await client.wire.create({"model": "gemini-3.8-flash", "input": "hello"})
    await client.aio.aclose()


async def test_twenty_turns_take_one_connection(solo: Solo, api: Emulator) -> None:
    talk = solo(mode=StreamingMode.SSE)
    for _ in range(20):
        await talk.say("hello")
    assert len({request["connection"] for request in api.log()["requests"] if request["method"] == "POST"}) == 1
