"""The moderation gate: judges user messages before processing, and research before it is shown. It fails closed.

A blocked message never enters the session, so no model and no chain can see it later: a placeholder replaces it
(`on_user_message_callback`), and the run ends with the policy's message (`before_run_callback`). If a client creates a
conversation with events, they are judged before its first turn; while they are blocked, no turn starts. Not judged:
attached files other than text, the desk's other answers, live audio, and research on the command line. A message
without text passes.
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

from tools.adk.contents import parts_of
from tools.adk.sessions.lazy_history import RecentEvents
from tools.errors import DeskError
from tools.moderation.judge import ModerationClient, NotModerated, load_judge
from tools.moderation.message_texts import strings, text_to_judge
from tools.moderation.policy import Action, Policy, load_policy
from tools.moderation.verdict import Verdict

log = logging.getLogger(__name__)
tracer = trace.get_tracer(__name__)

PLUGIN_NAME = "moderation_gate"
DECISION_KEY = "moderation"
"""Key of the gate's decision in an event's metadata. Only the gate writes it."""
RESTORED_EVENTS_HINT = "This is about the events that the conversation was created with: begin a new one without them."
UNCHECKED_TEXTS = {
    "user_messages": "Your message could not be checked, so nothing was done with it.",
    "reports": "The report could not be checked, so it is not shown. It is kept: ask for it again to have it checked.",
}


class ReportBlocked(DeskError):
    """A report must not be shown. The error's text is for the user."""


@dataclass(frozen=True)
class Decision:
    """The gate's decision about a text: whether to block it, and the reason."""

    action: Action
    message: str = ""
    """The message that the user gets instead of the text."""
    verdict: Verdict | None = None
    """None if there is no verdict; `error_code` and `error_message` then say why."""
    error_code: str | None = None
    error_message: str | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """The decision as event metadata, which no model gets.

        If the decision blocks the text, the reason is left out, because the reason may quote the text.
        """
        if self.verdict is None:
            return {"action": self.action, "error": self.error_code}
        hidden = {"reason"} if self.action == "block" else set[str]()
        return {"action": self.action, **self.verdict.model_dump(exclude=hidden)}


