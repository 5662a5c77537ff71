"""Shows progress, quotes, plans, reports and waiting questions after the researcher's tools have run.

The agent's code writes these texts, so that no model can change a report or a price.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from google.adk.agents import InvocationContext
from google.adk.artifacts import BaseArtifactService
from google.adk.events import Event, EventActions
from google.adk.tools import ToolContext
from google.genai import types

from tools.adk.contents import parts_of
from tools.moderation.gate import ReportBlocked, screen_progress, screen_report
from tools.research.database import DATABASE_ERRORS, describe_database_error
from tools.research.job import ACTIVE, Job, State
from tools.research.questions import Action, Question
from tools.research.report.documents import DOCUMENT_TYPES, documents_installed, render_document
from tools.research.report.html_pages import RENDER_TIMEOUT_S, render_html
from tools.research.report.rendering import to_chat, to_markdown_file
from tools.research.report.report import Report, to_json
from tools.research.service import Research
from tools.researcher import confirmation, schedules
from tools.researcher.texts import (
    changes_section,
    closing,
    continues,
    deletion,
    outcome,
    quote,
    reminder,
    several_wait,
    started,
    unseen_notice,
)
from tools.text.secret_redaction import redact

log = logging.getLogger(__name__)

STATE_PREFIX = "temp:showing:"
"""Prefix of the state keys that pass a `Presentation` from tools to the agent's code. ADK stores no `temp:` keys."""
MAX_REFUSALS = 5
"""The model is not called again after this many refused tool calls in a turn."""
READ_TIMEOUT_S = 10
"""Timeout, in seconds, for reading the ledger at the end of a turn."""
SAVE_TIMEOUT_S = 30
"""Timeout, in seconds, for saving a group of a report's files."""


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
                found = await waiting_questions(self.service, turn, self.shown)
                waiting = [w for w in found if w.question.subject not in self.withheld]
                if self.shown:  # one thing at a time: others are asked about again in a later turn
                    waiting = [w for w in waiting if w.question.subject in self.shown]
                lines = [w.line for w in waiting if w.question.subject not in self.shown]
                seen = [w.question for w in waiting if w.asked or w.question.subject in self.shown]
                if len(seen) > 1:
                    lines.append(several_wait(seen[0].subject))
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
        if self.context.artifact_service:
            try:
                known = await self._known(self.context.artifact_service)
                names = {f"{job.id}.{ending}": ending for ending in self.formats}
                missing = [ending for name, ending in names.items() if name not in known]
                page, documents = await asyncio.gather(
                    render_html(report, job.order.user), render_documents(job, report, missing)
                )
                saved += [name for name in names if name in known]
                for group in [*report_files(job, report, page), *documents]:
                    saved += group
                    if known.issuperset(group):  # saved when the report was shown here before
                        continue
                    async with asyncio.timeout(SAVE_TIMEOUT_S):
                        delta = {
                            n: await self._save(self.context.artifact_service, n, part) for n, part in group.items()
                        }
                    yield self._event(actions=EventActions(artifact_delta=delta))
            except Exception:  # the report was paid for: show it even without its files
                log.exception("%s: its files could not be saved", job.id)
        yield self._say("\n\n".join([shown, closing(job, saved)]))

    async def _known(self, store: BaseArtifactService) -> set[str]:
        """Returns the names of the files that the conversation has."""
        async with asyncio.timeout(SAVE_TIMEOUT_S):
            return set(await store.list_artifact_keys(**_place(self.context)))

    async def _save(self, store: BaseArtifactService, name: str, part: types.Part) -> int:
        return await store.save_artifact(**_place(self.context), filename=name, artifact=part)

    def _say(self, text: str, **values: Any) -> Event:
        return self._event(content=types.Content(role="model", parts=[types.Part(text=text)]), **values)

    def _progress(self, line: str) -> Event:
        """A progress line: an item of one growing bubble in `adk web`, a separate line in `adk run`."""
        content = types.Content(role="model", parts=[types.Part(text=f"- {line}\n", thought=True)])
        return self._event(content=content, partial=True)

    def _event(self, **values: Any) -> Event:
        return Event(author=self.name, invocation_id=self.context.invocation_id, branch=self.context.branch, **values)


class WaitingQuestion(NamedTuple):
    """A question about a run or a schedule that waits for a yes."""

    question: Question
    asked: bool
    """Whether the user was asked before: false, for example, for a plan that has just arrived."""
    line: str
    """The text that repeats the question, or that says which question waits."""


