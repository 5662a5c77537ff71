"""The wire of the Interactions API: create, attach and get as plain JSON, without the SDK's models and parser.

google-genai 2.34 builds classes anew for each request, opens a connection for each stream (it closes the answer before
its last chunk) and looks at each byte of a stream in Python. Address, credentials, headers, timeouts and errors are
the SDK's own all the same: once a minute it is let make a request that goes nowhere, and an answer that failed is
given to it for its words.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import httpx

from tools.sse import Splitter

if TYPE_CHECKING:
    from google.genai import Client

Event = Mapping[str, Any]
"""A server-sent event of the API as plain JSON, e.g. {"event_type": "step.delta", "event_id": ..., ...}."""
Batches = AsyncGenerator[Iterable[Event], None]
"""Events as they came: those of a batch came together. They are parsed as they are taken, and a ValueError then says
that one is none."""
FRESH = 60.0
"""Seconds that address and credentials are used before the SDK is asked again; its tokens last an hour."""
_NAME = "rehearsal"
_END = b"[DONE]"
_LINGER = 0.25
"""Seconds to wait, after the last event, for the end of the answer: then its connection can be used again."""


class Http(httpx.AsyncClient):
    """The connections that the SDK and the wire share. In a rehearsal a request gets its answer without being sent."""

    async def send(self, request: httpx.Request, **values: Any) -> httpx.Response:
        rehearsal = _rehearsal.get()
        return rehearsal.play(request) if rehearsal else await super().send(request, **values)


@dataclass
class Rehearsal:
    """One request that goes nowhere, and what comes of it."""

    outcome: httpx.Response | Exception
    request: httpx.Request | None = None

    def play(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.outcome.request = request
        return self.outcome


_rehearsal: ContextVar[Rehearsal | None] = ContextVar("rehearsal", default=None)


class Wire:
    """The calls, over the connections of an SDK client that was made with them.

    All raise what the SDK would raise.
    """

    def __init__(self, sdk: Client, http: Http) -> None:
        self._sdk, self._http = sdk, http
        self._model: httpx.Request | None = None
        self._until = 0.0

    async def create(self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Batches:
        """Sends a create; its events, once the server has begun to answer.

        Raises:
            TypeError: something in `body` is no JSON; nothing was sent.
        """
        content = json.dumps({name: value for name, value in body.items() if value is not None}, ensure_ascii=False)
        request = await self._request("POST", "", headers=headers, content=content.encode("utf-8", "surrogatepass"))
        return self._batches(await self._send(request))

    async def attach(self, interaction_id: str, last_event_id: str | None) -> Batches:
        """Events of an interaction after `last_event_id` (or all), then those that follow live."""
        query = {"stream": "true"} | ({"last_event_id": last_event_id} if last_event_id else {})
        request = await self._request("GET", f"/{interaction_id}", params=query)
        return self._batches(await self._send(request))

    async def get(self, interaction_id: str, *, include_input: bool = False) -> dict[str, Any]:
        """The interaction as it stands."""
        query = {"stream": "false"} | ({"include_input": "true"} if include_input else {})
        response = await self._send(await self._request("GET", f"/{interaction_id}", params=query))
        try:
            return _object(await response.aread())
        except (httpx.HTTPError, ValueError) as error:
            raise await self._as_the_sdk_says(error) from error
        finally:
            await response.aclose()

    async def _request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **values: Any
    ) -> httpx.Request:
        model = await self._known()
        url = model.url.copy_with(path=f"{model.url.path}{path}") if path else model.url
        own = {**model.headers, **headers} if headers else model.headers
        return self._http.build_request(method, url, headers=own, extensions=dict(model.extensions), **values)

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

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._http.send(request, stream=True)
            if response.is_success:
                return response
            await response.aread()
        except httpx.HTTPError as error:
            raise await self._as_the_sdk_says(error) from error
        raise await self._as_the_sdk_says(response)

    async def _batches(self, response: httpx.Response) -> Batches:
        pieces, splitter = response.aiter_bytes(), Splitter()
        try:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise ValueError("what the server sent is no stream of events")
            async for piece in pieces:
                if found := [*takewhile(_END.__ne__, events := splitter.feed(piece))]:
                    yield map(_object, filter(None, found))
                if len(found) < len(events):
                    await _drain(pieces)
                    return
        except (httpx.HTTPError, ValueError) as error:
            raise await self._as_the_sdk_says(error) from error
        finally:
            await response.aclose()

    async def _as_the_sdk_says(self, outcome: httpx.Response | Exception) -> Exception:
        """The exception that the SDK makes of an answer or of a broken connection."""
        try:
            await rehearse(self._sdk, outcome)
        except Exception as error:
            return error
        return RuntimeError(f"the server answered with {outcome!r}")


class SdkWire:
    """The same calls by the SDK's own means, for a client that was made without a wire."""

    def __init__(self, sdk: Client) -> None:
        self._interactions = sdk.aio.interactions

    async def create(self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Batches:
        given = {name: value for name, value in body.items() if value is not None}
        return self._batches(await self._interactions.create(**given, extra_headers=headers))

    async def attach(self, interaction_id: str, last_event_id: str | None) -> Batches:
        return self._batches(await self._interactions.get(interaction_id, stream=True, last_event_id=last_event_id))

    async def get(self, interaction_id: str, *, include_input: bool = False) -> dict[str, Any]:
        return plain(await self._interactions.get(interaction_id, include_input=include_input or None))

    async def _batches(self, opened: Any) -> Batches:
        async with opened as stream:
            async for event in stream:
                yield [plain(event)]


def wire_of(sdk: Client) -> Wire | SdkWire:
    """The wire to the server of an SDK client."""
    return getattr(sdk, "wire", None) or SdkWire(sdk)


async def each(batches: Batches) -> AsyncGenerator[Event, None]:
    """The events of batches, one by one."""
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                yield event


def plain(model: Any) -> dict[str, Any]:
    """An SDK object as JSON. An event of an unknown kind keeps what the server sent in `raw`."""
    raw = getattr(model, "raw", None)
    return raw if isinstance(raw, dict) else model.model_dump(mode="json", exclude_none=True, warnings=False)


async def rehearse(
    sdk: Client, outcome: httpx.Response | Exception, *, stream: bool = False
) -> tuple[httpx.Request, Any]:
    """Lets the SDK ask for an interaction without sending anything.

    Args:
        outcome: what it hears.

    Returns:
        The request that it would have sent, and what it made of the answer.
    """
    with rehearsal(outcome) as played:
        answer = await sdk.aio.interactions.get(_NAME, stream=stream)
    assert played.request
    return played.request, answer


@contextmanager
def rehearsal(outcome: httpx.Response | Exception) -> Iterator[Rehearsal]:
    """Nothing that is asked inside, over a wire's connections, is sent; this is what is heard."""
    played = Rehearsal(outcome)
    before = _rehearsal.set(played)
    try:
        yield played
    finally:
        _rehearsal.reset(before)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Reads to the end of an answer that has said its last: a connection with something left in it is closed."""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_LINGER):
            async for _ in pieces:
                pass


def _object(text: bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("what the server sent is no JSON object")
    return found
