"""Reads HTTP answers of the Interactions API, whatever their status, headers and body are.

The body, never the content type, decides whether an answer is an interaction, its events, or unusable.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import unquote

import httpx2

from tools.interactions.answer_validation import (
    checked_event,
    checked_interaction,
    error_message,
    is_error,
    parse_json,
    parse_object,
)
from tools.interactions.errors import BadAnswer, BadStatus, Interrupted, WireError
from tools.interactions.resources import MAX_ID_CHARS, Event, Resource, as_events
from tools.interactions.sse import SSEDecoder
from tools.text.unsafe_characters import sanitize
from tools.web_addresses.credentials import without_credentials

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 2**20
"""Maximum bytes of an answer, or of one event. The largest answers seen have 1.3 MB, without pictures."""
MAX_QUOTED_CHARS = 300
"""Maximum characters that are quoted from an answer that is not JSON."""
_DONE = b"[DONE]"
_LINGER_S = 0.25
"""Seconds to wait for the end of an answer after its last event, so that its connection can be reused."""
_REFUSAL_BYTES, _REFUSAL_S = 64 * 2**10, 5.0
"""Maximum bytes and seconds for reading the body of a refusal. If reading fails, only the status is reported."""
_LOCATION = re.compile(r"/interactions/([^/?#\s]+)/?(?:[?#]|$)")


@dataclass(frozen=True)
class HttpAnswer:
    """An answer whose body has not been read yet.

    Args:
        redact: removes secrets from texts of the server.
    """

    response: httpx2.Response
    redact: Callable[[str], str]

    async def interaction(self) -> Resource:
        """Reads the body as an interaction.

        Raises:
            Interrupted: the connection broke.
            BadAnswer: the body is not an interaction with a status.
        """
        found = self._interaction(await self._body())
        if not found.get("status"):
            raise BadAnswer(f"{self._described}, an interaction without a status", self.response)
        return found

    async def events(self) -> AsyncGenerator[Iterable[Event], None]:
        """Yields the events of the body, in the batches in which they arrive. Malformed events are left out.

        An interaction in the `Location` header, or in the body instead of events, is converted to events.

        Raises:
            Interrupted: the connection broke.
            BadAnswer: the answer names no interaction, or the answer or an event is longer than `MAX_BYTES`.
        """
        splitter, pending, size, is_stream, odd = SSEDecoder(), list[bytes](), 0, False, 0

        def parsed(events: list[bytes]) -> Iterator[Event]:
            # Parse each event when it is read: bytes that wait take a fraction of the memory of parsed events.
            nonlocal odd
            for data in events:
                if (event := self._event(data)) is None:
                    odd += 1
                else:
                    yield event

        async with aclosing(self):
            if located := self._located():
                yield [{"event_type": "interaction.created", "interaction": {"id": located}}]
            pieces = self._pieces()
            async for piece in pieces:
                ended = splitter.feed(piece)
                if ended:
                    is_stream, size = True, 0
                    pending.clear()
                size += len(piece)
                if size > MAX_BYTES:
                    raise BadAnswer(f"{self._described}, with more than {MAX_BYTES // 2**20} MB", self.response)
                if not is_stream:
                    pending.append(piece)
                before_end = [*takewhile(_DONE.__ne__, ended)]
                if before_end:
                    yield parsed(before_end)
                if len(before_end) < len(ended):
                    await _drain(pieces)
                    return
            if last := [event for data in splitter.feed(b"\n\n") if (event := self._event(data)) is not None]:
                yield last
            elif not is_stream and not located:
                yield [*as_events(self._named(b"".join(pending)))]
            if odd:
                log.warning("%d events of unknown form were left out of an answer", odd)

    async def refusal(self) -> BadStatus:
        """Builds the error for an answer whose status is not success, with the server's reason."""
        body = b""
        with suppress(WireError, TimeoutError):
            async with asyncio.timeout(_REFUSAL_S):
                body = await self._body(_REFUSAL_BYTES)
        message = self._said(body)
        if self.response.is_redirect:
            target = without_credentials(self.response.headers.get("location", ""))
            message = f"a redirect to {target[:MAX_QUOTED_CHARS]!r}, which is not followed"
        return BadStatus(self.redact(message), self.response, from_api=is_error(body))

    async def aclose(self) -> None:
        """Closes the answer."""
        await self.response.aclose()

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self.response.aiter_bytes():
                yield piece
        except httpx2.HTTPError as error:
            raise Interrupted(self.redact(describe(error))) from error

    async def _body(self, limit: int = MAX_BYTES) -> bytes:
        body = bytearray()
        async with aclosing(self):
            async for piece in self._pieces():
                body += piece
                if len(body) > limit:
                    raise BadAnswer(f"{self._described}, with more than {MAX_BYTES // 2**20} MB", self.response)
        return bytes(body)

    def _event(self, data: bytes) -> Event | None:
        try:
            return checked_event(parse_object(data), self.redact) if data else None
        except ValueError:
            return None

    def _interaction(self, body: bytes) -> Resource:
        try:
            found = checked_interaction(parse_object(body), self.redact)
        except ValueError:
            found = {}
        if not found.get("id") and not found.get("status"):
            raise BadAnswer(self.redact(f"{self._described}: {self._said(body)}".removesuffix(": ")), self.response)
        return found

    def _named(self, body: bytes) -> Resource:
        found = self._interaction(body)
        if not found.get("id"):
            raise BadAnswer(f"{self._described}, an interaction without an id", self.response)
        return found

    def _located(self) -> str:
        """Returns the id of the interaction that the `Location` header names; empty if it names none."""
        place = _LOCATION.search(self.response.headers.get("location", ""))
        named = sanitize(unquote(place[1])) if place else ""
        return named if len(named) <= MAX_ID_CHARS else ""

    def _said(self, body: bytes) -> str:
        """Returns the message of an error, or the beginning of a text; empty for a web page."""
        try:
            return error_message(parse_json(body))
        except ValueError:
            text = " ".join(body[: 4 * MAX_QUOTED_CHARS].decode("utf-8", "replace").split())
            return "" if text.startswith("<") else text[:MAX_QUOTED_CHARS]

    @property
    def _described(self) -> str:
        kind = self.response.headers.get("content-type", "").partition(";")[0]
        return f"HTTP {self.response.status_code} with {kind or 'a body of unknown type'} instead of an interaction"


def describe(error: Exception) -> str:
    """Returns an exception's text without the number of a system's error; its type if the text is empty (httpx2)."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Reads an answer to its end after the last event: a connection with unread data cannot be reused."""
    with suppress(TimeoutError, WireError):
        async with asyncio.timeout(_LINGER_S):
            async for _ in pieces:
                pass
