"""The client for research: the API calls that a run needs. Failed calls raise the errors of `api_errors.py`.

No call is retried here, because a second create may start a second paid run. The caller decides about retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tools.errors import DeskError
from tools.interactions.resources import Event, Resource, interaction_id_of
from tools.interactions.transport import Transport, iter_events
from tools.research.api_errors import NotCreated, OutcomeUnknown, Unavailable, api_error, create_error
from tools.research.timeouts import API_TIMEOUT_S, MODEL_TIMEOUT_FACTOR


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


class InteractionsClient:
    """Makes the calls over a transport, and raises `ApiError` if one fails."""

    def __init__(
        self,
        transport: Callable[[], Transport],
        *,
        timeout_s: float = API_TIMEOUT_S,
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
            raise (api_error(error) if named else create_error(error)) from error
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
            raise api_error(error) from error

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
            raise api_error(error) from error


def _step(sent: str | list[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """Wraps contents in a user step, as the SDK does."""
    return sent if isinstance(sent, str) else [{"type": "user_input", "content": sent}]
