"""The gate: judges what users say before anything else sees it, and research before it is shown. Fails closed.

A blocked message never enters the session, so that no model and no chain can meet it later: a placeholder stands in
its place (`on_user_message_callback`), and the run ends with the policy's words (`before_run_callback`). Events that a
client brings into a new conversation are judged before its first turn; while they are blocked, no turn begins. Not
judged are attached files other than texts, the desk's other answers, live audio and research of the command line; a
message without text passes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from google.adk.agents import InvocationContext
from google.adk.events import Event
from google.adk.events._internal_metadata import RESTORED_EVENT_KEY
from google.adk.plugins import BasePlugin
from google.genai import types
from opentelemetry import trace

from tools.adk.history import RecentEvents
from tools.errors import DeskError
from tools.moderation.judge import ModerationClient, NotModerated, load_judge
from tools.moderation.policy import Action, Policy, load_policy
from tools.moderation.strings import strings, text_of
from tools.moderation.verdict import Verdict

log = logging.getLogger(__name__)
tracer = trace.get_tracer(__name__)

NAME = "moderation_gate"
NOTE = "moderation"
"""Metadata of events: what was decided. Only the gate writes it."""
BROUGHT_ALONG = "This is about the events that the conversation was created with: begin a new one without them."
NOTHING_DONE = {
    "user_messages": "Your message could not be checked, so nothing was done with it.",
    "reports": "The report could not be checked, so it is not shown. It is kept: ask for it again to have it checked.",
}


class ReportBlocked(DeskError):
    """A report must not be shown. The text is for the user."""


@dataclass(frozen=True)
class Decision:
    """What is done with a text, and why."""

    action: Action
    message: str = ""
    """What the user is told instead."""
    verdict: Verdict | None = None
    """None: there is no verdict, and `error_code` and `error_message` say why."""
    error_code: str | None = None
    error_message: str | None = None

    @property
    def note(self) -> dict[str, Any]:
        """It as an event's metadata, which no model is sent. The reason may quote the text: a block leaves it out."""
        if self.verdict is None:
            return {"action": self.action, "error": self.error_code}
        hidden = {"reason"} if self.action == "block" else set[str]()
        return {"action": self.action, **self.verdict.model_dump(exclude=hidden)}


