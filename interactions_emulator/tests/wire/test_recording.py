"""What is recorded of an API is played again to the byte, and nothing secret is in the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import yaml
from google import genai

from interactions_emulator import Emulator
from wire.brains import WAIT
from wire.conftest import AGENT, KEY, MODEL, Wire, research
from wire.recorder import read, recorder, replayed

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
Answer = tuple[int, str, str | None, bytes, bool]


class Session:
    """Requests whose answers are kept to the byte."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=f"{url}/v1beta", headers=KEY, timeout=300)
        self.answers: list[Answer] = []

    def ask(self, method: str, path: str, fault: dict[str, Any] | None = None, **options: Any) -> bytes:
        headers = {"x-emulator-fault": json.dumps(fault)} if fault else {}
        body, cut = b"", False
        with self.http.stream(method, path, headers=headers, **options) as answer:
            try:
                for chunk in answer.iter_bytes():
                    body += chunk
            except httpx2.RemoteProtocolError:
                cut = True
        said = answer.headers
        self.answers.append((answer.status_code, said["content-type"], said.get("retry-after-ms"), body, cut))
        return body

    def create(self, fault: dict[str, Any] | None = None, **body: Any) -> bytes:
        return self.ask("POST", "/interactions", fault, json=body)


def everything(url: str, advance: Callable[[float], None]) -> list[Answer]:
    """A session with one of each: unary, streamed, called back, refused, in the background, cut, resumed, deleted."""
    session = Session(url)
    session.create(model=MODEL, input="hier 🌊\u2028\x85 \ttab", labels={"number": "1"})
    session.create(model=MODEL, input="every step", stream=True)
    call = json.loads(session.create(model=MODEL, input="weather in Bonn", tools=[WEATHER]))
    result = {"type": "function_result", "call_id": call["steps"][0]["id"], "name": "weather", "result": "7 °C"}
    session.create(model=MODEL, input=[result], tools=[WEATHER], previous_interaction_id=call["id"])
    session.create({"on": "create", "status": 429, "retry_after_ms": 1}, model=MODEL, input="again")
    session.create(model=MODEL, input="again")
    started = session.create({"on": "create_stream", "cut_inside": 1}, **research(), stream=True)
    first = json.loads(started.partition(b"data: ")[2].partition(b"\n")[0])
    place = f"/interactions/{first['interaction']['id']}"
    session.ask("GET", place, params={"stream": "false"})
    advance(6 * WAIT)
    session.ask("GET", place, params={"stream": "false"})
    session.ask("GET", place, params={"last_event_id": first["event_id"], "stream": "true"})
    session.ask("POST", f"{place}/cancel")
    session.ask("DELETE", place)
    session.ask("GET", place, params={"stream": "false"})
    session.ask("GET", "/interactions/nobody")
    session.http.close()
    return session.answers


def test_a_recorded_session_is_replayed_byte_for_byte(held: Emulator, file: Path) -> None:
    with recorder(file, held.url) as url:
        recorded = everything(url, held.advance)
    with Emulator(scenarios=file, brain=lambda turn: []) as api:
        assert everything(api.url, lambda seconds: None) == recorded
    assert [answer[0] for answer in recorded] == [200, 200, 200, 200, 429, 200, *[200] * 6, 404, 404]
    assert [answer[4] for answer in recorded] == [number == 6 for number in range(14)]
    polled = [json.loads(answer[3])["status"] for answer in recorded[7:9]]
    assert polled == ["in_progress", "completed"]


async def sdk_session(url: str) -> list[Any]:
    """What the SDK makes of the answers."""
    options = {"base_url": url, "retry_options": {"attempts": 2}}
    client = genai.Client(api_key="another key of 2026", http_options=options)
    interactions, seen = client.aio.interactions, []
    one = await interactions.create(model=MODEL, input="Hello", system_instruction="Be kind.")
    seen += [one, await interactions.create(model=MODEL, input="And?", previous_interaction_id=one.id)]
    seen += [event async for event in await interactions.create(model=MODEL, input="every step", stream=True)]
    background = await interactions.create(agent=AGENT, input="tides", background=True)
    stream = await interactions.get(background.id, stream=True)
    first = await anext(aiter(stream))
    await stream.close()
    seen += [event async for event in await interactions.get(background.id, stream=True, last_event_id=first.event_id)]
    seen += [background, await interactions.get(background.id), await interactions.delete(background.id)]
    await client.aio.aclose()
    client.close()
    return [thing and thing.model_dump() for thing in seen]


async def test_the_sdk_sees_no_difference_between_recording_and_replay(api: Emulator, file: Path) -> None:
    with recorder(file, api.url) as url:
        recorded = await sdk_session(url)
    async with Emulator(scenarios=file, brain=lambda turn: []) as replaying:
        assert await sdk_session(replaying.url) == recorded


def test_the_recorder_changes_no_byte_and_forwards_each_event_at_once(held: Emulator, file: Path) -> None:
    with recorder(file, held.url) as url:
        wire = Wire(url)
        stream = wire.stream(research())
        seen = [next(stream), next(stream)]
        held.advance(WAIT)
        seen.append(next(stream))
        held.advance(6 * WAIT)
        seen += stream
        place = f"/interactions/{seen[0]['interaction']['id']}"
        direct = Wire(held.url)
        for query in ({"stream": "true"}, {}):
            there, here = (each.http.get(place, params=query) for each in (direct, wire))
            assert (there.content, there.headers) == (here.content, here.headers)