async def waiting_questions(
    service: Research, turn: confirmation.TurnContext, shown: Mapping[str, Action]
) -> list[WaitingQuestion]:
    """Lists the questions about the runs and schedules of a conversation that wait for a yes.

    Args:
        shown: the questions that this turn has shown: maps the id of a run or schedule to what its question asks. The
            run may belong to another conversation. The question replaces an earlier one about the same run.
    """
    asked = {question.subject: question for question in await service.ledger.questions(turn.user, turn.session)}
    known = await service.jobs(turn.user)
    jobs = [job for job in known if job.order.session == turn.session or job.id in asked or job.id in shown]
    found = list[WaitingQuestion]()
    for job in jobs:
        before = asked.get(job.id)
        if before and shown.get(job.id, before.action) is Action.DELETE:
            is_new = before.version != job.stamp and job.id not in shown
            question = turn.question(job.id, Action.DELETE, job.stamp) if is_new else before
            found.append(WaitingQuestion(question, True, deletion(job) if is_new else reminder(job, True)))
        elif job.state is State.AWAITING_APPROVAL:
            question = turn.question(job.id, Action.START, job.version)
            known_to_user = bool(before and before.version == question.version)
            line = reminder(job, False) if known_to_user else unseen_notice(job)
            found.append(WaitingQuestion(question, known_to_user, line))
    for schedule in await service.schedules.of_user(turn.user):
        here = schedule.order.session == turn.session or schedule.id in asked or schedule.id in shown
        if here and schedules.waits_for_yes(schedule, {*asked, *shown}):
            question = turn.question(schedule.id, Action.SCHEDULE, schedule.version)
            found.append(WaitingQuestion(question, True, schedules.reminder(schedule)))
    return found


def report_files(job: Job, report: Report, page: str) -> list[dict[str, types.Part]]:
    """Groups a report's files, so that each group goes into one event. Each group maps names to files.

    Args:
        page: the report's web page, as HTML.

    `adk web` 2.13 shows one file per event, and no file of an event with text, so each picture has its own event. The
    documents, which `adk web` cannot show, share one event.
    """
    pictures = [
        {f"{job.id}-{p.name}": types.Part.from_bytes(data=p.data, mime_type=p.mime_type)} for p in report.pictures
    ]
    documents = {
        f"{job.id}.{ending}": types.Part.from_bytes(data=text.encode(), mime_type=kind)
        for ending, kind, text in (
            ("md", "text/markdown", to_markdown_file(report)),
            ("html", "text/html", page),
            ("json", "application/json", to_json(report)),
        )
    }
    return [*pictures, documents]


async def render_documents(job: Job, report: Report, formats: Sequence[str]) -> list[dict[str, types.Part]]:
    """Converts a report to documents, for one event. Logs and leaves out what cannot be converted in time.

    Returns:
        A map of names to files in a list; an empty list if there are none.
    """
    files = dict[str, types.Part]()
    if not formats or not documents_installed():
        return []
    made = await asyncio.gather(
        *(render_document(report, ending, job.order.user, timeout_s=RENDER_TIMEOUT_S) for ending in formats),
        return_exceptions=True,
    )
    for ending, data in zip(formats, made, strict=True):
        if isinstance(data, bytes):
            files[f"{job.id}.{ending}"] = types.Part.from_bytes(data=data, mime_type=DOCUMENT_TYPES[ending])
        else:
            log.warning("%s: %s", job.id, data)
    return [files] if files else []


async def delete_report_files(context: InvocationContext, job: Job) -> int:
    """Deletes the files of a job's report in this conversation, in all versions; returns their number."""
    if context.artifact_service is None:
        return 0
    place = _place(context)
    names = await context.artifact_service.list_artifact_keys(**place)
    own = [name for name in names if name.startswith((f"{job.id}.", f"{job.id}-"))]
    for name in own:
        await context.artifact_service.delete_artifact(**place, filename=name)
    return len(own)


def _place(context: InvocationContext) -> dict[str, Any]:
    """Returns the arguments that identify the conversation for artifact services."""
    session = context.session
    return {"app_name": context.app_name, "user_id": session.user_id, "session_id": session.id}


def _refusal(response: types.FunctionResponse) -> str:
    error = (response.response or {}).get("error")
    return str(error).rstrip(".") if error else ""
