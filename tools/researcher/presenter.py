"""Shows progress, quotes, plans, reports and waiting questions after the researcher's tools have run.

The agent's code writes these texts, so that no model can change a report or a price.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

from google.adk.agents import InvocationContext
from google.adk.events import Event, EventActions
from google.adk.tools import ToolContext
from google.genai import types

from tools.adk.contents import parts_of
from tools.moderation.gate import ReportBlocked, screen_progress, screen_report
from tools.research.database_errors import DATABASE_ERRORS, describe_database_error
from tools.research.job import Job
from tools.research.job_states import ACTIVE, State
from tools.research.open_questions import Action
from tools.research.report.markdown_rendering import to_chat
from tools.research.report.report import Report
from tools.research.service import Research
from tools.researcher import confirmation
from tools.researcher.reminders import reminders
from tools.researcher.report_files import save_report_files
from tools.researcher.run_texts import changes_section, closing, continues, outcome, quote, started
from tools.text.secret_redaction import redact

log = logging.getLogger(__name__)

STATE_PREFIX = "temp:showing:"
"""Prefix of the state keys that pass a `Presentation` from tools to the agent's code. ADK stores no `temp:` keys."""
MAX_REFUSALS = 5
"""The model is not called again after this many refused tool calls in a turn."""
READ_TIMEOUT_S = 10
"""Timeout, in seconds, for reading the ledger at the end of a turn."""


@dataclass(frozen=True)
class Presentation:
    """The contents that the agent shows after a tool call."""

    texts: Sequence[str] = ()
    """Texts to show first."""
    job: str = ""
    """Id of the run to watch; then its outcome is shown. Empty if there is no such run."""
    is_new: bool = False
    """Whether the run has just been ordered or approved."""
    asks: tuple[str, Action] | None = None
    """Id of the run or schedule that the question in the texts is about, and what it asks; None: they ask nothing."""


def present(context: ToolContext, presentation: Presentation) -> None:
    """Passes a presentation to the agent's code, which shows it after all tools of the turn have run."""
    context.state[f"{STATE_PREFIX}{context.function_call_id}"] = asdict(presentation)


