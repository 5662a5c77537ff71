"""The follower: follows one interaction from its cursor to its end by streaming, re-attaching and polling.

A stream may be cut at any byte, end early, fall silent or carry garbage (field reports: it is cut at exactly 600
seconds, and a re-attached stream may hang after two events). None of this means that the run has ended: only a
terminal status of the interaction means that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass

from tools.interactions.resources import Event, Resource
from tools.load_control.backoff import backoff_s, spread_wait
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError, NotFound, Refused
from tools.research.job_states import STATE_OF_STATUS
from tools.research.timeouts import MAX_NOT_FOUND, REOPEN_AFTER_S, ResearchTimeouts


@dataclass(frozen=True)
class EventReceived:
    """A new event."""

    event: Event
    cursor: str | None


@dataclass(frozen=True)
class Polled:
    """The interaction's current state, read because streaming does not work."""

    resource: Resource


@dataclass(frozen=True)
class Warned:
    """A problem that a person should know of; the follower retries."""

    text: str


@dataclass(frozen=True)
class Ended:
    """The interaction is over; its resource has the result."""

    resource: Resource


@dataclass(frozen=True)
class Stalled:
    """There was no news for longer than `stall_after_s`. `resource` is the interaction; None if reading it failed."""

    resource: Resource | None
    seconds: float
    """Seconds since the last news."""


@dataclass(frozen=True)
class Unreachable:
    """The server does not have the interaction, or refuses to let us read it."""

    error: ApiError
    never_read: bool
    """Whether this follower has never read the interaction."""


class Follower:
    """Follows one interaction. Sleep and jitter are passed in, so that tests control them."""

    def __init__(
        self,
        client: InteractionsClient,
        interaction_id: str,
        *,
        cursor: str | None = None,
        timeouts: ResearchTimeouts | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        on_attach: Callable[[], None] = lambda: None,
        finalize_limit: AbstractAsyncContextManager[object] | None = None,
    ) -> None:
        """Args:
        on_attach: called when a stream other than the create request's own is opened.
        finalize_limit: entered while an interaction is read and, if it has ended, handled. Limits memory, because a
            thousand interactions may end at the same time.
        """
        self._client, self._id, self._cursor = client, interaction_id, cursor
        self._timeouts, self._sleep, self._jitter = timeouts or ResearchTimeouts(), sleep, jitter
        self._on_attach, self._finalize_limit = on_attach, finalize_limit or nullcontext()
        self._seen: set[str] = set()
        self._quiet = 0.0  # seconds waited since the last news
        self._retry_after = 0.0  # seconds that the server asked to wait before the next stream
        self._last_read: object = None  # status, `updated` and number of steps; a change counts as news

    async def follow(
        self, stream: AsyncGenerator[Event, None] | None = None
    ) -> AsyncGenerator[EventReceived | Polled | Warned | Ended | Stalled | Unreachable, None]:
        """Yields each event once, polled resources if streaming fails, and warnings.

        The last item is `Ended`, `Stalled` or `Unreachable`.

        Args:
            stream: the create request's own stream, if it is still open; else the follower opens one.
        """
        fruitless = polls = 0  # fruitless: number of streams in a row without news
        while True:
            news, self._retry_after = False, 0.0
            if fruitless < 2:
                before = self._cursor
                async with aclosing(self._events(stream or self._attach())) as events:
                    async for happened in events:
                        yield happened
                news = self._cursor != before
                fruitless = 0 if news else fruitless + 1
                stream = None
            async for found in self._read():
                if not isinstance(found, Polled) or fruitless == 2:
                    yield found
                if isinstance(found, Ended | Stalled | Unreachable):
                    return
            if fruitless == 2:  # streaming does not work (any more): poll with backoff
                polls += 1
            elif not news:
                yield Warned("the connection broke; the research goes on, attaching again")
            wait = REOPEN_AFTER_S if news else self._poll_wait(polls)
            await self._pause(wait, at_least=self._retry_after)

    def _attach(self) -> AsyncGenerator[Event, None]:
        self._on_attach()
        return self._client.stream(self._id, self._cursor)

    async def _events(self, stream: AsyncGenerator[Event, None]) -> AsyncGenerator[EventReceived, None]:
        """Yields new events until the stream ends, breaks or times out; the caller treats all three alike."""
        try:
            while True:
                async with asyncio.timeout(self._timeouts.silence_timeout_s):
                    event = await anext(stream)
                event_id = event.get("event_id")
                if event_id in self._seen:
                    continue
                if event_id:  # an event without an id does not count as news: a server may repeat it forever
                    self._seen.add(event_id)
                    self._cursor = event_id
                    self._quiet = 0.0
                yield EventReceived(event, self._cursor)
        except StopAsyncIteration:
            return
        except ApiError as error:
            self._retry_after = error.retry_after or 0.0
        except TimeoutError:
            self._quiet += self._timeouts.silence_timeout_s
        finally:
            await stream.aclose()

    async def _read(self) -> AsyncIterator[Polled | Warned | Ended | Stalled | Unreachable]:
        """Reads the interaction, with retries."""
        retries, gone, now = 0, 0, asyncio.get_running_loop().time
        while True:
            began = now()
            try:
                async with self._finalize_limit:
                    began = now()
                    resource = await self._client.get(self._id)
                    if resource["status"] in STATE_OF_STATUS:
                        yield Ended(await self._with_usage(resource))
                        return
                break
            except ApiError as error:  # a failed read never ends a run
                self._quiet += now() - began
                gone = gone + 1 if isinstance(error, NotFound) else 0
                if isinstance(error, Refused) or gone == MAX_NOT_FOUND:
                    yield Unreachable(error, never_read=self._last_read is None)
                    return
                if self._quiet >= self._timeouts.stall_after_s:
                    yield Stalled(None, self._quiet)
                    return
                yield Warned("the server cannot be read; the research goes on, trying again")
                await self._pause(self._poll_wait(retries), at_least=error.retry_after or 0)
                retries += 1
        read = (resource["status"], resource.get("updated"), len(resource.get("steps", ())))
        if read != self._last_read and self._last_read is not None:
            self._quiet = 0.0
        self._last_read = read
        if self._quiet >= self._timeouts.stall_after_s:
            yield Stalled(resource, self._quiet)
        else:
            yield Polled(resource)

    async def _with_usage(self, resource: Resource) -> Resource:
        """Reads up to two more times if usage or steps are missing: they may arrive seconds late (big-AGI #1143)."""
        for attempt in range(2):
            if (resource.get("usage") and resource.get("steps")) or resource["status"] != "completed":
                break
            await self._sleep(self._poll_wait(attempt))
            try:
                resource = await self._client.get(self._id)
            except ApiError:
                break
        return resource

    def _poll_wait(self, polls: int) -> float:
        return backoff_s(polls, self._timeouts.first_poll_s, self._timeouts.max_poll_s)

    async def _pause(self, seconds: float, at_least: float = 0) -> None:
        seconds = spread_wait(seconds, min(at_least, self._timeouts.max_wait_s), self._jitter())
        self._quiet += seconds
        await self._sleep(seconds)
