"""Sends the calls of the Interactions API over HTTP, as plain JSON.

The SDK is not used, because google-genai 2.34 builds classes for each request, opens a new connection for each stream
(it closes an answer before the last chunk) and looks at each byte of a stream in Python: see docs/upstream/README.md.

Redirects are not followed: a create that is sent twice is paid for twice, and a key must not go to another server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic_core import to_jsonable_python

from tools.interactions.endpoint import Endpoint
from tools.interactions.errors import BadAnswer, Interrupted, NotSent
from tools.interactions.http_answer import HttpAnswer, describe
from tools.interactions.resources import Event, Resource
from tools.text.secret_redaction import redact
from tools.web_addresses.credentials import credentials_in

LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
"""No limit: with httpx2's default of 100 connections, the 101st request waits silently until a stream ends."""
Batches = AsyncGenerator[Iterable[Event], None]
"""Batches of events: the events of a batch arrived together."""
_HEADERS = {
    "content-type": "application/json",
    "accept": "text/event-stream, application/json",
    "user-agent": "research-desk",
}
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
"""Errors which mean that no connection was made, so nothing was sent; a retry may succeed."""
_UNSENDABLE = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


class Transport:
    """Sends the calls to one server. Each call can raise `WireError`; no call is retried."""

    def __init__(self, endpoint: Endpoint, http: httpx2.AsyncClient | None = None) -> None:
        """Args:
        http: HTTP client, which is closed with the transport. The default is a new client without timeouts.
        """
        self._endpoint = endpoint
        self._http = http or httpx2.AsyncClient(limits=LIMITS, timeout=None)

    async def create(self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Batches:
        """Sends a create request; returns the events of its answer, streamed or whole, once the server answers."""
        return (await self._send("POST", headers=headers, body=body)).events()

    async def answer(self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Resource:
        """Sends a create request that asks for the whole interaction, and returns it."""
        return await (await self._send("POST", headers=headers, body=body)).interaction()

    async def attach(self, interaction_id: str, last_event_id: str | None) -> Batches:
        """Returns an interaction's events after `last_event_id` (or all events), then new events as they happen."""
        query = {"stream": "true"} | ({"last_event_id": last_event_id} if last_event_id else {})
        return (await self._send("GET", _path(interaction_id), params=query)).events()

    async def get(self, interaction_id: str, *, include_input: bool = False) -> Resource:
        """Reads the current state of an interaction."""
        query = {"stream": "false"} | ({"include_input": "true"} if include_input else {})
        return await (await self._send("GET", _path(interaction_id), params=query)).interaction()

    async def cancel(self, interaction_id: str) -> Resource:
        """Cancels a running interaction; returns its new state, or an empty mapping if the server sends none."""
        answer = await self._send("POST", f"{_path(interaction_id)}/cancel")
        try:
            return await answer.interaction()
        except BadAnswer:
            return {}

    async def delete(self, interaction_id: str) -> None:
        """Deletes an interaction at the server."""
        answer = await self._send("DELETE", _path(interaction_id))
        await answer.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _send(
        self,
        method: str,
        path: str = "",
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Sends a request; returns a successful answer whose body has not been read yet.

        If an emulator that the desk started no longer listens, restarts the emulator and sends the request again.
        """
        try:
            return await self._attempt(method, path, body, headers, params)
        except NotSent as error:
            if not error.retryable or self._endpoint.restart is None:
                raise
        self._endpoint.url = await asyncio.to_thread(self._endpoint.restart)
        return await self._attempt(method, path, body, headers, params)

    async def _attempt(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
    ) -> HttpAnswer:
        sent = {name: value for name, value in (body or {}).items() if value is not None}
        try:
            content = _json(sent) if body else None
            all_headers = {**_HEADERS, **(headers or {}), **await self._endpoint.headers()}
            url = f"{self._endpoint.url}{path}"
            request = self._http.build_request(method, url, headers=all_headers, params=params, content=content)
        except Exception as error:  # no credentials, an invalid address, circular data
            raise NotSent(redact(describe(error)), retryable=False) from error

        def hide(text: str) -> str:
            return redact(text, known=_secrets(request, sent))

        try:
            answer = HttpAnswer(await self._http.send(request, stream=True, follow_redirects=False), hide)
        except (*_UNSENT, *_UNSENDABLE) as error:
            raise NotSent(hide(describe(error)), retryable=isinstance(error, _UNSENT)) from error
        except Exception as error:  # on a malformed answer, httpx2 may raise errors of other libraries
            raise Interrupted(hide(describe(error))) from error
        if answer.response.is_success:
            return answer
        raise await answer.refusal()


async def iter_events(batches: Batches) -> AsyncGenerator[Event, None]:
    """Yields the events of batches one by one."""
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                yield event


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, default=to_jsonable_python).encode("utf-8", "replace")


def _path(interaction_id: str) -> str:
    return f"/{quote(interaction_id, safe='')}"


def _secrets(request: httpx2.Request, body: Mapping[str, Any]) -> list[str]:
    """Lists a request's secrets, which must not be quoted: key, token, passwords, and the secrets of its tools."""
    key, token = request.headers.get("x-goog-api-key", ""), request.headers.get("authorization", "")
    tools = [tool for tool in body.get("tools") or () if isinstance(tool, Mapping)]
    given = [str(value) for tool in tools for value in (tool.get("headers") or {}).values()]
    parts = (part for value in (token, *given) for part in (value, value.rpartition(" ")[2]))
    urls = (str(request.url), *(str(tool.get("url", "")) for tool in tools))
    return [key, *parts, *(secret for url in urls for secret in credentials_in(url))]
