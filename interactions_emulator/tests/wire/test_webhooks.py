"""Webhooks: registered or named by a request, signed, and told until they listen."""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from google import genai
from standardwebhooks import Webhook, WebhookVerificationError

from interactions_emulator import Emulator
from interactions_emulator.webhooks.delivery import RETRY_DELAYS_S
from wire.brains import WAIT, brain
from wire.conftest import MODEL, Wire, research

PATIENCE = 60


class Listener:
    """A server that keeps what it is told; `statuses` are its answers, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self._heard: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(listener.statuses.pop(0) if listener.statuses else 200)
                self.end_headers()
                listener._heard.put(({name.lower(): value for name, value in self.headers.items()}, body))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def hear(self) -> tuple[dict[str, str], bytes]:
        """Wait for the next message: its headers and its body."""
        return self._heard.get(timeout=PATIENCE)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def wait_for(there: Callable[[], bool]) -> None:
    """Return when something is so that another thread makes so."""
    end = threading.Event()
    for _ in range(PATIENCE * 100):
        if there():
            return
        end.wait(0.01)
    raise AssertionError("it never became so")


async def test_the_sdk_registers_updates_pings_rotates_and_deletes_a_webhook(
    api: Emulator, client: genai.Client, listener: Listener
) -> None:
    hooks = client.aio.webhooks
    made = await hooks.create(uri=listener.url, subscribed_events=["interaction.completed"], name="mine")
    assert made.id and made.state == "enabled"
    secret = made.new_signing_secret or ""
    shown = await hooks.get(id=made.id)
    assert shown.new_signing_secret is None and secret not in shown.model_dump_json()
    assert [hook.id for hook in (await hooks.list()).webhooks or []] == [made.id]
    assert (await hooks.update(id=made.id, name="ours")).name == "ours"
    await hooks.ping(id=made.id)
    headers, body = listener.hear()
    assert Webhook(secret).verify(body, headers)["type"] == "webhook.ping"
    rotated = (await hooks.rotate_signing_secret(id=made.id)).secret or ""
    await hooks.ping(id=made.id)
    headers, body = listener.hear()
    for one in (secret, rotated):  # for a day both are good
        Webhook(one).verify(body, headers)
    now = "revoke_previous_secrets_immediately"
    newest = (await hooks.rotate_signing_secret(id=made.id, revocation_behavior=now)).secret or ""
    await hooks.ping(id=made.id)
    headers, body = listener.hear()
    Webhook(newest).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(rotated).verify(body, headers)
    await hooks.delete(id=made.id)
    assert not (await hooks.list()).webhooks


def test_subscribers_are_notified_when_an_interaction_ends(held: Emulator, wire: Wire, listener: Listener) -> None:
    made = register(wire, listener.url, "interaction.completed", "interaction.failed")
    run = wire.create(research())["id"]
    wire.create({"model": MODEL, "input": "break"})
    held.advance(5 * WAIT)
    heard = sorted((listener.hear() for _ in range(2)), key=lambda one: one[1])
    for (headers, body), kind in zip(heard, ("interaction.completed", "interaction.failed"), strict=True):
        message = Webhook(made["new_signing_secret"]).verify(body, headers)
        assert (message["type"], message["version"]) == (kind, "v1")
    assert json.loads(heard[0][1])["data"] == {"id": run}
    cancelled = wire.create(research())["id"]
    wire.http.post(f"/interactions/{cancelled}/cancel")
    wait_for(lambda: len(held.deliveries()) == 2)


def test_a_webhook_named_in_a_request_replaces_registered_ones_and_is_signed_with_jwks(
    api: Emulator, wire: Wire, listener: Listener
) -> None:
    register(wire, "http://127.0.0.1:9/nobody", "interaction.completed")
    config = {"uris": [listener.url], "user_metadata": {"job": "42"}}
    run = wire.create(research(webhook_config=config))["id"]
    headers, body = listener.hear()
    message = json.loads(body)
    assert (message["data"], message["user_metadata"]) == ({"id": run}, {"job": "42"})
    keys = jwt.PyJWKSet.from_dict(httpx2.get(f"{api.url}/.well-known/jwks.json").json())
    signature = headers["webhook-signature"]
    claims = jwt.decode(signature, keys[jwt.get_unverified_header(signature)["kid"]], algorithms=["RS256"])
    assert (claims["jti"], claims["sha256"]) == (headers["webhook-id"], hashlib.sha256(body).hexdigest())
    assert {line["uri"] for line in api.deliveries()} == {listener.url}  # in place of the registered one


def test_a_run_whose_create_answer_is_lost_is_named_by_its_webhook_with_its_metadata(
    held: Emulator, wire: Wire, listener: Listener
) -> None:
    held.faults("lost_answer")
    config = {"uris": [listener.url], "user_metadata": {"job": "42"}}
    with pytest.raises(httpx2.RemoteProtocolError):
        wire.create(research(webhook_config=config))
    held.advance(5 * WAIT)
    message = json.loads(listener.hear()[1])
    assert message["user_metadata"] == {"job": "42"}
    assert wire.get(message["data"]["id"])["webhook_config"] == config  # the resource repeats it


def test_the_signing_key_of_requests_webhooks_survives_a_restart(tmp_path: Path) -> None:
    def keys() -> dict[str, Any]:
        return dict(httpx2.get(f"{api.url}/.well-known/jwks.json").json())

    with Emulator(brain=brain, state=tmp_path / "interactions.db") as api:
        before = keys()
        api.restart()
        assert keys() == before
    with Emulator(brain=brain) as api:  # another key has another id, so that receivers fetch it
        assert keys()["keys"][0]["kid"] != before["keys"][0]["kid"]


def test_a_webhook_is_retried_in_virtual_time_until_it_is_delivered(
    held: Emulator, wire: Wire, listener: Listener
) -> None:
    listener.statuses = [500, 503]
    register(wire, listener.url, "interaction.completed")
    wire.create({"model": MODEL, "input": "hello"})
    first, _ = listener.hear()
    for number, wait in enumerate(RETRY_DELAYS_S[:2], 1):
        wait_for(lambda number=number: len(held.deliveries()) == number)  # type: ignore[misc]
        held.advance(wait)
        assert listener.hear()[0]["webhook-id"] == first["webhook-id"]
    wait_for(lambda: [line["status"] for line in held.deliveries()] == [500, 503, 200])


def test_a_webhook_that_never_answers_is_disabled_after_all_retries(api: Emulator, wire: Wire) -> None:
    hook = register(wire, "http://127.0.0.1:9/nobody", "interaction.completed")["id"]
    wire.create({"model": MODEL, "input": "hello"})

    def state() -> str:
        return str(wire.http.get(f"/webhooks/{hook}").json()["state"])

    wait_for(lambda: state() == "disabled_due_to_failed_deliveries")
    assert [line["status"] for line in api.deliveries()] == [None] * (len(RETRY_DELAYS_S) + 1)


def test_webhooks_and_pending_deliveries_survive_a_restart(tmp_path: Path, listener: Listener) -> None:
    listener.statuses = [500]
    with Emulator(brain=brain, state=tmp_path / "interactions.db", speed=0) as api:
        wire = Wire(api.url)
        hook = register(wire, listener.url, "interaction.completed")
        wire.create({"model": MODEL, "input": "hello"})
        listener.hear()
        wait_for(lambda: len(api.deliveries()) == 1)
        api.restart()
        assert wire.http.get(f"/webhooks/{hook['id']}").json()["uri"] == listener.url
        api.advance(RETRY_DELAYS_S[0])
        headers, body = listener.hear()
        Webhook(hook["new_signing_secret"]).verify(body, headers)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "is not an address"),
        ({"uri": "ftp://127.0.0.1/"}, "is not an address"),
        ({"uri": "http://[::1"}, "is not an address"),
        ({"uri": "https://example.org/hook"}, "--webhook-host example.org"),
        ({"uri": "http://127.0.0.1/", "subscribed_events": ["birthday"]}, "subscribed_events"),
        ({"uri": "http://127.0.0.1/", "subscribed_events": []}, "subscribed_events"),
        ({"uri": "http://127.0.0.1/", "subscribed_events": ["interaction.completed"], "name": 1}, "name"),
        ({"uri": "http://127.0.0.1/", "subscribed_events": ["interaction.completed"], "state": "tired"}, "state"),
    ],
)
def test_an_invalid_webhook_registration_is_refused(wire: Wire, body: dict[str, Any], why: str) -> None:
    assert why in wire.refused(wire.http.post("/webhooks", json=body), 400)
    assert wire.http.get("/webhooks").json() == {"webhooks": []}


def test_an_allowed_webhook_host_is_accepted(listener: Listener) -> None:
    with Emulator(brain=brain, webhook_hosts="example.org") as api:
        register(Wire(api.url), "https://example.org/hook", "interaction.failed")


def register(wire: Wire, uri: str, *events: str) -> dict[str, Any]:
    answer = wire.http.post("/webhooks", json={"uri": uri, "subscribed_events": list(events)})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
