"""Deletes a conversation with all its data, at the server and here, and returns a receipt.

One rule makes the deletion safe to repeat: local data is deleted only after the server has deleted everything, or if
the user insists. Until then the session is the record of what exists, and a repeated call finishes the work. If the
user insists, the ids of the interactions that are left are kept in the state of the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from google.adk.artifacts import BaseArtifactService
from google.adk.errors.input_validation_error import InputValidationError
from google.adk.events import Event, EventActions
from google.adk.sessions import BaseSessionService

from tools.errors import DeskError
from tools.privacy.interaction_deletion import REFUSED_KEY, delete_interactions, interactions_of_job
from tools.privacy.receipt import Receipt, count
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError
from tools.research.job import Job
from tools.research.job_errors import WrongBackend
from tools.research.service import Research

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
    await delete_interactions(services.research.ledger, services.client, session, jobs, receipt, force)
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
        receipt.lines.append(f"{count(tasks, 'task')} of other agents: deleted")
    if foreign := [name for name in session.state if name.startswith(SHARED_PREFIXES)]:
        receipt.lines.append(f"{count(foreign, 'value')} of state for all conversations: left alone")
    await services.research.ledger.withdraw_questions(key.user, key.session)
    await services.sessions.delete_session(**_names(key))
    receipt.lines.append(f"{count(session.events, 'event')} and the state of the session: deleted")
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
    lines = [f"{count(deleted, 'file')} in {count(versions, 'version')}: deleted"] if deleted else []
    left = len(names) - deleted
    return [*lines, f"{count(left, 'file')} for all conversations: left alone"] if left else lines


class _Names(TypedDict):
    app_name: str
    user_id: str
    session_id: str


def _names(key: SessionKey) -> _Names:
    return {"app_name": key.app, "user_id": key.user, "session_id": key.session}
