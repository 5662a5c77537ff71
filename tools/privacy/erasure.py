"""Deletes a conversation with all its data, at the server and here, and returns a receipt.

One rule makes the deletion safe to repeat: local data is deleted only after the server has deleted everything, or if
the user insists. Until then the session is the record of what exists, and a repeated call finishes the work. If the
user insists, the ids of the interactions that are left are kept in the state of the session.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from google.adk.artifacts import BaseArtifactService
from google.adk.errors.input_validation_error import InputValidationError
from google.adk.events import Event, EventActions
from google.adk.sessions import BaseSessionService, Session

from tools.errors import DeskError
from tools.interactions.retry import call_with_retries
from tools.load_control.concurrent_calls import run_each
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError, NotFound
from tools.research.errors import WrongBackend
from tools.research.job import Job
from tools.research.service import Research

MAX_CONCURRENT_REQUESTS = 8
"""Maximum number of parallel requests to the server."""
REFUSED_KEY = "forget_refused"
"""Key in the state of a forgotten session. Its value lists the interactions that the server did not delete."""
SHARED_PREFIXES = ("user:", "app:")
"""Prefixes of state keys and file names that belong to more than one conversation."""


class UnknownSession(DeskError):
    """There is no such conversation."""


@dataclass(frozen=True)
class SessionKey:
    """Identifies a conversation."""

    app: str
    user: str
    session: str


@dataclass(frozen=True)
class Services:
    """The services that may hold data of a conversation."""

    sessions: BaseSessionService
    artifacts: BaseArtifactService | None
    research: Research
    client: InteractionsClient
    server: str
    """Name of the server that `client` talks to, as `tools.interactions.backend.server_name` returns it."""


@dataclass
class Receipt:
    """The result of a deletion. It has ids and counts, and no text of the conversation."""

    server: str
    interactions: dict[str, str] = field(default_factory=dict)
    """Maps the id of an interaction to a text about its deletion, e.g. "deleted at the server"."""
    lines: list[str] = field(default_factory=list)
    """One line for each thing, other than interactions, that was deleted or is left alone."""
    refused: dict[str, str] = field(default_factory=dict)
    """Maps the id of an interaction that the server did not delete to the reason."""
    still_running: dict[str, str] = field(default_factory=dict)
    """Maps the job id of a research run that could not be ended, and stays in the ledger, to the reason."""
    done: bool = False
    """Whether the local data was deleted."""

    @property
    def complete(self) -> bool:
        """Whether everything was deleted, here and at the server."""
        return not self.refused and not self.still_running

    def to_markdown(self) -> str:
        """Returns the receipt as Markdown text. It counts the deleted interactions and names those that are left."""
        counted = Counter(self.interactions.values())
        deleted = [f"{_count(number, 'interaction')}: {done}" for done, number in counted.items()]
        refusals = [f"interaction {id_}: **not deleted at the server** ({why})" for id_, why in self.refused.items()]
        running = [
            f"research {id_}: **not ended, stays in the ledger** ({why})" for id_, why in self.still_running.items()
        ]
        listed = "\n".join(f"- {line}" for line in [*deleted, *self.lines, *refusals, *running])
        if not self.done:
            head = (
                f"**Not forgotten yet.** The server ({self.server}) did not delete everything, so nothing was deleted"
                " here: this conversation is the only record of what is left there."
            )
        elif not self.complete:
            head = f"**Forgotten here**, but not at the server ({self.server}): the ids of what is left there are kept."
        else:
            head = f"**This conversation is forgotten**, here and at the server ({self.server})."
        return f"{head}\n\n{listed}"


async def forget(services: Services, key: SessionKey, *, force: bool = False, keep_session: bool = False) -> Receipt:
    """Deletes all interactions, artifacts, research runs, events and state of a conversation.

    After a crash or a refusal, the same call finishes the work.

    Args:
        force: whether local data is deleted even if something is left at the server.
        keep_session: whether to keep an empty session with this id. It is always kept if the server still has anything.

    Raises:
        UnknownSession: there is no such conversation.
    """
    session = await services.sessions.get_session(**_names(key))
    if session is None:
        raise UnknownSession(f"there is no conversation {key.session}")
    receipt = Receipt(services.server)
    await _end_schedules(services, key, receipt)
    jobs = await _end_jobs(services, key, receipt)
    await _delete_interactions(services, session, jobs, receipt, force)
    if not receipt.complete and not force:
        return receipt
    receipt.lines += await delete_artifacts(services.artifacts, key) if services.artifacts else []
    for job in await _asked_elsewhere(services, key):
        await services.research.ledger.delete_answers(job.id, key.session)
        receipt.lines.append(f"{job.id}, a run of another conversation: its questions and answers here are deleted")
    for job in jobs:
        if job.id not in receipt.still_running:
            told, asked = await services.research.forget(job.id, force=True), interactions_of_job(job)
            receipt.lines += [line for line in told if not any(id_ in line for id_ in asked)]
    if tasks := await services.research.ledger.delete_tasks(key.user, key.session):
        receipt.lines.append(f"{_count(tasks, 'task')} of other agents: deleted")
    if foreign := [name for name in session.state if name.startswith(SHARED_PREFIXES)]:
        receipt.lines.append(f"{_count(foreign, 'value')} of state for all conversations: left alone")
    await services.research.ledger.withdraw_questions(key.user, key.session)
    await services.sessions.delete_session(**_names(key))
    receipt.lines.append(f"{_count(session.events, 'event')} and the state of the session: deleted")
    if keep_session or not receipt.complete:
        empty = await services.sessions.create_session(**_names(key))
        if receipt.refused:  # kept in an event of the application, because clients can write `state`
            actions = EventActions(state_delta={REFUSED_KEY: [*receipt.refused]})
            await services.sessions.append_event(empty, Event(author=key.app, actions=actions))
    receipt.done = True
    return receipt


async def _end_schedules(services: Services, key: SessionKey, receipt: Receipt) -> None:
    """Deletes the conversation's schedules first, so that no further run is started."""
    store = services.research.ledger.schedules
    for schedule in await store.of_user(key.user):
        if schedule.order.session == key.session:
            while (found := await store.get(schedule.id)) and not await store.delete(found):
                pass  # its status has changed at this moment
            receipt.lines.append(f"schedule {schedule.id}: deleted")


