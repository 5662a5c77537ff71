"""A proxy between a client and the real API that records their exchanges for replay by the emulator.

Every request below `/{version}/` goes to the configured upstream with the client's own headers, and the answer is
passed back as it arrives. Each answer is written to the file (format: `file_format.py`) before the client gets the last
byte, so stopping the recorder loses nothing. A stream that breaks, or that the client leaves before its end, is
recorded as cut. Secrets are removed (`redaction.py`). A request without an answer is not recorded.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx2
import typer

from interactions_emulator.engine.request_log import Log
from interactions_emulator.errors import Refused
from interactions_emulator.http.connection import Exchange
from interactions_emulator.http.responses import refusal
from interactions_emulator.http.serving import bind, run, serve_app
from interactions_emulator.http.settings import HOST
from interactions_emulator.limits import ServerLimits
from interactions_emulator.loopback import is_loopback
from interactions_emulator.recording.recording_file import CapturedExchange, Recording
from interactions_emulator.recording.redaction import SECRET_HEADERS

logger = logging.getLogger(__name__)

GEMINI_URL = "https://generativelanguage.googleapis.com"
KEPT_HEADERS = ("retry-after", "retry-after-ms")
"""Answer headers that are recorded, because SDKs obey them when they retry."""

_PATH = re.compile(r"/v\d\w*/.*", re.S)
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_NOT_FORWARDED = _HOP_BY_HOP | {"accept-encoding", "content-length", "expect", "host"}
_NOT_RETURNED = _HOP_BY_HOP | {"content-encoding", "content-length", "content-type", "server"}
"""Answer headers not passed back: the body is sent decoded, and the recorder's server writes the other headers."""


class Proxy:
    """Forwards requests to the upstream and answers to the client, and records both."""

    def __init__(self, upstream: httpx2.URL, client: httpx2.AsyncClient, recording: Recording) -> None:
        self._upstream = upstream
        self._client = client
        self._recording = recording

    async def __call__(self, exchange: Exchange) -> None:
        """Answer a request. The server cancels this call when the client disconnects."""
        try:
            answer = await self._send(exchange)
            try:
                await self._forward_answer(answer, exchange)
            finally:
                await answer.aclose()
        except Refused as refused:
            refusal(refused).send(exchange)
        except Exception as failure:
            # Cut, so that no SDK retries a paid run: the upstream may have executed the request.
            logger.warning("%s %s was not answered and is not recorded: %r", exchange.method, exchange.path, failure)
            exchange.cut()

    async def _send(self, exchange: Exchange) -> httpx2.Response:
        """Send the request to the upstream and return the answer as soon as it begins."""
        if not _PATH.fullmatch(exchange.path):
            raise Refused(404, f"{exchange.path} is not recorded: the API is at /v1beta/interactions.")
        if exchange.too_large:
            raise Refused(413, f"the body is larger than {ServerLimits.max_body_bytes} bytes")
        path = self._upstream.raw_path.rstrip(b"/") + quote(exchange.path, safe="/:@!$&'()*+,;=~").encode()
        url = self._upstream.copy_with(raw_path=path + b"?" + exchange.query if exchange.query else path)
        request = httpx2.Request(exchange.method, url, headers=_forwarded(exchange.headers), content=exchange.body)
        try:
            return await self._client.send(request, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as failure:
            where = self._upstream
            raise Refused(
                502, f"{where} cannot be reached ({failure}): nothing was sent, nothing recorded"
            ) from failure

    async def _forward_answer(self, answer: httpx2.Response, exchange: Exchange) -> None:
        captured = CapturedExchange(
            method=exchange.method,
            path=exchange.path,
            query=exchange.query.decode("latin-1"),
            body=exchange.body,
            secrets=[exchange.headers.get(name, b"").decode("latin-1") for name in SECRET_HEADERS],
            status=answer.status_code,
            content_type=answer.headers.get("content-type", ""),
            headers={name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers},
        )
        headers = {name: value for name, value in answer.headers.items() if name not in _NOT_RETURNED}
        if captured.streams:
            exchange.start(captured.status, captured.content_type, headers)
        began = time.monotonic()
        try:
            async for chunk in answer.aiter_bytes():
                captured.chunks.append((time.monotonic() - began, chunk))
                if captured.streams:
                    exchange.write(chunk)
                    await exchange.drain()
        except httpx2.RequestError:
            captured.cut = True
        except asyncio.CancelledError:
            captured.cut = True
            self._recording.add(captured)
            raise
        await asyncio.shield(asyncio.wrap_future(self._recording.add(captured)))
        body = b"".join(data for _, data in captured.chunks)
        if not captured.streams and not captured.cut:  # after `add`, so that the file has each answer that a client has
            return exchange.reply(captured.status, captured.content_type, body, headers)
        if not captured.streams:
            exchange.start(captured.status, captured.content_type, headers)
            if body:
                exchange.write(body)
        return exchange.cut() if captured.cut else exchange.finish()


async def serve(file: Path, upstream: str, listener: socket.socket, ready: Callable[[Callable[[], None]], None]) -> int:
    """Record on `listener` until stopped, and return the number of recorded exchanges.

    When the recorder accepts requests, it calls `ready` with a function that stops the recorder. Raises `Refused` if
    the upstream is not allowed, or if the file is not empty or cannot be written.
    """
    closing, loop = asyncio.Event(), asyncio.get_running_loop()
    with Recording(file, upstream, lambda: loop.call_soon_threadsafe(closing.set)) as recording:
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(None, connect=30), limits=httpx2.Limits()) as client:
            proxy = Proxy(check_upstream(upstream), client, recording)
            await serve_app(proxy, Log(), ServerLimits.max_body_bytes, listener, closing, ready)
    if recording.failure:
        raise recording.failure
    return recording.exchanges


