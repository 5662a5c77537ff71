"""The wire of the Interactions API: its calls as plain JSON, without the SDK's models and parser.

google-genai 2.34 builds classes anew for each request, opens a connection for each stream (it closes the answer before
its last chunk) and looks at each byte of a stream in Python. Address, credentials, headers and timeouts are the SDK's
own all the same: once a minute it is let make a request that goes nowhere.

No redirect is followed: a create that is sent twice is paid for twice, and a key goes to one server only.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from tools.interactions.http_answer import BadAnswer, HttpAnswer, Interrupted, NotSent, describe
from tools.interactions.resources import Event, Resource
from tools.redaction import credentials_in, redact

if TYPE_CHECKING:
    from google.genai import Client

Batches = AsyncGenerator[Iterable[Event], None]
"""Events as they came: those of a batch came together."""
FRESH = 60.0
"""Seconds that address and credentials are used before the SDK is asked again; its tokens last an hour."""
_NAME = "rehearsal"
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""No connection was made, so nothing was sent; the next one may be."""
_UNSENDABLE = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class Http(httpx.AsyncClient):
    """The connections that the SDK and the wire share. In a rehearsal a request gets its answer without being sent."""

    async def send(self, request: httpx.Request, **values: Any) -> httpx.Response:
        rehearsal = _rehearsal.get()
        values["follow_redirects"] = False  # whatever the SDK wishes
        return rehearsal.play(request) if rehearsal else await super().send(request, **values)


@dataclass
class Rehearsal:
    """One request that goes nowhere, and what comes of it."""

    outcome: httpx.Response
    request: httpx.Request | None = None

    def play(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        self.outcome.request = request
        return self.outcome


_rehearsal: ContextVar[Rehearsal | None] = ContextVar("rehearsal", default=None)


class Wire:
    """The calls, over the connections of an SDK client that was made with them. All raise `WireError`."""

    def __init__(self, sdk: Client, http: Http) -> None:
        self._sdk, self._http = sdk, http
        self._model: httpx.Request | None = None
        self._until = 0.0

    async def create(self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Batches:
        """Sends a create that asks for a stream; its events, once the server has begun to answer.

        Raises:
            TypeError: something in `body` is no JSON; nothing was sent.
        """
        return (await self._send("POST", headers=headers, body=body)).events()

    async def answer(self, body: Mapping[str, Any]) -> Resource:
        """Sends a create that asks for the whole interaction.

        Raises:
            TypeError: something in `body` is no JSON; nothing was sent.
        """
        return await (await self._send("POST", body=body)).interaction()

    async def attach(self, interaction_id: str, last_event_id: str | None) -> Batches:
        """Events of an interaction after `last_event_id` (or all), then those that follow live."""
        query = {"stream": "true"} | ({"last_event_id": last_event_id} if last_event_id else {})
        return (await self._send("GET", _path(interaction_id), params=query)).events()

    async def get(self, interaction_id: str, *, include_input: bool = False) -> Resource:
        """The interaction as it stands."""
        query = {"stream": "false"} | ({"include_input": "true"} if include_input else {})
        return await (await self._send("GET", _path(interaction_id), params=query)).interaction()

    async def cancel(self, interaction_id: str) -> Resource:
        """Ends a running interaction; how it stands then, or nothing if the server does not say."""
        answer = await self._send("POST", f"{_path(interaction_id)}/cancel")
        try:
            return await answer.interaction()
        except BadAnswer:
            return {}

    async def delete(self, interaction_id: str) -> None:
        """Makes the server forget an interaction."""
        answer = await self._send("DELETE", _path(interaction_id))
        await answer.aclose()

    async def _send(
        self,
        method: str,
        path: str = "",
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """An answer of success, of which only status and headers were read."""
        sent = {name: value for name, value in (body or {}).items() if value is not None}
        try:
            content = json.dumps(sent, ensure_ascii=False).encode("utf-8", "replace") if body else None
            model = await self._known()
            url = model.url.copy_with(raw_path=model.url.raw_path + path.encode())
            own = {**model.headers, **headers} if headers else model.headers
            extensions = dict(model.extensions)
            request = self._http.build_request(
                method, url, headers=own, params=params, content=content, extensions=extensions
            )
        except TypeError:
            raise
        except Exception as error:  # no credentials, an address that is none, data that goes in circles
            raise NotSent(redact(describe(error)), transient=False) from error
        hide = partial(redact, known=_secrets(request, sent))
        try:
            answer = HttpAnswer(await self._http.send(request, stream=True), hide)
        except (*_UNSENT, *_UNSENDABLE) as error:
            raise NotSent(hide(describe(error)), transient=isinstance(error, _UNSENT)) from error
        except Exception as error:  # httpx answers some oddities of servers with other errors than its own
            raise Interrupted(hide(describe(error))) from error
        if answer.response.is_success:
            return answer
        raise await answer.refusal()

    async def _known(self) -> httpx.Request:
        """What the SDK's requests have in common today: address, credentials, timeouts."""
        if self._model is None or time.monotonic() > self._until:
            made, _ = await rehearse(self._sdk, httpx.Response(200, json={"id": _NAME, "status": "completed"}))
            url = made.url.copy_with(raw_path=made.url.raw_path.partition(b"?")[0].removesuffix(f"/{_NAME}".encode()))
            own = {name: value for name, value in made.headers.items() if name not in ("host", "content-length")}
            headers = {**own, "content-type": "application/json", "accept": "text/event-stream, application/json"}
            self._model = httpx.Request("GET", url, headers=headers, extensions=made.extensions)
            self._until = time.monotonic() + FRESH
        return self._model


def wire_of(sdk: Client) -> Wire:
    """The wire to the server of a client that `tools.interactions.sdk.new_client` made."""
    wire: Wire = sdk.wire  # type: ignore[attr-defined]
    return wire


async def each(batches: Batches) -> AsyncGenerator[Event, None]:
    """The events of batches, one by one."""
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                yield event


async def rehearse(sdk: Client, outcome: httpx.Response, *, stream: bool = False) -> tuple[httpx.Request, Any]:
    """Lets the SDK ask for an interaction without sending anything.

    Args:
        outcome: the response that it is given.

    Returns:
        The request that it would have sent, and what it made of the answer.
    """
    with rehearsal(outcome) as played:
        answer = await sdk.aio.interactions.get(_NAME, stream=stream)
    assert played.request
    return played.request, answer


@contextmanager
def rehearsal(outcome: httpx.Response) -> Iterator[Rehearsal]:
    """Nothing that is asked inside, over a wire's connections, is sent; this is what is heard."""
    played = Rehearsal(outcome)
    before = _rehearsal.set(played)
    try:
        yield played
    finally:
        _rehearsal.reset(before)


def _path(interaction_id: str) -> str:
    return f"/{quote(interaction_id, safe='')}"


def _secrets(request: httpx.Request, body: Mapping[str, Any]) -> list[str]:
    """Secrets sent with a request, which must not appear in a quoted answer: key, token, password, those of tools."""
    key, token = request.headers.get("x-goog-api-key", ""), request.headers.get("authorization", "")
    tools = [tool for tool in body.get("tools") or () if isinstance(tool, Mapping)]
    given = [str(value) for tool in tools for value in (tool.get("headers") or {}).values()]
    parts = (part for value in (token, *given) for part in (value, value.rpartition(" ")[2]))
    urls = (str(request.url), *(str(tool.get("url", "")) for tool in tools))
    return [key, *parts, *(secret for url in urls for secret in credentials_in(url))]