@dataclass
class TurnPresenter:
    """Presents one turn of the researcher: its model's events, what its tools show, and the waiting questions."""

    name: str
    """Name of the researcher agent."""
    context: InvocationContext
    service: Research
    seconds: float
    """Seconds for which a run is watched."""
    formats: Sequence[str] = ()
    """Formats of documents that are saved with a report if the extra `documents` is installed."""
    shown: dict[str, Action] = field(default_factory=dict)
    """The questions that were shown in full: maps the id of a run or schedule to what its last question asks."""
    withheld: set[str] = field(default_factory=set)
    """Ids of the runs whose texts moderation blocked. A blocked plan is not shown: the next turn cannot approve it."""
    asking: list[Event] = field(default_factory=list)
    """The events that ask for a yes. They come after all others, so that a yes is to what was read last."""
    watching: bool = False
    """Whether a run is being watched. Then more events follow, so no event is held back."""

    async def play(self, model: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """Yields the model's events, then what its tools show. The last event also has the waiting questions."""
        last: Event | None = None
        async with aclosing(self._events(model)) as events:
            async for event in events:
                if last:
                    yield last
                # Hold back only a possible last event: the next model call needs the tools' results in the session.
                may_be_last = event.is_final_response() and not event.get_function_responses() and not self.watching
                last = event if may_be_last else None
                if last is None:
                    yield event
        async for event in self._ended(last):
            yield event

    async def _events(self, model: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        presentations, refusals = list[Presentation](), list[str]()
        async with aclosing(model) as events:
            async for event in events:
                presentations += [
                    Presentation(**value)
                    for key, value in event.actions.state_delta.items()
                    if key.startswith(STATE_PREFIX)
                ]
                refused = [_refusal(response) for response in event.get_function_responses()]
                refusals += filter(None, refused)
                yield event
                if len(refusals) >= MAX_REFUSALS:
                    yield self._say(f"I could not do that: {refusals[-1]}.", error_code="REFUSED")
                    return
        # Another call of the same step ended the model's turn, so the model cannot explain the refusal.
        if presentations and any(refused):
            yield self._say(f"Not everything could be done: {'; '.join(filter(None, refused))}.")
        for presentation in presentations:
            async for event in self._show(presentation):
                yield event
        for event in self.asking:
            yield event

    async def _ended(self, last: Event | None) -> AsyncGenerator[Event, None]:
        """Yields the last event, with the waiting questions added."""
        lines, marks = list[str](), dict[str, Any]()
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                turn = confirmation.turn_of(self.context)
                lines, seen = await reminders(self.service, turn, self.shown, self.withheld)
                marks = await confirmation.record_shown(self.service.ledger, turn, seen, self.shown)
        except (TimeoutError, *DATABASE_ERRORS) as error:  # still show the answer; the next turn can approve nothing
            log.warning("the questions that wait cannot be read: %s", error)
        if last and (not lines or (last.content and not last.error_code)):
            parts = [types.Part(text=f"\n\n{line}") for line in lines]
            if last.content and parts:
                last.content = types.Content(role="model", parts=[*parts_of(last.content), *parts])
            last.custom_metadata = {**(last.custom_metadata or {}), **marks} or None
            yield last
            return
        if last:
            yield last
        if lines:
            yield self._say("\n\n".join(lines), custom_metadata=marks)

    async def _show(self, presentation: Presentation) -> AsyncGenerator[Event, None]:
        """Shows what one tool passed on; an error becomes an event."""
        try:
            for text in presentation.texts:
                await screen_report(self.context, text)
                if not presentation.asks:
                    yield self._say(text)
            if presentation.asks:
                subject, action = presentation.asks
                self.shown[subject] = action
                self.asking += map(self._say, presentation.texts)
            if presentation.job:
                async for event in self._watch(presentation.job, presentation.is_new):
                    yield event
        except asyncio.CancelledError:
            raise
        except ReportBlocked as withheld:
            self.withheld.add(presentation.job)
            yield self._say(str(withheld))
        except TimeoutError:
            text = "There was no answer in time. A research run that was started goes on; ask again to see it."
            yield self._say(text, error_code="TIMEOUT", error_message=text)
        except Exception as error:  # an exception would end `adk run`, and leave no trace in `adk web`
            log.exception("the researcher failed")
            why = describe_database_error(error) if isinstance(error, DATABASE_ERRORS) else redact(str(error))
            text = f"The research desk failed: {why}. A research run that was started goes on; ask again to see it."
            yield self._say(text, error_code=type(error).__name__, error_message=why)

    async def _watch(self, job_id: str, is_new: bool) -> AsyncGenerator[Event, None]:
        job = await self.service.job(job_id)
        first = ""
        if is_new and job.state is not State.AWAITING_APPROVAL:
            first = started(job)
        elif job.active and job.state is not State.AWAITING_APPROVAL:
            first = continues(job)
        self.watching = True
        try:
            if first:
                yield self._say(first)
            async with aclosing(screen_progress(self.context, self.service.watch(job.id, self.seconds))) as lines:
                async for line in lines:
                    yield self._progress(line)
        finally:
            self.watching = False
        async with asyncio.timeout(READ_TIMEOUT_S):
            job, report = await self.service.job(job.id), await self.service.report(job.id)
            base = await self.service.ledger.get(job.order.base) if job.order.base else None
        async for event in self._outcome(job, report, base):
            yield event

    async def _outcome(self, job: Job, report: Report | None, base: Job | None) -> AsyncGenerator[Event, None]:
        if report is None:
            waits = job.state is State.AWAITING_APPROVAL
            await screen_report(self.context, job.plan.text if waits and job.plan else job.error)
            if waits:
                self.shown[job.id] = Action.START
                self.asking.append(self._say(quote(job, base) if not job.plan else outcome(job)))
                return
            cancelled = job.state is State.CANCELLED and not job.error
            failed = not cancelled and job.state not in ACTIVE
            code = f"RESEARCH_{job.state.upper()}" if failed else None
            yield self._say(outcome(job), error_code=code, error_message=job.error if failed else None)
            return
        shown = "\n\n".join(filter(None, (changes_section(job), to_chat(report).rstrip())))
        await screen_report(self.context, f"{shown}\n\n{job.error}".rstrip())  # before any file is saved
        saved: list[str] = []
        if store := self.context.artifact_service:
            try:
                async with aclosing(save_report_files(self.context, store, job, report, self.formats)) as groups:
                    async for names, versions in groups:
                        saved += names
                        if versions:
                            yield self._event(actions=EventActions(artifact_delta=versions))
            except Exception:  # the report was paid for: show it even without its files
                log.exception("%s: its files could not be saved", job.id)
        yield self._say("\n\n".join([shown, closing(job, saved)]))

    def _say(self, text: str, **values: Any) -> Event:
        return self._event(content=types.Content(role="model", parts=[types.Part(text=text)]), **values)

    def _progress(self, line: str) -> Event:
        """A progress line: an item of one growing bubble in `adk web`, a separate line in `adk run`."""
        content = types.Content(role="model", parts=[types.Part(text=f"- {line}\n", thought=True)])
        return self._event(content=content, partial=True)

    def _event(self, **values: Any) -> Event:
        return Event(author=self.name, invocation_id=self.context.invocation_id, branch=self.context.branch, **values)


def _refusal(response: types.FunctionResponse) -> str:
    error = (response.response or {}).get("error")
    return str(error).rstrip(".") if error else ""
