"""A turn of the researcher: a job's progress streams into the conversation, which gets a handle back in time."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.adk.agents import InvocationContext
from google.adk.artifacts import BaseArtifactService
from google.adk.events import Event, EventActions
from google.genai import types

from tools.attachments import text_in
from tools.media import media_type
from tools.moderation.gate import Withheld, admit_report, admitted
from tools.redaction import redact
from tools.research.config import Private
from tools.research.database import DATABASE_ERRORS, describe_database_error
from tools.research.job import TERMINAL, WORKABLE, Job, State
from tools.research.limits import LimitReached
from tools.research.page import to_chat, to_markdown
from tools.research.rendering import render_html
from tools.research.report import Report, to_json
from tools.research.service import GRACE, Research
from tools.research.texts import closing, listing, outcome, started, state, title
from tools.research.wiring import research
from tools.research.wishes import (
    Again,
    Approve,
    Attach,
    Cancel,
    FollowUp,
    Forget,
    Further,
    ListAll,
    New,
    Nothing,
    Resolve,
    Revise,
    understand,
)
from tools.settings import load_settings

if TYPE_CHECKING:
    from tools.research.agent import Researcher

log = logging.getLogger(__name__)

COSTS = (New, Further, Again, Approve, Revise, FollowUp)
"""Wishes that leave something at the server."""
AWAITS_INPUT = "awaits_input"
"""Metadata of an event that asks the user for a yes."""
READ_SECONDS = 10
"""How long a turn waits for the ledger at its end."""
SAVE_SECONDS = 30
"""How long a turn waits until a report's files are stored."""


@dataclass(frozen=True)
class Turn:
    """What a researcher does with one message."""

    agent: Researcher
    ctx: InvocationContext

    async def play(self) -> AsyncGenerator[Event, None]:
        """The events of the turn, whatever goes wrong."""
        try:
            async for event in self._play(research()):
                yield event
        except asyncio.CancelledError:
            raise
        except LimitReached as limit:
            yield self._say(f"Nothing was started: {limit}.", error_code="LIMIT", error_message=str(limit))
        except Private as private:
            yield self._say(str(private), error_code="PRIVATE", error_message=str(private))
        except Withheld as withheld:
            yield self._say(str(withheld))
        except TimeoutError:
            text = "There was no answer in time. A research that was started goes on; ask again to see it."
            yield self._say(text, error_code="TIMEOUT", error_message=text)
        except Exception as error:  # an exception would end `adk run`, and leave no trace in `adk web`
            log.exception("the researcher failed")
            why = describe_database_error(error) if isinstance(error, DATABASE_ERRORS) else redact(str(error))
            text = f"The research desk failed: {why}. A research that was started goes on; ask again to see it."
            yield self._say(text, error_code=type(error).__name__, error_message=why)

    async def _play(self, service: Research) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        end = loop.time() + (load_settings().attach_seconds or self.agent.attach_seconds)
        async with asyncio.timeout_at(end + GRACE):  # a short budget still gets an order out
            replies, job = await self._act(service)
        for reply in replies:
            yield self._say(reply)
        if job is None:
            return
        lines = admitted(self.ctx, service.watch(job.id, max(0.0, end - loop.time())))
        try:
            async for line in lines:
                yield self._progress(line)
        finally:
            await lines.aclose()
        async with asyncio.timeout(READ_SECONDS):
            job, report = await service.job(job.id), await service.report(job.id)
        async for event in self._outcome(job, report):
            yield event

    async def _act(self, service: Research) -> tuple[list[str], Job | None]:
        """Does what the message wants: what to say to it, and the job to watch then, if any."""
        parts = (self.ctx.user_content.parts if self.ctx.user_content else None) or []
        text = "".join(part.text or "" for part in parts)
        user, session = self.ctx.session.user_id, self.ctx.session.id
        inputs, left = inputs_of(parts)
        jobs = await service.jobs(user)
        wish = understand(text, session, jobs, with_files=bool(inputs))
        if isinstance(wish, COSTS) or (isinstance(wish, Attach) and wish.job.state is State.INTENDED):
            self.agent.need_storage()
        match wish:
            case Nothing(reply):
                return [reply], None
            case ListAll():
                return [listing(jobs)], None
            case Cancel(job):
                job = await service.cancel(job.id)
                await admit_report(self.ctx, job.error)
                return [f"Research `{job.id}` is {state(job)}. {job.error}".strip()], None
            case Forget(job):
                return ["\n".join(f"- {line}" for line in await service.forget(job.id))], None
            case FollowUp(job, question):
                answer = to_chat(await service.follow_up(job.id, question, self.agent.follow_up_model, session))
                await admit_report(self.ctx, answer)
                return [answer], None
            case Resolve(job):
                await service.resolve_links(job.id)
                return [], job
            case Approve(job):
                job = await service.approve(job.id)
                return [started(job)], job
            case Revise(job, words):
                return [], await service.revise(job.id, words)
            case Again(job):
                again = await service.start_again(job, limits=self.agent.limits)
                return [started(again)] if again.id != job.id else [], again
            case Attach(job):
                return [] if job.state in TERMINAL else [f"Research `{job.id}` goes on: “{title(job)}”"], job
            case New(brief, most) | Further(_, brief, most):
                most = most and bool(self.agent.max_agent)
                order = self.agent.order(brief, user=user, session=session, inputs=inputs, most=most)
                if isinstance(wish, Further):
                    order = await service.further(wish.job.id, order)
                job, new = await service.start(order, limits=self.agent.limits, confirm=most)
                notes = [f"Left out, since Deep Research does not take it: {', '.join(left)}."] if new and left else []
                return [*notes, started(job)] if new and not most else notes, job

    async def _outcome(self, job: Job, report: Report | None) -> AsyncGenerator[Event, None]:
        if report is None:
            waits = job.state is State.AWAITING_APPROVAL
            await admit_report(self.ctx, job.plan.text if waits and job.plan else job.error)
            failed = not waits and job.state not in WORKABLE
            code = f"RESEARCH_{job.state.upper()}" if failed else None
            marks = {AWAITS_INPUT: True} if waits else None
            error = job.error if failed else None
            yield self._say(outcome(job), error_code=code, error_message=error, custom_metadata=marks)
            return
        await admit_report(self.ctx, f"{to_chat(report)}\n\n{job.error}".rstrip())  # before any of its files is saved
        saved: list[str] = []
        if self.ctx.artifact_service:
            try:
                for group in artifacts(job, report, await render_html(report)):
                    async with asyncio.timeout(SAVE_SECONDS):
                        delta = {n: await self._save(self.ctx.artifact_service, n, part) for n, part in group.items()}
                    saved += delta
                    yield self._event(actions=EventActions(artifact_delta=delta))
            except Exception:  # the report was paid for: it is shown whatever happens to its files
                log.exception("%s: its files could not be saved", job.id)
        yield self._say("\n\n".join([to_chat(report).rstrip(), closing(job, saved)]))

    async def _save(self, store: BaseArtifactService, name: str, part: types.Part) -> int:
        user, session = self.ctx.session.user_id, self.ctx.session.id
        return await store.save_artifact(
            app_name=self.ctx.app_name, user_id=user, session_id=session, filename=name, artifact=part
        )

    def _say(self, text: str, **values: Any) -> Event:
        return self._event(content=types.Content(role="model", parts=[types.Part(text=text)]), **values)

    def _progress(self, line: str) -> Event:
        """A list item in a bubble that grows in `adk web` and is a line of its own in `adk run`."""
        content = types.Content(role="model", parts=[types.Part(text=f"- {line}\n", thought=True)])
        return self._event(content=content, partial=True)

    def _event(self, **values: Any) -> Event:
        return Event(author=self.agent.name, invocation_id=self.ctx.invocation_id, branch=self.ctx.branch, **values)