def record(file: Path, upstream: str, port: int = 0, on_ready: Callable[[str], None] = lambda url: None) -> None:
    """Record on this machine until interrupted. `port` 0 means any free port. `on_ready` is called with the address.

    Raises OSError if the port cannot be used, and `Refused` if the upstream is not allowed, or if the file is not empty
    or cannot be written.
    """
    check_upstream(upstream)
    listener = bind(port)
    url = f"http://{HOST}:{listener.getsockname()[1]}"

    def ready(stop: Callable[[], None]) -> None:
        on_ready(url)
        typer.echo(f"Recording {upstream} on {url} into {file}; end with Ctrl-C")
        typer.echo(f'  genai.Client(http_options={{"base_url": "{url}"}})')
        typer.echo(f"  or: export GOOGLE_GEMINI_BASE_URL={url}")

    async def main() -> None:
        exchanges = await serve(file, upstream, listener, ready)
        typer.echo(f"Recorded exchanges: {exchanges}")

    run(main())


def check_upstream(address: str) -> httpx2.URL:
    """Return the upstream's address if it is safe to send an API key to. Raises `Refused` (400) otherwise."""
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as failure:
        raise Refused(400, f"upstream {address!r} is not an address: {failure}") from failure
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise Refused(400, f"upstream {address!r} is not the address of an API: give one such as {GEMINI_URL}")
    if url.scheme == "http" and not is_loopback(url.host):
        raise Refused(400, f"upstream {address!r} would get your API key unencrypted: give its https address")
    return url


def _forwarded(headers: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the client's headers for the upstream. They request no compression, to record the answer's exact bytes."""
    connection = headers.get(b"connection", b"").decode("latin-1").lower()
    dropped = _NOT_FORWARDED | set(re.split(r"\s*,\s*", connection))
    kept = [(name, value) for name, value in headers.items() if name.decode("latin-1") not in dropped]
    return [*kept, (b"accept-encoding", b"identity")]
