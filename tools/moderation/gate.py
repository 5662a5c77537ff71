"""The gate: judges what users say before anything else sees it, and reports before they are shown. Fails closed.

A blocked message never enters the session, so that no model and no chain can meet it later: a placeholder stands in
its place (`on_user_message_callback`), and the run ends with the policy's words (`before_run_callback`). Not judged are
attached files other than texts, the desk's other answers, live audio and researches of the command line; a message
without text passes.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from google.adk.agents import InvocationContext
from google.adk.events import Event
from google.adk.plugins import BasePlugin
from google.genai import types
from opentelemetry import trace

from tools.attachments import text_in
from tools.moderation.judge import Judge, NotModerated, load_judge
from tools.moderation.policy import Action, Policy, load_policy
from tools.moderation.verdict import Verdict

log = logging.getLogger(__name__)
tracer = trace.get_tracer(__name__)

NAME = "moderation_gate"
NOTHING_DONE = {
    "user_messages": "Your message could not be checked, so nothing was done with it.",
    "reports": "The report could not be checked, so it is not shown. It is kept: ask for it again to have it checked.",
}


class Withheld(Exception):
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

    def __init__(self, policy: Policy, judge: Judge) -> None:
        super().__init__(name=NAME)
        self._policy, self._judge = policy, judge
        self._open: dict[str, Decision] = {}
        """By invocation: a decision that the next event of the run shall tell of."""

    async def on_user_message_callback(
        self, *, invocation_context: InvocationContext, user_message: types.Content
    ) -> types.Content | None:
        """Puts a placeholder in the place of a blocked message."""
        decision = await self.decide("user_messages", text_of(user_message))
        if decision is None:
            return None
        config = invocation_context.run_config
        if config:  # ADK puts it on every event of the run, the user's too
            marked = {**(config.custom_metadata or {}), "moderation": decision.note}
            invocation_context.run_config = config.model_copy(update={"custom_metadata": marked})
        if decision.action != "block":
            return None
        self._open[invocation_context.invocation_id] = decision
        return _placeholder(user_message, decision)

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> types.Content | None:
        """Ends the run of a blocked message before it begins."""
        decision = self._open.get(invocation_context.invocation_id)
        return types.Content(role="model", parts=[types.Part(text=decision.message)]) if decision else None

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> None:
        """Completes, in place, the event that a decision is about; other plugins may still change it."""
        if event.partial or not event.content:
            return
        decision = self._open.pop(invocation_context.invocation_id, None)
        if decision is None:
            return
        event.custom_metadata = {**(event.custom_metadata or {}), "moderation": decision.note}
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
            raise Withheld(decision.message)

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


def gates(root: Path) -> list[BasePlugin]:
    """The gate that `policy.yaml` beside the root agent's file asks for, if it asks for one.

    Raises:
        ConfigError: that file, or the moderator's, is wrong.
    """
    policy = load_policy(root)
    return [ModerationGate(policy, load_judge(root, policy))] if policy.enabled else []


async def admit_report(context: InvocationContext, text: str) -> None:
    """Lets the application's gate, if it has one, judge a report before anything of it is saved or shown.

    Raises:
        Withheld: it must not be shown.
    """
    gate = context.plugin_manager.get_plugin(NAME)
    if isinstance(gate, ModerationGate):
        await gate.admit_report(context, text)


def text_of(message: types.Content) -> str:
    """All that a person can have written: texts, files of text, and what was put into a form that a tool had shown."""
    parts = message.parts or []
    files = filter(None, map(text_in, parts))
    forms = [json.dumps(p.function_response.response, ensure_ascii=False) for p in parts if p.function_response]
    return "\n".join([*(part.text for part in parts if part.text), *files, *forms])


def _placeholder(message: types.Content, decision: Decision) -> types.Content:
    """What is kept of a blocked message. Calls that it answers stay answered, or their chain would be broken."""
    why = decision.verdict.category if decision.verdict else "it could not be checked"
    note = f"[A message of the user was withheld by moderation: {why}]"
    answers = [part.function_response for part in message.parts or [] if part.function_response]
    if not answers:
        return types.Content(role="user", parts=[types.Part(text=note)])
    kept = [answer.model_copy(update={"response": {"error": note}, "parts": None}) for answer in answers]
    return types.Content(role="user", parts=[types.Part(function_response=answer) for answer in kept])
