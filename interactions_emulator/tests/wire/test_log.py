"""What was sent can be read back, as long as it is not secret and not large."""

from __future__ import annotations

from typing import Any

from interactions_emulator import Emulator
from interactions_emulator.engine.request_log import MAX_BODY_BYTES
from wire.conftest import MODEL, Wire


def last(api: Emulator) -> dict[str, Any]:
    return dict(api.log(bodies=True)["requests"][-1])


def test_the_log_returns_request_bodies_without_secrets(api: Emulator, wire: Wire) -> None:
    server = {"type": "mcp_server", "url": "https://example.org/mcp", "headers": {"Authorization": "Bearer abcdefghij"}}
    wire.create({"model": MODEL, "input": "hello", "tools": [server], "labels": {"team": "desk"}})
    request = last(api)
    assert request["body"]["labels"] == {"team": "desk"}
    assert request["body"]["tools"][0]["headers"] == {"Authorization": "REDACTED"}
    assert request["bytes"] > len("abcdefghij")
    assert "abcdefghij" not in str(api.log(bodies=True))


def test_the_log_keeps_only_the_size_of_a_large_body(api: Emulator, wire: Wire) -> None:
    wire.create({"model": MODEL, "input": "x" * MAX_BODY_BYTES})
    assert last(api)["body"] is None
    assert last(api)["bytes"] > MAX_BODY_BYTES


def test_the_log_omits_a_body_that_is_not_json(api: Emulator, wire: Wire) -> None:
    wire.http.post("/interactions", content=b"{broken")
    assert (last(api)["status"], last(api)["body"]) == (400, None)
