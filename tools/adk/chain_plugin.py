"""Keeps every agent's chain of interactions balanced (each function call has its result) and complete.

The Interactions API stores a conversation as a chain of `previous_interaction_id`s, one chain per agent. With each
request on a chain, ADK 2.13 sends only the "current turn" (`flows/llm_flows/context/_contents.py:156`). This is wrong
once agents hand over to one another: the root's `transfer_to_agent` call stays unanswered, and an agent does not get
what another agent and the user said in the meantime. One rule fixes both:

    the request continues from the event whose interaction id is its `previous_interaction_id`. It contains all later
    events of the session that its agent may see, and nothing else.

A chain continues from the agent's last valid answer. An answer is invalid if it was rewound (ADK 2.13 continues from
it anyway, `flows/llm_flows/context/_interactions.py:38`) or if it is older than the server's retention period.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from google.adk.agents import InvocationContext, LlmAgent
from google.adk.agents.callback_context import CallbackContext
from google.adk.events import Event
from google.adk.models import LlmRequest, LlmResponse
from google.adk.plugins import BasePlugin
from google.genai import types

from tools.adk.contents import parts_of
from tools.adk.sessions.lazy_history import RecentEvents, UnseenContents
from tools.adk.visible_events import visible_events
from tools.settings import load_settings

if TYPE_CHECKING:
    from google.adk.flows.llm_flows._base_llm_processor import BaseLlmRequestProcessor


class ChainPlugin(BasePlugin):
    """Adds to each chained request the contents that its chain lacks; starts a new chain when one has expired."""

    def __init__(self) -> None:
        super().__init__(name="chains")

    async def before_model_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest
    ) -> LlmResponse | None:
        """Sets the interaction that the request continues; removes the contents that the server already has."""
        context = callback_context.get_invocation_context()
        agent = _conversing(context)
        if agent is None:
            return None
        events, rest = without_rewound(context.session.events), _rest(context.session.events)
        since = time.time() - load_settings().retention_s

        async def load_all() -> list[types.Content]:
            known = without_rewound(await rest()) if rest else events
            return await _contents(context, agent, [await _with_pictures(context, agent, event) for event in known])

        if agent.include_contents == "none":  # the agent gets only this turn
            llm_request.previous_interaction_id = None
            llm_request.contents = await _contents(context, agent, events)
            return None
        start = None
        if llm_request.config.store is not False:
            start = chain_start(events, agent.name, context.branch, since)
            if start is None and rest:
                events = without_rewound(await rest())
                start = chain_start(events, agent.name, context.branch, since)
        if start is None:
            llm_request.previous_interaction_id, llm_request.contents = None, await load_all()
            return None
        llm_request.previous_interaction_id = previous = events[start].interaction_id
        unseen = await _contents(context, agent, _unseen(events[start:], agent.name))
        _answer_all(unseen, _calls(events[start:], agent.name, previous))
        llm_request.contents = UnseenContents(unseen, load_all)
        return None


def without_rewound(events: Sequence[Event]) -> list[Event]:
    """Returns the events that no rewind has undone, according to ADK's own rule (`events/_rewind_events.py`)."""
    first = {event.invocation_id: i for i, event in reversed(list(enumerate(events)))}
    kept: list[Event] = []
    i = len(events) - 1
    while i >= 0:
        target = events[i].actions.rewind_before_invocation_id
        if target is None:
            kept.append(events[i])
        else:
            i = min(i, first.get(target, i))
        i -= 1
    return kept[::-1]


def chain_start(events: Sequence[Event], name: str, branch: str | None, since: float) -> int | None:
    """Returns the index of the first event of agent `name`'s last interaction.

    Returns None if the agent has no interaction, or if the last one is older than `since` (seconds since the epoch).
    """
    own = [i for i, e in enumerate(events) if e.author == name and e.interaction_id and e.branch in (None, "", branch)]
    if not own or events[own[-1]].timestamp < since:
        return None
    return next(i for i in own if events[i].interaction_id == events[own[-1]].interaction_id)


def _rest(events: Sequence[Event]) -> Callable[[], Awaitable[list[Event]]] | None:
    """Returns a function that reads all events of the session; None if `events` are all events."""
    return events.load_all if isinstance(events, RecentEvents) else None


def _conversing(context: InvocationContext) -> LlmAgent | None:
    """Returns the requesting agent; None if its mode is `single_turn` or `task`.

    ADK starts a new chain for each call of such an agent, so this plugin has nothing to add.
    """
    agent = context.agent
    return agent if isinstance(agent, LlmAgent) and agent.mode not in ("single_turn", "task") else None


def _unseen(events: Sequence[Event], name: str) -> list[Event]:
    """Drops events that ADK made in the agent's name: they look like an answer of the model, but are on no chain.

    ADK sends only what follows the last answer, so such an event would hide the user's messages before it.
    """
    return [e for e in events if e.author != name or e.interaction_id or e.get_function_responses()]


def _calls(events: Sequence[Event], name: str, interaction_id: str | None) -> list[types.FunctionCall]:
    return [
        call
        for event in events
        if event.author == name and event.interaction_id == interaction_id
        for call in event.get_function_calls()
    ]


def _answer_all(contents: list[types.Content], calls: Sequence[types.FunctionCall]) -> None:
    """Adds an error result for each call of the last model turn that has no result, for example after a crash."""
    head = max((i for i, content in enumerate(contents) if content.role == "model"), default=-1) + 1
    answered = {
        part.function_response.id for content in contents[head:] for part in parts_of(content) if part.function_response
    }
    lost = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"error": "interrupted: no result was recorded"}
            )
        )
        for call in calls
        if call.id not in answered
    ]
    if lost:
        contents.insert(head, types.Content(role="user", parts=lost))


async def _contents(context: InvocationContext, agent: LlmAgent, events: Sequence[Event]) -> list[types.Content]:
    session = context.session.model_copy(update={"events": visible_events(agent.name, events)})
    context, request = context.model_copy(update={"session": session}), LlmRequest()
    instructions, history = _builders()
    for processor in (instructions, history) if agent.static_instruction else (history,):
        async for _ in processor.run_async(context, request):
            pass
    return request.contents


@cache
def _builders() -> tuple[BaseLlmRequestProcessor, ...]:
    """Returns ADK's own builders of instructions and contents: they handle branches, quoting and call-result pairs."""
    from google.adk.flows.llm_flows.single_flow import SingleFlow  # imported late: only a turn needs ADK's flows

    return tuple(map(SingleFlow().get_request_processor, ("instructions", "contents")))


async def _with_pictures(context: InvocationContext, agent: LlmAgent, event: Event) -> Event:
    """Puts the files that an agent made back into its event, because a new chain does not have them."""
    files = event.actions.artifact_delta
    if event.author != agent.name or event.content or not files or context.artifact_service is None:
        return event
    session, parts = context.session, []
    for name, version in files.items():
        part = await context.artifact_service.load_artifact(
            app_name=session.app_name, user_id=session.user_id, session_id=session.id, filename=name, version=version
        )
        parts += [part] if part and part.inline_data else []
    return event.model_copy(update={"content": types.Content(role="model", parts=parts)}) if parts else event
