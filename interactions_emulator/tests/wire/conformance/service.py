"""Flows about the service around the answers: limits, webhooks, the asynchronous client."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from api import Api, check_stream, deltas_of, refused, status_of

PATIENCE = 60
"""Seconds to wait for a message."""
Heard = tuple[dict[str, str], bytes]


def rate_limit(api: Api) -> None:
    fault = {"x-emulator-fault": json.dumps({"status": 429, "retry_after_ms": 1})}
    try:
        api.ask("Hello!", extra_headers=fault)
    except Exception as error:
        assert type(error).__name__ == "RateLimitError" and status_of(error) == 429, repr(error)
        return
    raise AssertionError("the fault did not hit")


def webhooks(api: Api) -> None:
    hooks = api.client.webhooks
    with _listener() as (url, hear):
        made = hooks.create(uri=url, subscribed_events=["interaction.completed"], name="mine")
        assert made.id and made.state == "enabled" and made.new_signing_secret
        assert made.id in [hook.id for hook in hooks.list().webhooks]
        interaction = api.ask("Hello!")
        message = _verified(hear(), made.new_signing_secret)
        assert message["type"] == "interaction.completed" and message["data"]["id"] == interaction.id, message
        assert hooks.update(id=made.id, name="ours").name == "ours"
        secret = hooks.rotate_signing_secret(id=made.id).secret
        assert secret and secret != made.new_signing_secret
        hooks.ping(id=made.id)
        _verified(hear(), secret)
        shown = hooks.get(id=made.id)
        assert (shown.name, shown.uri) == ("ours", url) and not shown.new_signing_secret
        hooks.delete(id=made.id)
        refused(404, lambda: hooks.get(id=made.id))


def async_create(api: Api) -> None:
    async def play(client: Any) -> None:
        made = await client.interactions.create(model=api.model, input="Hello!")
        assert made.status == "completed" and made.output_text

    _run(api, play)


def async_stream(api: Api) -> None:
    async def play(client: Any) -> None:
        stream = await client.interactions.create(model=api.model, input="What is a tide?", stream=True)
        events = [event async for event in stream]
        check_stream(events)
        assert "".join(delta.text for delta in deltas_of(events, "text"))

    _run(api, play)


def async_get(api: Api) -> None:
    async def play(client: Any) -> None:
        made = await client.interactions.create(model=api.model, input="Hello!")
        found = await client.interactions.get(id=made.id)
        assert (found.id, found.output_text) == (made.id, made.output_text)

    _run(api, play)


def _run(api: Api, play: Callable[[Any], Awaitable[None]]) -> None:
    async def run() -> None:
        client = api.new_client().aio
        try:
            await play(client)
        finally:
            await client.aclose()

    asyncio.run(run())


@contextmanager
def _listener() -> Iterator[tuple[str, Callable[[], Heard]]]:
    """Serve an address and yield it, with what waits for the next message sent there."""
    heard: queue.Queue[Heard] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            heard.put(({name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", lambda: heard.get(timeout=PATIENCE)
    finally:
        server.shutdown()
        server.server_close()


def _verified(heard: Heard, secret: str) -> dict[str, Any]:
    """Return a message whose signature is good (Standard Webhooks)."""
    headers, body = heard
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert wanted in headers["webhook-signature"].split(), headers["webhook-signature"]
    return dict(json.loads(body))