def interactions_of(session: Session) -> list[str]:
    """Returns the ids of a session's interactions, each once. Includes those that the server refused to delete."""
    # Read from the application's events, because clients can write `state`.
    own = [event for event in session.events if event.author == session.app_name]
    ids = [id_ for event in own for id_ in event.actions.state_delta.get(REFUSED_KEY) or ()]
    ids += [event.interaction_id for event in session.events if event.interaction_id]
    return [*dict.fromkeys(id_ for id_ in ids if id_)]


def interactions_of_job(job: Job, without: str = "") -> list[str]:
    """Returns the ids of a job's interactions, except the answers to questions that session `without` asked."""
    plans = (job.plan.interaction_id, *job.plan.earlier) if job.plan else ()
    answers = [
        id_
        for answer in job.follow_ups
        if not without or answer.session != without
        for id_ in (*answer.earlier, answer.interaction_id)
    ]
    return [*dict.fromkeys(id_ for id_ in (job.interaction_id, *plans, *answers) if id_)]


async def _end_jobs(services: Services, key: SessionKey, receipt: Receipt) -> list[Job]:
    """Cancels the conversation's research runs and returns their jobs. Adds runs that cannot be ended to `receipt`."""
    jobs = []
    for job in await services.research.ledger.find(user=key.user, session=key.session, limit=1000):
        try:
            job = await services.research.cancel(job.id)
        except (ApiError, WrongBackend) as error:
            receipt.still_running[job.id] = str(error)
        else:
            if job.order.server != services.server:
                why = f"it is of {job.id}, whose server is {job.order.server or 'not known'}"
                receipt.refused |= dict.fromkeys(interactions_of_job(job), why)
        jobs.append(job)
    return jobs


async def _asked_elsewhere(services: Services, key: SessionKey) -> list[Job]:
    """Returns the runs of other conversations about which this conversation asked questions."""
    known = await services.research.ledger.find(user=key.user, limit=1000)
    others = (job for job in known if job.order.session != key.session)
    return [job for job in others if any(answer.session == key.session for answer in job.follow_ups)]


