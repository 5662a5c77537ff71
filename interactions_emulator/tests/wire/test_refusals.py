"""What the server refuses, with which status, and which words say why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from interactions_emulator import Emulator
from wire.brains import brain
from wire.conftest import AGENT, MODEL, Wire, research

FUNCTION = {"type": "function", "name": "f"}
TEXT = {"type": "text", "text": "x"}


@pytest.fixture(scope="module")
def api() -> Iterator[Emulator]:
    """One server for all: a refused request leaves nothing behind."""
    with Emulator(brain=brain) as emulator:
        yield emulator


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": MODEL, "agent": AGENT, "input": "x"}, "exactly one of model and agent"),
    ({"input": "x"}, "exactly one of model and agent"),
    ({"model": 3, "input": "x"}, "model: Input should be a valid string"),
    ({"model": MODEL, "input": "x", "stream": "true"}, "stream: Input should be a valid boolean"),
    ({"model": MODEL, "input": "x", "tools": {}}, "tools: Input should be a valid list"),
    ({"model": MODEL}, "input is missing or empty"),
    ({"model": MODEL, "input": ""}, "input is missing or empty"),
    ({"model": MODEL, "input": [{"role": "user", "content": "x"}]}, "google-genai 1.x"),
    ({"model": MODEL, "input": [TEXT, {"type": "user_input", "content": [TEXT]}]}, "among steps"),
    ({"model": MODEL, "input": [{"type": "song"}]}, "step type 'song' is unknown"),
    ({"model": MODEL, "input": {"type": "text"}}, "input[0].content[0].text must be a string"),
    ({"model": MODEL, "input": {"type": "image", "data": "§"}}, "is not base64"),
    ({"model": MODEL, "input": [{"type": "function_call", "id": "a", "name": "f"}]}, "arguments"),
    ({"model": MODEL, "input": "x", "background": True, "store": False}, "needs store=true"),
    ({"model": MODEL, "input": "x", "agent_config": {"type": "dynamic"}}, "agent_config goes with agent"),
    ({"model": MODEL, "input": "x", "generation_config": {"thinking_level": "huge"}}, "minimal, low"),
    ({"model": MODEL, "input": "x", "labels": {"Team": "a"}}, "label 'Team'"),
    ({"model": MODEL, "input": "x", "labels": {"team": "a b"}}, "label 'team'"),
    ({"model": MODEL, "input": "x", "tools": [{"type": "hammer"}]}, "type 'hammer' is unknown"),
    ({"model": MODEL, "input": "x", "tools": [FUNCTION, FUNCTION]}, "declared 2 times"),
    ({"model": MODEL, "input": "x", "continuation_token": "dG9r"}, "continuation_token"),
    ({"agent": AGENT, "input": "x"}, "background=true"),
    (research(system_instruction="be brief"), "no system_instruction"),
    (research(tools=[FUNCTION]), "no custom functions (f)"),
    (research(response_format={"type": "text"}), "no structured output"),
    (research(generation_config={"seed": 1}), "generation_config goes with model"),
    (research(agent_config={"thinking_summaries": "auto"}), "needs a type"),
    (research(agent_config={"type": "dynamic"}), "'dynamic'"),
]


@pytest.mark.parametrize(("body", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_a_bad_request_is_refused_with_the_reason(wire: Wire, body: dict[str, Any], why: str) -> None:
    assert why in wire.refused(wire.http.post("/interactions", json=body), 400)


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"model": NaN}', b'{"model":"\\ud800","input":"x"}', b"[" * 9999])
def test_a_body_that_is_no_json_object_is_refused(wire: Wire, raw: bytes) -> None:
    assert "JSON" in wire.refused(wire.http.post("/interactions", content=raw), 400)


def test_a_request_without_a_key_is_refused(wire: Wire) -> None:
    response = wire.http.post("/interactions", json={}, headers={"x-goog-api-key": ""})
    assert "x-goog-api-key" in wire.refused(response, 401)
    assert response.json()["error"]["code"] == "unauthenticated"


def test_an_old_sdk_is_told_to_upgrade(wire: Wire) -> None:
    old = {"user-agent": "google-genai-sdk/1.55.0 gl-python/3.11"}
    response = wire.http.post("/interactions", json={"model": MODEL, "input": "x"}, headers=old)
    assert "pip install --upgrade" in wire.refused(response, 400)


def test_research_accepts_a_remote_mcp_server(wire: Wire) -> None:
    wire.create(research(tools=[{"type": "mcp_server", "name": "docs", "url": "https://example.org"}]))


def test_unknown_interactions_and_paths_return_404(wire: Wire) -> None:
    for method, path in (
        ("GET", "/interactions/v1_nobody"),
        ("GET", "/interactions/v1_nobody?stream=true"),
        ("POST", "/interactions/v1_nobody/cancel"),
        ("DELETE", "/interactions/v1_nobody"),
    ):
        assert "v1_nobody" in wire.refused(wire.http.request(method, path), 404)
    assert "/v1beta/interactions" in wire.refused(wire.http.get("/batches"), 404)
    wire.refused(wire.http.put("/interactions/v1_nobody"), 405)


def test_only_background_runs_can_be_cancelled(wire: Wire) -> None:
    made = wire.create({"model": MODEL, "input": "x"})
    assert "background" in wire.refused(wire.http.post(f"/interactions/{made['id']}/cancel"), 400)


def test_a_cursor_of_another_run_is_refused(wire: Wire) -> None:
    one, other = (list(wire.stream({"model": MODEL, "input": "x"})) for _ in range(2))
    interaction_id = one[0]["interaction"]["id"]
    beyond = one[-1]["event_id"][:-6] + "000099"
    for cursor in (other[0]["event_id"], beyond, "evt_000001", "_", "§"):
        query = {"stream": "true", "last_event_id": cursor}
        message = wire.refused(wire.http.get(f"/interactions/{interaction_id}", params=query), 400)
        assert repr(cursor) in message


def test_an_internal_error_is_returned_as_json(api: Emulator, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("interactions_emulator.engine.interaction.Interaction.resource", explode)
    message = wire.refused(wire.http.post("/interactions", json={"model": MODEL, "input": "x"}), 500)
    assert "ZeroDivisionError: by zero" in message