def artifacts(job: Job, report: Report, page: str) -> list[dict[str, types.Part]]:
    """The report's files by name, one group an event.

    Args:
        page: the report's web page.

    `adk web` 2.13 draws one file an event, and none beside a text: so each picture has its own, and the documents,
    which it cannot draw, share one.
    """
    pictures = [
        {f"{job.id}-{p.name}": types.Part.from_bytes(data=p.data, mime_type=p.mime_type)} for p in report.pictures
    ]
    documents = {
        f"{job.id}.{ending}": types.Part.from_bytes(data=text.encode(), mime_type=kind)
        for ending, kind, text in (
            ("md", "text/markdown", to_markdown(report)),
            ("html", "text/html", page),
            ("json", "application/json", to_json(report)),
        )
    }
    return [*pictures, documents]


def inputs_of(parts: list[types.Part]) -> tuple[list[dict[str, Any]], list[str]]:
    """Pictures and documents of a message as content of the wire, and the types of other files, which are left out."""
    inputs, left = list[dict[str, Any]](), list[str]()
    for part in parts:
        file = part.inline_data or part.file_data
        kind = _kind(file.mime_type if file else None)
        if part.inline_data and kind:
            text = text_in(part)  # as it was judged, whatever its charset
            data = base64.b64encode((part.inline_data.data or b"") if text is None else text.encode()).decode()
            inputs.append({"type": kind, "mime_type": media_type(part.inline_data.mime_type), "data": data})
        elif part.file_data and kind:
            inputs.append(
                {"type": kind, "mime_type": media_type(part.file_data.mime_type), "uri": part.file_data.file_uri}
            )
        elif file:
            left.append(file.mime_type or "a file of unknown type")
    return inputs, left


def _kind(mime_type: str | None) -> str | None:
    kind = media_type(mime_type)
    if kind.startswith("image/"):
        return "image"
    return "document" if kind == "application/pdf" or kind.startswith("text/") else None