async def _delete_interactions(
    services: Services, session: Session, jobs: Sequence[Job], receipt: Receipt, force: bool
) -> None:
    """Deletes interactions. Unrecorded predecessors come first, because only the recorded interactions lead to them."""
    known = await services.research.ledger.find(user=session.user_id, limit=1000)
    others = [job for job in known if job.order.session != session.id]
    spared = {id_ for job in others for id_ in interactions_of_job(job, session.id)} | {*receipt.refused}
    asked = [id_ for job in others for id_ in interactions_of_job(job) if id_ not in spared]
    said = [*asked, *(id_ for id_ in interactions_of(session) if id_ not in spared)]
    searched = [id_ for job in jobs if job.id not in receipt.still_running for id_ in interactions_of_job(job)]
    recorded = [*dict.fromkeys([*said, *(id_ for id_ in searched if id_ not in spared)])]
    for batch in (await _unrecorded(services.client, said, spared | {*searched}, receipt), recorded):
        if not receipt.complete and not force:
            return
        receipt.interactions |= await _each(batch, lambda id_: _delete(services.client, id_), receipt)


async def _unrecorded(client: InteractionsClient, said: Iterable[str], known: set[str], receipt: Receipt) -> list[str]:
    """Finds earlier interactions that only the server knows, such as the first answer to a repeated request."""
    known, found = {*known, *said}, list[str]()
    while said:
        previous = await _each(said, lambda id_: _previous(client, id_), receipt)
        said = [id_ for id_ in dict.fromkeys(previous.values()) if id_ and id_ not in known]
        known |= {*said}
        found += said
    return found


async def _previous(client: InteractionsClient, interaction_id: str) -> str:
    try:
        return str((await client.get(interaction_id)).get("previous_interaction_id") or "")
    except NotFound:
        return ""


async def _delete(client: InteractionsClient, interaction_id: str) -> str:
    try:
        await client.delete(interaction_id)
    except NotFound:
        return "already gone at the server"
    return "deleted at the server"


async def _each(ids: Iterable[str], ask: Callable[[str], Awaitable[str]], receipt: Receipt) -> dict[str, str]:
    """Calls `ask` for each id, and returns the answers by id.

    Adds the ids that failed to `receipt.refused`, and removes the others from it.
    """

    async def answer(id_: str) -> str | ApiError:
        try:
            return await call_with_retries(lambda: ask(id_))
        except ApiError as error:
            return error

    ids = [*ids]
    answers = {id_: text async for id_, text in run_each(answer, ids, MAX_CONCURRENT_REQUESTS)}
    receipt.refused |= {id_: str(error) for id_ in ids if isinstance(error := answers[id_], ApiError)}
    good = {id_: text for id_ in ids if isinstance(text := answers[id_], str)}
    for id_ in good:
        receipt.refused.pop(id_, None)
    return good


async def delete_artifacts(artifacts: BaseArtifactService, key: SessionKey) -> list[str]:
    """Deletes all versions of a conversation's files. Returns lines for the receipt.

    File names may quote the conversation, so the lines have only counts.
    """
    deleted = versions = 0
    try:
        names = await artifacts.list_artifact_keys(**_names(key))
    except InputValidationError:  # no file can be stored under this name of a user or a session
        return []
    for name in names:
        # The list includes files of the user, with or without prefix, that have no version in this conversation.
        found = [] if name.startswith(SHARED_PREFIXES) else await artifacts.list_versions(filename=name, **_names(key))
        if found:
            await artifacts.delete_artifact(filename=name, **_names(key))
            deleted, versions = deleted + 1, versions + len(found)
    lines = [f"{_count(deleted, 'file')} in {_count(versions, 'version')}: deleted"] if deleted else []
    left = len(names) - deleted
    return [*lines, f"{_count(left, 'file')} for all conversations: left alone"] if left else lines


class _Names(TypedDict):
    app_name: str
    user_id: str
    session_id: str


def _names(key: SessionKey) -> _Names:
    return {"app_name": key.app, "user_id": key.user, "session_id": key.session}


def _count(things: Sequence[object] | int, noun: str) -> str:
    number = things if isinstance(things, int) else len(things)
    return f"{number} {noun}{'' if number == 1 else 's'}"