class ModerationGate(BasePlugin):
    """Lets through what the policy allows. Belongs before all other plugins, so that none of them sees what is blocked.

    Verdicts stand in the metadata of the events (`custom_metadata["moderation"]`) and in the trace: a span `moderate`.
    """

    def __init__(self, policy: Policy, judge: ModerationClient) -> None:
        super().__init__(name=NAME)
        self._policy, self._judge = policy, judge
        self._open: dict[str, Decision] = {}
        """By invocation: a decision that the next event of the run shall tell of."""

    async def on_user_message_callback(
        self, *, invocation_context: InvocationContext, user_message: types.Content
    ) -> types.Content | None:
        """Puts a placeholder in the place of a message that is blocked, or that follows blocked events."""
        session, config = invocation_context.session, invocation_context.run_config
        decision = await self.decide("user_messages", text_of(user_message))
        if decision is None or decision.action != "block":
            decision = await self._decide_brought_along(session.events) or decision
        if config:  # ADK puts it on every event of the run, the user's too
            marked = {name: value for name, value in (config.custom_metadata or {}).items() if name != NOTE}
            marked |= {NOTE: decision.note} if decision else {}
            invocation_context.run_config = config.model_copy(update={"custom_metadata": marked or None})
        if decision is None or decision.action != "block":
            return None
        self._open[invocation_context.invocation_id] = decision
        return _placeholder(user_message, decision, session.events)

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> types.Content | None:
        """Ends the run of a blocked message before it begins; or one that goes on with an old message, judged here."""
        decision = self._open.get(invocation_context.invocation_id)
        if decision is None:
            decision = await self._decide_brought_along(invocation_context.session.events)
        if decision is None:
            return None
        self._open[invocation_context.invocation_id] = decision
        return types.Content(role="model", parts=[types.Part(text=decision.message)])

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> None:
        """Completes, in place, the event that a decision is about; other plugins may still change it."""
        if event.partial or not event.content:
            return
        decision = self._open.pop(invocation_context.invocation_id, None)
        if decision is None:
            return
        event.custom_metadata = {**(event.custom_metadata or {}), NOTE: decision.note}
        event.error_code, event.error_message = decision.error_code, decision.error_message
        if event.author == "model":  # as ADK calls whoever ends a run before it begins
            event.author = getattr(invocation_context.agent, "name", event.author)

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._open.pop(invocation_context.invocation_id, None)

    async def admit_report(self, context: InvocationContext, text: str) -> None:
        """Judges what a researcher is about to show; the verdict goes with the event that says it.

        Raises:
            Withheld: it must not be shown.
        """
        decision = await self.decide("reports", text)
        if decision is None or decision.action == "pass":
            return
        self._open[context.invocation_id] = decision
        if decision.action == "block":
            raise ReportBlocked(decision.message)

    async def admitted(self, lines: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        """Lines of progress that may be shown. What comes while others are judged is judged together, once."""
        waiting, more = list[str](), asyncio.Event()

        async def read() -> None:
            async for line in lines:
                waiting.append(line)
                more.set()

        reading = asyncio.create_task(read())
        reading.add_done_callback(lambda _: more.set())
        try:
            while waiting or not reading.done():
                await more.wait()
                more.clear()
                batch, waiting[:] = waiting[:], []
                for line in await self._admit_lines(batch):
                    yield line
            await reading  # raises what went wrong
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _admit_lines(self, lines: list[str]) -> list[str]:
        decision = await self.decide("reports", "\n".join(lines))
        if decision is None or decision.action != "block":
            return lines
        if decision.verdict is None or len(lines) == 1:
            return []
        return [line for each in lines for line in await self._admit_lines([each])]

    async def _decide_brought_along(self, events: Sequence[Event]) -> Decision | None:
        """What blocks a conversation because of the events that it was created with, if anything does.

        A client brings events only when a session is created. So they were judged if an agent has answered since.
        """
        if any(_is_answer(event) for event in events):
            return None
        if isinstance(events, RecentEvents):
            events = await events.whole()
        brought = [event for event in events if _is_restored(event)]
        decision = await self.decide("user_messages", "\n".join(strings(brought)))
        if decision is None or decision.action != "block":
            return None
        return replace(decision, message=f"{decision.message} {BROUGHT_ALONG}")

    async def decide(self, what: Literal["user_messages", "reports"], text: str) -> Decision | None:
        """What the policy wants done with a text; none if it does not want it judged, or if there is nothing to judge.

        Never raises: whatever goes wrong blocks the text.
        """
        if not self._policy.enabled or what not in self._policy.screen or not text.strip():
            return None
        with tracer.start_as_current_span("moderate", record_exception=False) as span:
            span.set_attribute("what", what)
            try:
                verdict, cached = await self._judge.judge(text)
            except Exception as error:
                code = error.code if isinstance(error, NotModerated) else type(error).__name__
                why = str(error) if isinstance(error, NotModerated) else "The log has the details."
                log.warning("%s could not be moderated: %s", what, code)
                span.set_attributes({"action": "block", "error.type": code})
                told = f"{NOTHING_DONE[what]} {why} ({code})"
                return Decision("block", told, error_code=f"MODERATION_{code}", error_message=why)
            rule, action = self._policy.rule(verdict), self._policy.action(verdict)
            span.set_attributes(
                {
                    "category": verdict.category,
                    "is_safe": verdict.is_safe,
                    "confidence": verdict.confidence,
                    "action": action,
                    "cached": cached,
                }
            )
            return Decision(action, rule.message if rule and action == "block" else "", verdict)


def build_plugins(root: Path) -> list[BasePlugin]:
    """The gate that `policy.yaml` beside the root agent's file asks for, if it asks for one.

    Raises:
        ConfigError: that file, or the moderator's, is wrong.
    """
    policy = load_policy(root)
    return [ModerationGate(policy, load_judge(root, policy))] if policy.enabled else []


async def admit_report(context: InvocationContext, text: str) -> None:
    """Lets the application's gate, if it has one, judge a text of a research before anything of it is saved or shown.

    Raises:
        Withheld: it must not be shown.
    """
    if gate := _gate_of(context):
        await gate.admit_report(context, text)


async def admitted(context: InvocationContext, lines: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Lines of a research's progress without those that the application's gate, if it has one, withholds."""
    gate = _gate_of(context)
    async with aclosing(lines), aclosing(gate.admitted(lines) if gate else lines) as shown:
        async for line in shown:
            yield line


def _gate_of(context: InvocationContext) -> ModerationGate | None:
    gate = context.plugin_manager.get_plugin(NAME)
    return gate if isinstance(gate, ModerationGate) else None


def _is_restored(event: Event) -> bool:
    return bool((event.custom_metadata or {}).get(RESTORED_EVENT_KEY))


def _is_answer(event: Event) -> bool:
    """Whether an agent answered here, in a run that was not blocked."""
    note = (event.custom_metadata or {}).get(NOTE)
    blocked = isinstance(note, dict) and note.get("action") == "block"
    return event.author != "user" and not _is_restored(event) and not blocked


def _placeholder(message: types.Content, decision: Decision, events: Sequence[Event]) -> types.Content:
    """What is kept of a blocked message. Calls that it answers stay answered, or their chain would be broken."""
    why = decision.verdict.category if decision.verdict else "it could not be checked"
    note = f"[A message of the user was withheld by moderation: {why}]"
    answered = {part.function_response.id for part in message.parts or [] if part.function_response}
    calls = [call for event in events for call in event.get_function_calls() if call.id in answered]
    if not calls:
        return types.Content(role="user", parts=[types.Part(text=note)])
    answers = [types.FunctionResponse(id=call.id, name=call.name, response={"error": note}) for call in calls]
    return types.Content(role="user", parts=[types.Part(function_response=answer) for answer in answers])