class ModerationGate(BasePlugin):
    """Blocks texts that the policy forbids. Blocked text must not reach plugins other than sanitizer and telemetry.

    Therefore only those two may come before this plugin.

    Verdicts are recorded in the metadata of events (`custom_metadata["moderation"]`) and in trace spans `moderate`.
    """

    def __init__(self, policy: Policy, judge: ModerationClient) -> None:
        super().__init__(name=PLUGIN_NAME)
        self._policy, self._judge = policy, judge
        self._unrecorded: dict[str, Decision] = {}
        """Maps an invocation id to the decision that is still to be recorded, on the next event of the run."""

    async def on_user_message_callback(
        self, *, invocation_context: InvocationContext, user_message: types.Content
    ) -> types.Content | None:
        """Replaces a message by a placeholder if the gate blocks the message or the conversation's restored events."""
        session, config = invocation_context.session, invocation_context.run_config
        decision = await self.decide("user_messages", text_to_judge(user_message))
        if decision is None or decision.action != "block":
            decision = await self._decide_restored(session.events) or decision
        if config:  # ADK copies this metadata to every event of the run, the user's message included
            marked = {name: value for name, value in (config.custom_metadata or {}).items() if name != DECISION_KEY}
            marked |= {DECISION_KEY: decision.metadata} if decision else {}
            invocation_context.run_config = config.model_copy(update={"custom_metadata": marked or None})
        if decision is None or decision.action != "block":
            return None
        self._unrecorded[invocation_context.invocation_id] = decision
        return _placeholder(user_message, decision, session.events)

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> types.Content | None:
        """Ends a blocked run before it starts. If the run has no new message, judges the restored events first."""
        decision = self._unrecorded.get(invocation_context.invocation_id)
        if decision is None:
            decision = await self._decide_restored(invocation_context.session.events)
        if decision is None:
            return None
        self._unrecorded[invocation_context.invocation_id] = decision
        return types.Content(role="model", parts=[types.Part(text=decision.message)])

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> None:
        """Records a waiting decision on the event, in place, so that other plugins can still change the event."""
        if event.partial or not event.content:
            return
        decision = self._unrecorded.pop(invocation_context.invocation_id, None)
        if decision is None:
            return
        event.custom_metadata = {**(event.custom_metadata or {}), DECISION_KEY: decision.metadata}
        event.error_code, event.error_message = decision.error_code, decision.error_message
        if event.author == "model":  # ADK's author name when a plugin ends a run before it starts
            event.author = getattr(invocation_context.agent, "name", event.author)

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._unrecorded.pop(invocation_context.invocation_id, None)

    async def screen_report(self, context: InvocationContext, text: str) -> None:
        """Judges a text before a researcher shows it. The event that shows the text will record the verdict.

        Raises:
            ReportBlocked: the text must not be shown.
        """
        decision = await self.decide("reports", text)
        if decision is None or decision.action == "pass":
            return
        self._unrecorded[context.invocation_id] = decision
        if decision.action == "block":
            raise ReportBlocked(decision.message)

    async def screen_progress(self, lines: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        """Yields the progress lines that may be shown. Lines that arrive during a judgement are judged together."""
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
                for line in await self._screen_lines(batch):
                    yield line
            await reading  # raises the error of reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _screen_lines(self, lines: list[str]) -> list[str]:
        decision = await self.decide("reports", "\n".join(lines))
        if decision is None or decision.action != "block":
            return lines
        if decision.verdict is None or len(lines) == 1:
            return []
        return [line for each in lines for line in await self._screen_lines([each])]

    async def _decide_restored(self, events: Sequence[Event]) -> Decision | None:
        """Judges the events that a client has created a conversation with; returns a decision to block.

        Returns None if the events are allowed or were judged before. A client can add events only when it creates a
        session, so an agent's answer shows that they were judged.
        """
        if any(_is_answer(event) for event in events):
            return None
        if isinstance(events, RecentEvents):
            events = await events.load_all()
        brought = [event for event in events if _is_restored(event)]
        decision = await self.decide("user_messages", "\n".join(strings(brought)))
        if decision is None or decision.action != "block":
            return None
        return replace(decision, message=f"{decision.message} {RESTORED_EVENTS_HINT}")

    async def decide(self, what: Literal["user_messages", "reports"], text: str) -> Decision | None:
        """Returns what the policy does with a text; None if the policy does not screen such texts or the text is empty.

        Never raises: any error blocks the text.
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
                told = f"{UNCHECKED_TEXTS[what]} {why} ({code})"
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

    async def refusal(self, what: Literal["user_messages", "reports"], text: str) -> str:
        """Returns the message that replaces a text which the policy blocks; empty if the text may be used."""
        decision = await self.decide(what, text)
        return decision.message if decision and decision.action == "block" else ""


def build_plugins(root: Path) -> list[BasePlugin]:
    """Returns the gate if `moderation_policy.yaml` beside the root agent's file enables it.

    Raises:
        ConfigError: `moderation_policy.yaml` or the moderator's file is wrong.
    """
    policy = load_policy(root)
    return [ModerationGate(policy, load_judge(root, policy))] if policy.enabled else []


async def screen_report(context: InvocationContext, text: str) -> None:
    """Judges a text of a research run before the text is saved or shown. Does nothing if the application has no gate.

    Raises:
        ReportBlocked: the text must not be shown.
    """
    if gate := _gate_of(context):
        await gate.screen_report(context, text)


async def screen_progress(context: InvocationContext, lines: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Yields the progress lines of a research run, without those that the application's moderation gate blocks."""
    gate = _gate_of(context)
    async with aclosing(lines), aclosing(gate.screen_progress(lines) if gate else lines) as shown:
        async for line in shown:
            yield line


def _gate_of(context: InvocationContext) -> ModerationGate | None:
    gate = context.plugin_manager.get_plugin(PLUGIN_NAME)
    return gate if isinstance(gate, ModerationGate) else None


def _is_restored(event: Event) -> bool:
    return bool((event.custom_metadata or {}).get(RESTORED_EVENT_KEY))


def _is_answer(event: Event) -> bool:
    """Whether an event is an agent's answer in a run that was not blocked."""
    note = (event.custom_metadata or {}).get(DECISION_KEY)
    blocked = isinstance(note, dict) and note.get("action") == "block"
    return event.author != "user" and not _is_restored(event) and not blocked


def _placeholder(message: types.Content, decision: Decision, events: Sequence[Event]) -> types.Content:
    """Builds the message that replaces a blocked message.

    It answers the calls that the blocked message answered, because a call without an answer breaks the chain.
    """
    why = decision.verdict.category if decision.verdict else "it could not be checked"
    note = f"[A message of the user was withheld by moderation: {why}]"
    answered = {part.function_response.id for part in parts_of(message) if part.function_response}
    calls = [call for event in events for call in event.get_function_calls() if call.id in answered]
    if not calls:
        return types.Content(role="user", parts=[types.Part(text=note)])
    answers = [types.FunctionResponse(id=call.id, name=call.name, response={"error": note}) for call in calls]
    return types.Content(role="user", parts=[types.Part(function_response=answer) for answer in answers])
