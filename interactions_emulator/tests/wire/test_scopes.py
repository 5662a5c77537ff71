"""Tests that share one server: each scope has state, faults, clock and log of its own."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import httpx2
import pytest
from google import genai

from interactions_emulator import Emulator
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.http.app import App, create_app
from interactions_emulator.http.build_context import build_context
from interactions_emulator.http.scopes import HEADER, Scopes
from interactions_emulator.http.serving import _stop_when_idle
from interactions_emulator.http.settings import Settings
from interactions_emulator.requests.create import parse_create
from wire.brains import brain
from wire.conftest import AGENT, MODEL, Wire, research


def test_scopes_share_nothing_but_the_server(held: Emulator, wire: Wire) -> None:
    one, two = held.scope("test one"), held.scope("test/zwei ü")
    one.faults({"on": "create", "status": 503})
    wire.refused(wire.http.post("/interactions", json=research(), headers=one.headers), 503)
    first = wire.create(research(), **one.headers)["id"]
    second = wire.create(research(), **two.headers)["id"]
    two.advance(3600)
    assert [(api.log()["creates"], len(api.log()["requests"])) for api in (held, one, two)] == [(0, 0), (1, 2), (1, 1)]
    assert wire.good(wire.http.get(f"/interactions/{first}", headers=one.headers))["status"] == "in_progress"
    assert wire.good(wire.http.get(f"/interactions/{second}", headers=two.headers))["status"] == "completed"
    wire.refused(wire.http.get(f"/interactions/{first}", headers=two.headers), 404)
    wire.refused(wire.http.get(f"/interactions/{first}"), 404)


def test_leaving_a_scope_deletes_what_is_in_it_and_cuts_its_streams(held: Emulator, wire: Wire) -> None:
    with held.scope("a") as mine:
        stream = wire.events(
            wire.http.build_request("POST", "/interactions", json=research(stream=True), headers=mine.headers)
        )
        next(stream)
        other = wire.create(research())["id"]
    with pytest.raises(httpx2.RemoteProtocolError):
        list(stream)
    assert mine.log()["creates"] == 0
    assert wire.get(other)["status"] == "in_progress"


async def test_an_idle_server_does_not_end_while_an_interaction_runs_in_a_scope() -> None:
    closing = asyncio.Event()

    def create() -> App:
        return create_app(build_context(Settings(brain=brain, speed=0), Journal(), None, brain, closing))

    scopes = Scopes(create(), create)
    exchange = SimpleNamespace(method="GET", path="/v1beta/interactions/x", query=b"", headers={HEADER.encode(): b"a"})
    exchange.body, exchange.too_large, exchange.connection, exchange.reply = b"", False, 1, lambda *answer: None
    scopes(exchange)  # type: ignore[arg-type]
    log, runs = scopes.apps[1].context.log, scopes.apps[1].context.runs
    run = runs.create(parse_create(json.dumps(research()).encode()), "", "")
    began = log.last_activity
    watch = asyncio.create_task(_stop_when_idle(0.01, scopes, closing))
    while log.last_activity == began and not watch.done():
        await asyncio.sleep(0)
    assert not closing.is_set()
    runs.cancel(run.interaction.id)
    await watch
    assert closing.is_set()


def test_the_sdk_reaches_a_scope_by_the_header_of_its_options() -> None:
    with Emulator(brain=brain, speed=0) as api, api.scope("sdk") as mine:
        options = {"base_url": mine.url, "headers": mine.headers}
        with genai.Client(api_key="any", http_options=options) as client:
            run = client.interactions.create(agent=AGENT, input="tides", background=True)
            mine.advance(3600)
            assert client.interactions.get(id=run.id).status == "completed"
        assert (mine.log()["creates"], api.log()["creates"]) == (1, 0)


def test_too_many_scopes_are_refused_with_the_way_to_end_some(
    api: Emulator, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interactions_emulator.http.scopes.MAX_SCOPES", 3)
    for number in range(3):
        wire.http.get("/interactions/x", headers=api.scope(str(number)).headers)
    refused = wire.http.post("/interactions", json={"model": MODEL, "input": "Hi"}, headers=api.scope("more").headers)
    assert "DELETE /_emulator/scope" in wire.refused(refused, 429)
    with api.scope("0"):
        pass
    assert wire.create({"model": MODEL, "input": "Hi"}, **api.scope("more").headers)["status"] == "completed"
