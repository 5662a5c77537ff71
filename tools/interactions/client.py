"""The client for research: the API calls that a run needs, and the errors that they raise.

No call is retried here, because a second create may start a second paid run. The caller decides about retries.
"""

from __future__ import annotations

import asyncio
import email.utils
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tools.errors import DeskError
from tools.interactions.http_answer import NotSent
from tools.interactions.resources import Event, Resource, interaction_id_of
from tools.interactions.transport import Transport, iter_events

NOT_THE_API = "this is not an answer of the API: `desk doctor` checks its address, and whether a proxy answers"
MODEL_TIMEOUT_FACTOR = 4
"""The timeout for a model's answer is this many times the timeout for other answers."""


@dataclass(frozen=True)
class CreateRequest:
    """A request that creates an interaction of an agent."""

    agent: str
    input: str | list[Mapping[str, Any]]
    options: Mapping[str, Any]
    """Fields of `agent_config`."""
    previous: str | None = None
    """Id of the interaction to continue from."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Metadata that the messages of the run's webhook repeat (`webhook_config.user_metadata`), if it has one."""

    @property
    def plans(self) -> bool:
        """Whether the run ends with a plan instead of a report."""
        return self.options.get("collaborative_planning") is True


class ApiError(DeskError):
    """A call of the API failed."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        """Seconds that the server asked to wait; None if it named no time."""


class NotCreated(ApiError):
    """The create request failed in a way that proves that nothing was started."""

    def __init__(self, message: str, *, retryable: bool = False, **values: Any) -> None:
        super().__init__(message, **values)
        self.retryable = retryable
        """Whether the same request may succeed later."""


class OutcomeUnknown(ApiError):
    """The create request was sent, but its outcome is not known: a research run may have started."""


class NotFound(ApiError):
    """The API does not have the interaction (or the method). A 404 of a proxy is `Unavailable`."""


class Refused(ApiError):
    """The server refuses the call permanently, for example because of a bad key or a bad request."""


class Unavailable(ApiError):
    """A temporary failure that is worth a retry: no connection, a broken stream, or status 408, 409, 429 or 5xx.

    It is also a 404 without the API's error: a 404 of a proxy or a wrong address says nothing about an interaction.
    """


class InteractionsClient:
    """Makes the calls over a transport, and raises `ApiError` if one fails."""

    def __init__(
        self,
        transport: Callable[[], Transport],
        *,
        timeout_s: float = 60,
        tools: Callable[[], list[Any]] = list,
        webhook_url: Callable[[], str] = str,
    ) -> None:
        """Args:
        transport: returns the transport of the running event loop.
        tools: returns a run's tools in wire format; called for each run, because they may contain secrets.
        timeout_s: timeout for an answer that is not a stream.
        webhook_url: returns the address that gets a message when a run ends; empty if there is none.
        """
        self._transport, self._timeout_s, self._tools = transport, timeout_s, tools
        self._webhook_url = webhook_url

    @property
    def has_webhook(self) -> bool:
        """Whether a message will name a run of this client when it ends."""
        try:
            return bool(self._webhook_url())
        except DeskError:  # a wrong setting, so no run starts
            return False

    async def create(self, request: CreateRequest) -> AsyncGenerator[Event, None]:
        """Starts a research run and yields its events. One of the first events names the interaction.

        Raises:
            NotCreated: nothing was started.
            OutcomeUnknown: the run may have started, but no event has named the interaction.
            Unavailable: the stream broke after an event had named the interaction.
        """
        try:
            transport, tools, webhook = self._transport(), self._tools(), self._webhook_url()
        except Exception as error:
            raise NotCreated(str(error)) from error
        body = {
            "agent": request.agent,
            "input": _step(request.input),
            "agent_config": {"type": "deep-research", **request.options},
            "tools": tools or None,
            "previous_interaction_id": request.previous or None,
            "webhook_config": {"uris": [webhook], "user_metadata": dict(request.metadata)} if webhook else None,
            "background": True,  # Deep Research refuses to run otherwise
            "store": True,
            "stream": True,
        }
        named = False
        try:
            async with aclosing(iter_events(await transport.create(body))) as events:
                async for event in events:
                    named = named or bool(interaction_id_of(event))
                    yield event
        except Exception as error:
            raise (_error(error) if named else _start_error(error)) from error
        if not named:
            raise OutcomeUnknown("the answer ended before it named the interaction")

    async def stream(self, interaction_id: str, last_event_id: str | None) -> AsyncGenerator[Event, None]:
        """Yields the events after `last_event_id` (all events if it is None), then new events as they happen.

        Raises:
            ApiError: the stream broke or could not be opened.
        """
        try:
            async with aclosing(iter_events(await self._transport().attach(interaction_id, last_event_id))) as events:
                async for event in events:
                    yield event
        except Exception as error:
            raise _error(error) from error

    async def get(self, interaction_id: str, *, include_input: bool = False) -> Resource:
        """Reads the current state of an interaction; with `include_input`, its input steps come first.

        Raises:
            ApiError: the call failed.
        """
        async with self._answer():
            return await self._transport().get(interaction_id, include_input=include_input)

    @property
    def model_timeout_s(self) -> float:
        """Maximum seconds that `ask` takes."""
        return self._timeout_s * MODEL_TIMEOUT_FACTOR

    async def ask(self, model: str, text: str, previous: str | None) -> Resource:
        """Asks a model, continuing from an interaction.

        If the answer spans several interactions, the result has the steps of all and the id of the last one;
        `earlier_ids` has the ids of the others.

        Raises:
            NotFound: the server no longer has the interaction, or has no such model.
            ApiError: the call failed.
        """
        body = {"model": model, "input": text, "previous_interaction_id": previous or None}
        steps, earlier = list[Any](), list[str]()
        async with self._answer(MODEL_TIMEOUT_FACTOR):
            transport = self._transport()
            while True:
                part = await transport.answer(body)
                steps += part.get("steps", [])
                token, id_ = part.get("continuation_token"), part.get("id", "")
                if part["status"] != "requires_continuation" or not token or token == body.get("continuation_token"):
                    return {**part, "id": id_, "steps": steps, "earlier_ids": earlier}
                earlier.append(id_)
                body = {"model": model, "previous_interaction_id": id_, "continuation_token": token}

    async def cancel(self, interaction_id: str) -> Resource:
        """Cancels a running interaction; returns its new state, or an empty mapping if the server sends none.

        Raises:
            NotFound: the server has no such method or interaction (seen for running interactions: python-genai #1971).
            ApiError: the call failed.
        """
        async with self._answer():
            return await self._transport().cancel(interaction_id)

    async def delete(self, interaction_id: str) -> None:
        """Deletes an interaction at the server.

        Raises:
            ApiError: the call failed.
        """
        async with self._answer():
            await self._transport().delete(interaction_id)

    @asynccontextmanager
    async def _answer(self, times: float = 1) -> AsyncIterator[None]:
        seconds = self._timeout_s * times
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise Unavailable(f"no answer in {seconds:.0f} s") from None
        except Exception as error:
            raise _error(error) from error


def _step(sent: str | list[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """Wraps contents in a user step, as the SDK does."""
    return sent if isinstance(sent, str) else [{"type": "user_input", "content": sent}]


def status_of(error: BaseException) -> int | None:
    """Returns the HTTP status of an error from the transport, this client or the SDK; None if it has none.

    The SDK's errors share no base class (google-genai 2.34), so this function looks for either attribute.
    """
    status = getattr(error, "status_code", None) or getattr(error, "status", None)
    return status if isinstance(status, int) and status >= 300 else None


def is_not_found(error: BaseException) -> bool:
    """Whether the API says that it does not have something. A 404 of a proxy says nothing of the API."""
    return status_of(error) == 404 and getattr(error, "from_api", True)


def _error(error: Exception) -> ApiError:
    """Converts any exception of a call to an `ApiError`. An unknown exception counts as temporary."""
    status, wait = status_of(error), retry_after(error)
    if is_not_found(error):
        return NotFound(str(error), status=status)
    if status == 404:
        return Unavailable(f"{str(error).rstrip('.')}; {NOT_THE_API}", status=status)
    if status is not None and 400 <= status < 500 and status not in (408, 409, 429):
        return Refused(str(error), status=status)
    return Unavailable(str(error) or type(error).__name__, status=status, retry_after=wait)


_CREDENTIALS = "GEMINI_API_KEY, or the credentials of Vertex AI"
_ADVICE = {401: _CREDENTIALS, 403: _CREDENTIALS, 404: "the `agent` in the researcher's YAML"}
"""Maps the HTTP status of a refused create request to what the person should check."""


def _start_error(error: Exception) -> ApiError:
    """Converts an exception raised before an event named the interaction. Not every one proves that nothing started."""
    status, wait, text = status_of(error), retry_after(error), str(error) or type(error).__name__
    if status is not None and 400 <= status < 500 and status not in (408, 409):
        if status == 400 and "webhook" in text:
            text += "; DESK_WEBHOOKS=0 starts research without a webhook"
        if status == 404 and not is_not_found(error):
            return NotCreated(f"{text.rstrip('.')}; {NOT_THE_API}", retryable=True, retry_after=wait)
        if advice := _ADVICE.get(status):
            text = f"{text.rstrip('.')}; check {advice}"
        return NotCreated(text, retryable=status == 429, status=status, retry_after=wait)
    if isinstance(error, NotSent):
        return NotCreated(text, retryable=error.retryable)
    return OutcomeUnknown(text, status=status)


def retry_after(error: BaseException) -> float | None:
    """Returns the seconds that the server asked to wait, from `retry-after-ms` or `Retry-After` (seconds or a date)."""
    if isinstance(error, ApiError):
        return error.retry_after
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        elif (value := headers.get("retry-after", "")).strip().replace(".", "", 1).isdigit():
            seconds = float(value)
        else:
            seconds = max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
