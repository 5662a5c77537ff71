"""Keeps every agent's chain of interactions balanced and complete.

The Interactions API remembers a conversation as a chain of `previous_interaction_id`s, one chain per agent. ADK 2.13
sends along a chain only its "current turn" (`flows/llm_flows/context/_contents.py:156`), which is wrong once agents
hand over to one another: the root's `transfer_to_agent` call stays unanswered, and an agent never hears what was
said while another one spoke. One rule puts both right:

    a chained request carries exactly what happened in the session since the event that holds its
    `previous_interaction_id`, seen through the eyes of the agent that asks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from google.adk.agents import InvocationContext, LlmAgent
from google.adk.agents.callback_context import CallbackContext
from google.adk.events import Event
from google.adk.flows.llm_flows.single_flow import SingleFlow
from google.adk.models import LlmRequest, LlmResponse
from google.adk.plugins import BasePlugin
from google.genai import types

from tools.errors import explained
from tools.research.client import status_of

log = logging.getLogger(__name__)

TRANSFER = "transfer_to_agent"
LONGEST_ANSWER = 4_000
"""Characters of a specialist's answer that the other agents are told; a whole report would be re-read each turn."""

_history = SingleFlow().get_request_processor("contents")
"""ADK's own builder of request contents (branches, quoting, pairing of calls), by its documented look-up."""


class ChainKeeper(BasePlugin):
    """Makes every chained request carry exactly what its chain has not seen, and outlives forgotten chains."""

    def __init__(self) -> None:
        super().__init__(name="chain_keeper")

    async def before_model_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest
    ) -> LlmResponse | None:
        """Replaces the request's contents by what this agent's chain has not seen yet."""
        context = callback_context.get_invocation_context()
        agent = _conversing(context)
        if agent is None:
            return None
        if agent.include_contents == "none":
            llm_request.previous_interaction_id = None  # ADK would chain all the same
        previous = llm_request.previous_interaction_id
        events = context.session.events
        if not previous:
            llm_request.contents = await _contents(context, agent, events)
            return None
        start = _position(events, agent.name, previous)
        if start is None:
            return None
        llm_request.contents = await _contents(context, agent, _unseen(events[start:], agent.name))
        _answer_all(llm_request.contents, _calls(events[start:], agent.name, previous))
        return None

    async def on_model_error_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest, error: Exception
    ) -> LlmResponse | None:
        """Goes on without the chain when the server has forgotten it: the session knows the conversation too."""
        context = callback_context.get_invocation_context()
        agent = _conversing(context)
        if agent is None or status_of(error) != 404 or not llm_request.previous_interaction_id:
            return None
        log.info("%s: the server forgot the chain, going on from the session", agent.name)
        contents = await _contents(context, agent, context.session.events)
        retry = llm_request.model_copy(update={"previous_interaction_id": None, "contents": contents})
        answer = None
        try:
            async for response in agent.canonical_model.generate_content_async(retry, stream=False):
                answer = response
        except Exception as second:  # ADK would report the first error, which is not the one that counts
            return explained(second, retry.model or "the model")
        return answer


def _conversing(context: InvocationContext) -> LlmAgent | None:
    """The agent that asks, if its chain needs keeping.

    Delegated agents (single_turn, task) get a fresh chain per call, which ADK keeps balanced by itself.
    """
    agent = context.agent
    return agent if isinstance(agent, LlmAgent) and agent.mode not in ("single_turn", "task") else None


def _position(events: Sequence[Event], name: str, interaction_id: str) -> int | None:
    return next((i for i, e in enumerate(events) if e.author == name and e.interaction_id == interaction_id), None)


def _unseen(events: Sequence[Event], name: str) -> list[Event]:
    """Leaves out the agent's own events that ADK made: they are on no chain and would hide what came before them."""
    return [e for e in events if e.author != name or e.interaction_id or e.get_function_responses()]


def _calls(events: Sequence[Event], name: str, interaction_id: str) -> list[types.FunctionCall]:
    return [
        call
        for event in events
        if event.author == name and event.interaction_id == interaction_id
        for call in event.get_function_calls()
    ]


def _answer_all(contents: list[types.Content], calls: Sequence[types.FunctionCall]) -> None:
    """Adds a result for each call of the last model turn that never got one (crash, disconnect, abort)."""
    head = max((i for i, content in enumerate(contents) if content.role == "model"), default=-1) + 1
    answered = {
        part.function_response.id
        for content in contents[head:]
        for part in content.parts or []
        if part.function_response
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
    session = context.session.model_copy(update={"events": seen_by(agent.name, events)})
    request = LlmRequest()
    async for _ in _history.run_async(context.model_copy(update={"session": session}), request):
        pass
    return request.contents


def seen_by(name: str, events: Sequence[Event]) -> list[Event]:
    """What agent `name` needs to know of `events`: its own and the user's; of the other agents what they said.

    What a specialist said after `name` handed over to it becomes the result of that `transfer_to_agent` call:
    `{"answer": ..., "shown_to_user": true}`. The tool traffic of others is left out.
    """
    seen: list[Event] = []
    handover: types.FunctionResponse | None = None
    for event in events:
        if event.author == "user":
            handover = None
            seen.append(event)
        elif event.author == name:
            if any(r.name == TRANSFER for r in event.get_function_responses()):
                event = event.model_copy(deep=True)
                handover = next(r for r in event.get_function_responses() if r.name == TRANSFER)
                handover.response = {"error": "no answer was recorded"}
            seen.append(event)
        elif said := _said(event):
            if handover is None:
                content = types.Content(role="model", parts=[types.Part(text=said)])
                seen.append(event.model_copy(update={"content": content}))
            else:
                handover.response = _answer(handover.response, said)
    return seen


def _answer(result: dict[str, Any] | None, said: str) -> dict[str, Any]:
    before = (result or {}).get("answer", "")
    answer = f"{before}\n{said}".strip()
    if len(answer) > LONGEST_ANSWER:
        answer = f"{answer[:LONGEST_ANSWER]} […]"
    return {"answer": answer, "shown_to_user": True}


def _said(event: Event) -> str:
    if event.get_function_calls() or event.get_function_responses():
        return ""
    parts = (event.content.parts if event.content else None) or []
    text = "".join(part.text or "" for part in parts if not part.thought)
    return text or (f"error: {event.error_message}" if event.error_code else "")
