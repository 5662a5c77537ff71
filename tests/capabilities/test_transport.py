"""The transport sends and reads what the SDK would: requests and events alike, over one connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from google.adk.agents.run_config import StreamingMode
from google.auth.exceptions import DefaultCredentialsError
from google.genai import Client
from google.genai.types import HttpOptions, HttpRetryOptions
from google.oauth2.credentials import Credentials

from interactions_emulator import Emulator
from tests.capabilities.conftest import Script, Solo
from tests.scripts import call, cited, said, search, thought
from tools.adk.answer_events import sdk_events
from tools.interactions import backend
from tools.interactions.endpoint import Endpoint, gemini_endpoint, vertex_endpoint
from tools.interactions.errors import BadStatus, NotSent, retry_after, status_of
from tools.interactions.transport import Transport

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


ODD = (
    {"event_type": "interaction.novelty", "more": 1},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "hologram", "depth": 3}},
    {"event_type": "step.start", "index": 1, "step": {"type": "hologram"}},
    {"event_type": "step.delta", "index": "first", "delta": 3},
)
CREDENTIALS = Credentials("the-token", quota_project_id="billed")
PLACES: dict[str, tuple[dict[str, Any], Endpoint]] = {
    "gemini": ({"enterprise": False, "api_key": "k"}, gemini_endpoint("", "k")),
    "vertex": (
        {"enterprise": True, "project": "p", "location": "europe-west4", "credentials": CREDENTIALS},
        vertex_endpoint("", "p", "europe-west4"),
    ),
    "vertex, global": (
        {"enterprise": True, "project": "p", "location": "global", "credentials": CREDENTIALS},
        vertex_endpoint("", "p", "global"),
    ),
    "vertex, eu": (
        {"enterprise": True, "project": "p", "location": "eu", "credentials": CREDENTIALS},
        vertex_endpoint("", "p", "eu"),
    ),
    "vertex, key": ({"enterprise": True, "api_key": "k"}, vertex_endpoint("", "", "", "k")),
    "behind a proxy": (
        {"enterprise": False, "api_key": "k", "base": "http://proxy.example/x/"},
        gemini_endpoint("http://proxy.example/x/", "k"),
    ),
}


def capturing(sent: list[httpx2.Request]) -> httpx2.AsyncClient:
    """A client that keeps each request and answers none."""

    def keep(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(400, json={"error": {"message": "captured"}})

    return httpx2.AsyncClient(transport=httpx2.MockTransport(keep), timeout=None)


async def theirs(place: str, ask: Callable[[Client], Awaitable[Any]]) -> httpx2.Request:
    """The request that the SDK sends."""
    sent: list[httpx2.Request] = []
    values = dict(PLACES[place][0])
    never = HttpRetryOptions(attempts=0, http_status_codes=[418])
    options = HttpOptions(base_url=values.pop("base", None), retry_options=never, httpx_async_client=capturing(sent))
    with suppress(Exception):
        await ask(Client(http_options=options, **values))
    return sent[0]


async def ours(place: str, ask: Callable[[Transport], Awaitable[Any]]) -> httpx2.Request:
    """The request that the transport sends."""
    sent: list[httpx2.Request] = []
    endpoint = replace(PLACES[place][1], credentials=lambda: CREDENTIALS)
    with pytest.raises(BadStatus):
        await ask(Transport(endpoint, capturing(sent)))
    return sent[0]


def without_clients(request: httpx2.Request) -> dict[str, str]:
    """The headers, without those that name the client and the formats that it reads."""
    left_out = ("user-agent", "x-goog-api-client", "accept", "content-length")
    return {name: value for name, value in request.headers.items() if name not in left_out}


@pytest.fixture
async def transport(api: Emulator) -> AsyncIterator[Transport]:
    found = backend.transport()
    yield found
    await found.aclose()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("asked", REQUESTS, ids=range(len(REQUESTS)))
async def test_a_create_request_equals_that_of_the_sdk(place: str, asked: dict[str, Any]) -> None:
    own = {"x-own": "1"}
    their = await theirs(place, lambda sdk: sdk.aio.interactions.create(**asked, stream=True, extra_headers=own))
    our = await ours(place, lambda transport: transport.create({**asked, "stream": True}, own))
    assert (our.method, our.url) == (their.method, their.url)
    assert json.loads(our.content) == json.loads(their.content)
    assert without_clients(our) == without_clients(their)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("last", [None, "e_7"])
async def test_a_request_that_attaches_to_a_stream_equals_that_of_the_sdk(place: str, last: str | None) -> None:
    their = await theirs(place, lambda sdk: sdk.aio.interactions.get("v1_x", stream=True, last_event_id=last))
    our = await ours(place, lambda transport: transport.attach("v1_x", last))
    assert (our.method, our.url.host, our.url.path) == (their.method, their.url.host, their.url.path)
    assert {*our.url.params.items()} == {*their.url.params.items()}
    assert our.headers.get("authorization") == their.headers.get("authorization")


async def test_an_expired_access_token_is_renewed() -> None:
    class Expiring(Credentials):
        def refresh(self, request: Any) -> None:
            self.token, self.expiry = "a-new-token", datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)

    expired = Expiring("an-old-token", expiry=datetime(2020, 1, 1))
    endpoint = replace(vertex_endpoint("", "p", "global"), credentials=lambda: expired)
    assert (await endpoint.headers())["authorization"] == "Bearer a-new-token"


async def test_without_credentials_nothing_is_sent_and_the_error_says_why() -> None:
    def none() -> Any:
        raise DefaultCredentialsError("your default credentials were not found")

    sent: list[httpx2.Request] = []
    endpoint = replace(vertex_endpoint("", "p", "global"), credentials=none)
    with pytest.raises(NotSent, match="your default credentials were not found"):
        await Transport(endpoint, capturing(sent)).get("v1_x")
    assert sent == []


@pytest.mark.parametrize("answer", ANSWERS)
async def test_stream_events_equal_those_of_the_sdk(
    transport: Transport, api: Emulator, script: Script, answer: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.adk.answer_events.join_pieces", list)  # events unmerged, as they were sent
    script.answers = [answer, answer]
    asked: dict[str, Any] = {"model": "gemini-3.8-flash", "input": "hello"}
    sdk = Client(enterprise=False, api_key="k", http_options=HttpOptions(base_url=api.url))
    theirs = [event async for event in await sdk.aio.interactions.create(**asked, stream=True)]
    ours = [event async for event in sdk_events(transport, asked, {}, watched=True)]
    assert [type(event) for event in ours] == [type(event) for event in theirs]
    for our, their in zip(ours, theirs, strict=True):
        assert without_ids(our) == without_ids(their)
    await sdk.aio.aclose()


def without_ids(event: Any) -> dict[str, Any]:
    data = event.model_dump(mode="json")
    for name in ("event_id", "interaction_id"):
        data.pop(name, None)
    data["interaction"] = {
        key: value for key, value in (data.get("interaction") or {}).items() if key not in ("id", "created", "updated")
    }
    return dict(data)


@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_unknown_events_do_not_change_the_answer(odd: dict[str, Any]) -> None:
    known = [
        {"event_type": "interaction.created", "interaction": {"id": "v1_x", "status": "in_progress"}},
        odd,
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Hello."}},
    ]
    content = "".join(f"data: {json.dumps(event)}\n\n" for event in known).encode()
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=content)))
    transport = Transport(gemini_endpoint("", "k"), http)
    seen = [event async for event in sdk_events(transport, {"model": "m", "input": "hello"}, {}, watched=True)]
    texts = [event.delta.text for event in seen if event.event_type == "step.delta" and event.delta.type == "text"]
    assert texts == ["Hello."]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
async def test_an_error_has_the_status_and_message_of_the_server(
    transport: Transport, api: Emulator, status: int
) -> None:
    api.faults({"on": "get", "status": status, "retry_after_ms": 7000})
    with pytest.raises(BadStatus) as raised:
        await transport.get("v1_x")
    assert (status_of(raised.value), retry_after(raised.value)) == (status, 7.0)
    assert raised.value.message and str(raised.value) == f"HTTP {status}: {raised.value.message}"


async def test_a_failed_connection_is_reported_as_not_sent(transport: Transport, api: Emulator) -> None:
    api.close()
    with pytest.raises(NotSent) as raised:
        await transport.create({"model": "gemini-3.8-flash", "input": "hello"})
    assert raised.value.retryable


@pytest.mark.parametrize("base", ["ftp://127.0.0.1", "nowhere"])
async def test_an_invalid_address_is_reported_as_not_sent(base: str) -> None:
    transport = Transport(gemini_endpoint(base, "k"))
    with pytest.raises(NotSent):
        await transport.create({"model": "gemini-3.8-flash", "input": "hello"})
    await transport.aclose()


async def test_twenty_turns_reuse_one_connection(solo: Solo, api: Emulator) -> None:
    talk = solo(mode=StreamingMode.SSE)
    for _ in range(20):
        await talk.say("hello")
    assert len({request["connection"] for request in api.log()["requests"] if request["method"] == "POST"}) == 1


async def test_150_requests_run_in_parallel() -> None:
    opened, go = asyncio.Semaphore(0), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        opened.release()
        await go.wait()
        body = b'{"id": "v1_x", "status": "completed"}'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, backlog=200) as listening:
        transport = Transport(gemini_endpoint(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", "k"))
        asking = [asyncio.create_task(transport.get("v1_x")) for _ in range(150)]
        for _ in asking:
            await opened.acquire()
        go.set()
        assert {answer["id"] for answer in await asyncio.gather(*asking)} == {"v1_x"}
        await transport.aclose()