def test_a_stream_closed_by_the_client_is_recorded_as_cut(held: Emulator, file: Path) -> None:
    with recorder(file, held.url) as url:
        stream = Wire(url).stream(research())
        created = next(stream)
        stream.close()
        with httpx2.Client() as http:
            for _ in range(2_000):
                assert http.get(f"{url}/other").status_code == 404
                if file.stat().st_size:
                    break
            recorded = read(file)  # not only when the recorder ends
    (exchange,) = recorded
    assert exchange.response.cut and exchange.response.events
    assert created["event_id"] in exchange.response.events[0].data


SECRETS = {
    "key": "AIzaSyKeyOfTheHeader",
    "bearer": "ya29.token-of-the-header",
    "query": "AIzaSyKeyOfTheQuery",
    "mcp": "mcp-header-secret",
    "plain": "short",
    "team": "key-of-the-team",
    "user": "user:of-an-address",
    "address": "token-of-an-address",
    "variable": "variable-of-an-environment",
    "injected": "header-of-an-environment",
}


def test_a_recording_contains_no_secret(held: Emulator, file: Path) -> None:
    mcp = {
        "type": "mcp_server",
        "name": "d",
        "url": f"https://{SECRETS['user']}@example.org/?token={SECRETS['address']}",
        "headers": {
            "Authorization": f"Bearer {SECRETS['mcp']}",
            "X-Team": SECRETS["plain"],
            "X-Team-Key": SECRETS["team"],
            "Accept": "application/json",
        },
    }
    transform = {"Authorization": SECRETS["injected"]}
    environment = {
        "type": "remote",
        "env": {"API_KEY": SECRETS["variable"]},
        "network": {"allowlist": [{"domain": "*", "transform": transform}]},
    }
    quoted = f"keys for application/json: {SECRETS['team']} {SECRETS['key']} {SECRETS['mcp']} {SECRETS['variable']}"
    hook = {"uri": f"http://127.0.0.1:9/?secret={SECRETS['address']}", "subscribed_events": ["interaction.completed"]}
    headers = {"x-goog-api-key": SECRETS["key"], "authorization": f"Bearer {SECRETS['bearer']}"}
    made: list[str] = []

    def talk(url: str) -> list[httpx2.Response]:
        with httpx2.Client(base_url=f"{url}/v1beta", headers=headers) as http:
            create = {"model": MODEL, "input": quoted, "tools": [mcp], "environment": environment}
            answers = [
                http.post("/interactions", params={"key": SECRETS["query"]}, json=create),
                http.post("/interactions", json={**create, "stream": True}),
                http.post("/interactions", json={"model": MODEL, "input": f"also {SECRETS['query']}"}),
                http.post("/webhooks", json=hook),
            ]
            webhook = f"/webhooks/{answers[3].json()['id']}"
            answers += [http.post(f"{webhook}:rotateSigningSecret", json={}), http.get("/webhooks"), http.get(webhook)]
        made.extend([answers[3].json()["new_signing_secret"], answers[4].json()["secret"]])
        return answers

    with recorder(file, held.url) as url:
        recorded = talk(url)
    assert [answer.status_code for answer in recorded] == [200] * 7
    text = file.read_text(encoding="utf-8")
    assert [secret for secret in [*SECRETS.values(), *made] if secret in text] == []
    assert "Authorization: REDACTED" in text and "truncated_secret: whsec_" in text and "for application/json" in text
    with replayed(file) as url:
        for then, now in zip(recorded, talk(url), strict=True):
            expected = then.text.replace('"Accept":"application/json"', '"Accept":"REDACTED"')
            for secret in (*SECRETS.values(), *made):
                expected = expected.replace(secret, "REDACTED")
            assert now.text == expected.replace("Bearer REDACTED", "REDACTED")


def test_message_contents_that_resemble_secrets_are_not_redacted(api: Emulator, file: Path) -> None:
    headers = {"type": "object", "properties": {"token": {"type": "string"}, "headers": {"type": "string"}}}
    tool = {**WEATHER, "parameters": {"type": "object", "properties": {"headers": headers}, "required": ["secret"]}}
    step = {"type": "function_call", "id": "c", "name": "weather", "arguments": {"token": "BTC", "url": "/?key=1"}}
    said = [step, {"type": "function_result", "call_id": "c", "name": "weather", "result": {"secret": "none"}}]
    with recorder(file, api.url) as url:
        answer = Wire(url).create({"model": MODEL, "input": said, "tools": [tool]})
    (exchange,) = read(file)
    assert (exchange.request.body["input"], exchange.request.body["tools"]) == (said, [tool])
    assert exchange.response.body == answer


def test_a_recording_is_readable_yaml(api: Emulator, file: Path) -> None:
    with recorder(file, api.url) as url:
        wire = Wire(url)
        answer = wire.create({"model": MODEL, "input": "Hello 🌊"})
        events = list(wire.stream({"model": MODEL, "input": "Hello"}))
    unary, streamed = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert unary["response"]["body"] == answer
    assert unary["request"] == {
        "method": "POST",
        "path": "/interactions",
        "body": {"model": MODEL, "input": "Hello 🌊"},
    }
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines.count("      data: |+") + lines.count("    - data: |+") == len(events) + 1
    assert lines.count("        event: interaction.completed") == 1
    assert len(streamed["response"]["events"]) == len(events) + 1
