"""The ADK side: an agent that streams a job's progress into the conversation and hands back a handle in time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from google.adk.agents import BaseAgent, InvocationContext
from google.adk.artifacts import BaseArtifactService
from google.adk.events import Event, EventActions
from google.genai import types
from pydantic import BaseModel, ConfigDict, Field

from tools.research.job import TERMINAL, Job, Order, State
from tools.research.page import to_chat, to_html, to_markdown
from tools.research.report import Report, to_json
from tools.research.service import Research
from tools.research.wiring import research
from tools.settings import load_settings

ATTACH_SECONDS = 240.0


class ResearcherConfig(BaseModel):
    """The keys of a researcher's YAML file."""

    model_config = ConfigDict(extra="forbid")

    agent_class: str = ""
    name: str
    description: str = ""
    agent: str
    thinking_summaries: Literal["auto", "none"] = "auto"
    visualization: Literal["auto", "off"] = "auto"
    attach_seconds: float = Field(default=ATTACH_SECONDS, gt=0)


class Researcher(BaseAgent):
    """Takes the user's words as a brief and lets Deep Research work on it.

    A turn watches the job for at most `attach_seconds`; the job itself goes on and is found again by any later turn.
    """

    config_type: ClassVar[type[BaseModel]] = ResearcherConfig  # type: ignore[assignment]

    agent: str
    """Name of the Deep Research agent."""
    thinking_summaries: Literal["auto", "none"] = "auto"
    visualization: Literal["auto", "off"] = "auto"
    attach_seconds: float = ATTACH_SECONDS

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        try:
            async for event in self._turn(ctx, research()):
                yield event
        except asyncio.CancelledError:
            raise
        except Exception as error:  # an exception would end `adk run`, and leave no trace in `adk web`
            text = f"The research desk failed: {error}. A research that was started goes on; ask again to see it."
            yield self._say(ctx, text, error_code=type(error).__name__, error_message=str(error))

    async def _turn(self, ctx: InvocationContext, service: Research) -> AsyncGenerator[Event, None]:
        text = "".join(part.text or "" for part in (ctx.user_content.parts or [])) if ctx.user_content else ""
        user, session = ctx.session.user_id, ctx.session.id
        wish = understand(text, session, await service.ledger.find(user=user))
        match wish:
            case Nothing(reply):
                yield self._say(ctx, reply)
                return
            case Cancel(job):
                job = await service.cancel(job.id)
                yield self._say(ctx, f"Research `{job.id}` is {_state(job)}. {job.error}".strip())
                return
            case Again(job):
                job = await service.start_again(job)
                yield self._say(ctx, started(job), state={"research_job": job.id})
            case Attach(job):
                if job.state not in TERMINAL:
                    yield self._say(ctx, f"Research `{job.id}` goes on: “{_title(job)}”")
            case New(brief):
                job, new = await service.start(self._order(brief, user, session))
                if new:
                    yield self._say(ctx, started(job), state={"research_job": job.id})
        lines = service.watch(job.id, load_settings().attach_seconds or self.attach_seconds)
        try:
            async for line in lines:
                yield self._progress(ctx, line)
        finally:
            await lines.aclose()
        async for event in self._outcome(ctx, service, await service.job(job.id)):
            yield event

    def _order(self, brief: str, user: str, session: str) -> Order:
        options = {"thinking_summaries": self.thinking_summaries, "visualization": self.visualization}
        return Order(brief=brief, user=user, session=session, agent=self.agent, options=options)

    async def _outcome(self, ctx: InvocationContext, service: Research, job: Job) -> AsyncGenerator[Event, None]:
        report = await service.report(job.id)
        if report is None:
            failed = job.state not in (State.RUNNING, State.STARTING, State.INTENDED)
            code = f"RESEARCH_{job.state.upper()}" if failed else None
            yield self._say(ctx, outcome(job), error_code=code, error_message=job.error if failed else None)
            return
        saved: list[str] = []
        if ctx.artifact_service:
            for group in artifacts(job, report):
                delta = {name: await self._save(ctx, ctx.artifact_service, name, part) for name, part in group.items()}
                saved += delta
                yield self._event(ctx, actions=EventActions(artifact_delta=delta))
        yield self._say(ctx, "\n\n".join([to_chat(report).rstrip(), closing(job, saved)]))

    async def _save(self, ctx: InvocationContext, store: BaseArtifactService, name: str, part: types.Part) -> int:
        user, session = ctx.session.user_id, ctx.session.id
        return await store.save_artifact(
            app_name=ctx.app_name, user_id=user, session_id=session, filename=name, artifact=part
        )

    def _say(self, ctx: InvocationContext, text: str, state: dict[str, Any] | None = None, **values: Any) -> Event:
        content = types.Content(role="model", parts=[types.Part(text=text)])
        return self._event(ctx, content=content, actions=EventActions(state_delta=state or {}), **values)

    def _progress(self, ctx: InvocationContext, line: str) -> Event:
        """A list item in a bubble that grows in `adk web` and is a line of its own in `adk run`."""
        content = types.Content(role="model", parts=[types.Part(text=f"- {line}\n", thought=True)])
        return self._event(ctx, content=content, partial=True)

    def _event(self, ctx: InvocationContext, **values: Any) -> Event:
        return Event(author=self.name, invocation_id=ctx.invocation_id, branch=ctx.branch, **values)


@dataclass(frozen=True)
class New:
    """Start (or join) a research."""

    brief: str


@dataclass(frozen=True)
class Attach:
    """Show how a job stands, or its report."""

    job: Job


@dataclass(frozen=True)
class Again:
    """Pay for an order once more, on purpose."""

    job: Job


@dataclass(frozen=True)
class Cancel:
    """End a job."""

    job: Job


@dataclass(frozen=True)
class Nothing:
    """There is nothing to do but to say so."""

    reply: str


_JOB = re.compile(r"\bjob_[2-9a-z]{8}\b")
_COMMANDS: tuple[tuple[type[Cancel | Again | Attach], frozenset[str]], ...] = (
    (Cancel, frozenset(("cancel", "stop", "abort"))),
    (Again, frozenset(("again", "anew", "over", "repeat"))),
    (
        Attach,
        frozenset(
            [
                "status",
                "continue",
                "resume",
                "attach",
                "show",
                "wait",
                "done",
                "ready",
                "finished",
                "going",
                "doing",
                "far",
                "running",
                "on",
            ]
        ),
    ),
)
_FILLERS = frozenset(
    [
        "please",
        "the",
        "my",
        "this",
        "that",
        "it",
        "its",
        "a",
        "of",
        "with",
        "for",
        "to",
        "me",
        "is",
        "are",
        "how",
        "where",
        "what",
        "what's",
        "s",
        "and",
        "now",
        "yet",
        "still",
        "go",
        "start",
        "run",
        "do",
        "can",
        "could",
        "will",
        "would",
        "you",
        "i",
        "see",
        "have",
        "get",
        "research",
        "job",
        "report",
        "result",
    ]
)


def understand(text: str, session: str, jobs: list[Job]) -> New | Attach | Again | Cancel | Nothing:
    """What a message wants, given the user's jobs, newest first.

    A command is a message of nothing but command words ("what is the status of my research?"); anything else is a new
    brief, so that a research on "stop words" cancels nothing. A job that is named may come from any session of the
    user; else the session's newest unfinished one is meant.
    """
    named = _JOB.search(text)
    chosen = next((job for job in jobs if named and job.id == named.group()), None)
    if named and chosen is None:
        return Nothing(f"You have no research `{named.group()}`.")
    here = [job for job in jobs if job.order.session == session]
    job = chosen or next((j for j in here if j.state not in TERMINAL), None) or (here[0] if here else None)
    words = set(re.findall(r"[\w']+", _JOB.sub("", text).casefold()))
    if words <= _FILLERS.union(*(verbs for _, verbs in _COMMANDS)):
        for wish, verbs in _COMMANDS:
            if words & verbs:
                return wish(job) if job else Nothing("There is no research in this conversation yet.")
    if chosen:
        return Attach(chosen)
    return New(text.strip()) if text.strip() else Nothing("What shall be researched?")


def artifacts(job: Job, report: Report) -> list[dict[str, types.Part]]:
    """The report's files by name, one group an event.

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
            ("html", "text/html", to_html(report)),
            ("json", "application/json", to_json(report)),
        )
    }
    return [*pictures, documents]


def started(job: Job) -> str:
    """What is said first: it survives a reload and carries the handle."""
    return (
        f"🔎 Research `{job.id}` begins; it usually takes 5 to 20 minutes."
        " You can close this page; ask for its status later and it is picked up where it stands."
    )


def outcome(job: Job) -> str:
    """How a job without a report stands, and what to do about it."""
    id_ = job.id
    match job.state:
        case State.RUNNING | State.STARTING | State.INTENDED:
            return (
                f"Research `{id_}` is still running ({job.events} events so far). Ask “status {id_}” to see it go on."
            )
        case State.START_UNKNOWN:
            return (
                f"⚠️ Whether research `{id_}` was started is not known: {job.error}. It may be running, and billed, but"
                " its id never reached us and the API has no list. Nothing was sent again."
                f" Say “start again {id_}” to start it anew; it may then be paid for twice."
            )
        case State.STALLED:
            return (
                f"⚠️ Research `{id_}` has stalled: {job.error}; {job.events} events were seen."
                f" Say “status {id_}” to wait on, “cancel {id_}”, or “start again {id_}” (which costs again)."
            )
        case _:
            hint = f" Say “start again {id_}” to try once more (which costs again)."
            return f"Research `{id_}` is {_state(job)}: {job.error or 'no reason was given'}.{hint}"


def closing(job: Job, saved: list[str]) -> str:
    """The last line under a report."""
    took = f" in {job.seconds / 60:.0f} min" if job.seconds and job.seconds >= 60 else ""
    files = f" Saved: {', '.join(f'`{name}`' for name in saved)} (see **Artifacts**)." if saved else ""
    kept = "" if job.state is State.COMPLETED else f" The server ended it early ({job.error}); this is what there is."
    return f"---\nResearch `{job.id}`, finished{took}.{kept}{files} To pay for a new run: “start again {job.id}”."


def _state(job: Job) -> str:
    return job.state.replace("_", " ")


def _title(job: Job) -> str:
    brief = " ".join(job.order.brief.split())
    return brief if len(brief) <= 80 else f"{brief[:79]}…"
