"""The ledger: stores jobs in a database, and changes them. A job is written before any request is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from tools.databases.shielded import finish_shielded, shielded
from tools.research.database import Database
from tools.research.job import FollowUpAnswer, Job
from tools.research.job_queries import JobQueries
from tools.research.job_states import HAS_INTERACTION, State
from tools.research.lease_queries import LeaseQueries
from tools.research.listen_notify import NotificationListener, notification
from tools.research.locks import Locks
from tools.research.notices.outbox import Outbox, delete_notices, record_notices
from tools.research.open_question_queries import QuestionQueries, use_yes
from tools.research.open_questions import Yes
from tools.research.order import Order
from tools.research.quota_usage import used_by
from tools.research.quotas import LIMIT_PERIOD_S, STILL_RUNS_S, Check
from tools.research.rows import job_of, row_of, stored
from tools.research.schedules.store import ScheduleStore
from tools.research.spending import spending_of
from tools.research.spending_queries import SpendingQueries, lock_user, newest_create, record_spending
from tools.research.tables import JOB_COLUMNS, JOBS, LINES, PUSHES, QUESTIONS, SECRETS, TASKS

_Row = dict[Any, Any]
"""The columns of a job by their names."""


class Ledger(JobQueries, LeaseQueries, SpendingQueries, QuestionQueries):
    """Jobs, spending, questions and progress lines in one database. Each change of state is a compare-and-set.

    Args:
        url: address of the database, see `tools.databases.database_url`.

    Raises:
        LedgerError: the database cannot be opened; raised here or by the first query.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))
        self.notices = Outbox(self._database)
        """The notices to people about changes of state."""
        self.locks = Locks(self._database)
        """The locks that all processes on this database share."""
        self.schedules = ScheduleStore(self._database)
        """The schedules that order runs."""

    @property
    def url(self) -> URL:
        """Address of the database."""
        return self._database.url

    @shielded
    async def add(self, job: Job, check: Check | None = None) -> tuple[Job, bool]:
        """Writes a new job, or returns the existing job of the same order.

        Args:
            check: called with what the user has used; the job is not written if it raises.

        Returns:
            The job as the ledger has it, and whether it is new.

        Raises:
            UnreadableJob: the order has a job whose row cannot be read.
        """

        def work(connection: Connection) -> None:
            known = select(JOBS.c.id).where(JOBS.c.key == job.order.key)
            if check and connection.execute(known).first() is None:
                lock_user(connection, job.order.user)
                check(used_by(connection, job, job.created))
            connection.execute(insert(JOBS).values(**row_of(job)))
            record_notices(connection, row_of(job), job.created)

        try:
            await self._database.write(work)
            return job, True
        except IntegrityError:
            found = await self._first(JOBS.c.key == job.order.key)
            if found is None:
                raise
            return found, False

    @shielded
    async def change(
        self, job_id: str, expected: Collection[State], now: float, *, refused: bool = False, **values: Any
    ) -> Job | None:
        """Changes a job if it is in one of the expected states.

        Args:
            refused: whether the server proved that the newest create request started nothing and so costs nothing.
            values: columns to set: `state`, `interaction_id`, `started`, `cursor`, `events`, `finished`, `usage`,
                `error`, `plan`, `report`, `may_run`, `changes`.

        Returns:
            The job after the change; None if it was in another state, because another writer was first.

        Raises:
            UnreadableJob: the change was written, but the row cannot be read.
        """

        def work(connection: Connection) -> _Row | None:
            row = _change(connection, job_id, JOBS.c.state.in_(list(expected)), now, values)
            if row and refused:
                connection.execute(newest_create(job_id).values(refused=1))
            if row and "usage" in values:
                connection.execute(newest_create(job_id).values(usage=stored("usage", values["usage"])))
            return row

        return _job(await self._database.write(work))

    @shielded
    async def approve(
        self, job: Job, now: float, check: Check | None, yes: Yes | None = None, **values: Any
    ) -> Job | None:
        """Moves an answered job from AWAITING_APPROVAL to INTENDED, if its brief, options and plan are unchanged.

        Args:
            job: the job as it was when the person answered.
            check: called with what the user has used; nothing changes if it raises.
            yes: used up in the same transaction, so that a crash cannot lose it.

        Returns:
            The job after the change; None if it has changed since the answer.

        Raises:
            NotConfirmed: the yes is no longer valid; nothing changes.
        """
        waits = and_(
            JOBS.c.state == State.AWAITING_APPROVAL,
            JOBS.c.brief == job.order.brief,
            JOBS.c.options == stored("options", job.order.options),
            JOBS.c.plan.is_(None) if job.plan is None else JOBS.c.plan == stored("plan", job.plan),
        )

        def work(connection: Connection) -> _Row | None:
            if check:
                lock_user(connection, job.order.user)
                check(used_by(connection, job, now))
            row = _change(connection, job.id, waits, now, {**values, "state": State.INTENDED})
            if row and yes:
                use_yes(connection, yes)
            return row

        return _job(await self._database.write(work))

    @shielded
    async def rewrite(self, job: Job, now: float, order: Order) -> Job | None:
        """Replaces brief, title and options of a job that waits for approval and was never sent.

        Returns:
            The job after the change; None if it no longer waits, or if another job has the new brief.
        """
        waits = and_(
            JOBS.c.state == State.AWAITING_APPROVAL,
            JOBS.c.plan.is_(None),
            JOBS.c.brief == job.order.brief,
        )
        values = {"brief": order.brief, "title": order.title, "options": order.options, "key": order.key}
        try:
            row = await self._database.write(lambda connection: _change(connection, job.id, waits, now, values))
        except IntegrityError:
            return None
        return _job(row)

    @shielded
    async def add_targets(self, job_id: str, targets: Collection[str]) -> None:
        """Adds targets that get notices about a job's further changes of state."""
        of_job = JOBS.c.id == job_id

        def work(connection: Connection) -> None:
            known = connection.execute(select(JOBS.c.notify).where(of_job).with_for_update()).scalar()
            names = json.dumps([*dict.fromkeys([*json.loads(known or "[]"), *targets])])
            connection.execute(update(JOBS).where(of_job).values(notify=names))

        await self._database.write(work)

    @shielded
    async def mark_starting(self, job: Job, now: float) -> Job | None:
        """Marks a job as STARTING and records what its create may cost, in one transaction.

        A job that was approved more than `LIMIT_PERIOD_S` ago has to be approved again, since the limits ignore it.

        Returns:
            The job; None if its create request must not be sent.
        """
        state = case((JOBS.c.updated < now - LIMIT_PERIOD_S, State.AWAITING_APPROVAL), else_=State.STARTING)

        def work(connection: Connection) -> _Row | None:
            lock_user(connection, job.order.user)
            row = _change(connection, job.id, JOBS.c.state == State.INTENDED, now, {"state": state})
            if row is None or row["state"] != State.STARTING:
                return None
            record_spending(connection, spending_of(job, now))
            return row

        return _job(await self._database.write(work))

    async def add_answer(self, job_id: str, answer: FollowUpAnswer) -> Job | None:
        """Appends a model's answer to a job.

        Returns:
            The job with the answer; None if the job does not exist.
        """
        return await self._change_answers(job_id, lambda answers: [*answers, answer])

    async def delete_answers(self, job_id: str, session: str) -> Job | None:
        """Deletes a job's answers to questions of one conversation. Returns the job; None if it does not exist."""
        return await self._change_answers(job_id, lambda answers: [a for a in answers if a.session != session])

    @shielded
    async def delete_tasks(self, user: str, session: str) -> int:
        """Deletes the A2A tasks of a conversation (`tools/server/a2a.py`); returns how many."""
        of_session = and_(TASKS.c.owner == user, TASKS.c.context_id == session)
        notified = select(TASKS.c.id).where(of_session)

        def work(connection: Connection) -> int:
            connection.execute(delete(PUSHES).where(PUSHES.c.task_id.in_(notified)))
            return connection.execute(delete(TASKS).where(of_session)).rowcount

        return await self._database.write(work)

    @shielded
    async def _change_answers(
        self, job_id: str, change: Callable[[Sequence[FollowUpAnswer]], list[FollowUpAnswer]]
    ) -> Job | None:
        while job := await self._first(JOBS.c.id == job_id):
            unchanged = JOBS.c.follow_ups == stored("follow_ups", job.follow_ups)
            values = {"follow_ups": change(job.follow_ups)}
            write = partial(_change, job_id=job_id, condition=unchanged, now=job.updated, values=values)
            if changed := await self._database.write(write):  # else another writer has changed the answers: try again
                return job_of(changed)
        return None

    @shielded
    async def append_progress(
        self, job: Job, owner: str, now: float, line: str, cursor: str | None, events: int
    ) -> bool:
        """Writes a line of progress. Returns False if the owner no longer holds the lease or the job has ended."""
        theirs = and_(JOBS.c.state.in_(list(HAS_INTERACTION)), JOBS.c.owner == owner)
        values = {"state": State.RUNNING, "line": line, "cursor": cursor, "events": events}
        shown = (LINES.c.job == job.id) & (LINES.c.interaction_id == job.interaction_id)
        number = select(func.coalesce(func.max(LINES.c.number), 0) + 1).where(shown).scalar_subquery()
        row = {"job": job.id, "interaction_id": job.interaction_id, "number": number, "line": line}

        def work(connection: Connection) -> bool:
            if not _change(connection, job.id, theirs, now, values):
                return False
            connection.execute(insert(LINES).values(row))
            return True

        return await self._database.write(work)

    def listener(self, heard: Callable[[str | None], None]) -> NotificationListener | None:
        """Returns a listener for changes of jobs by any process; None if the database sends no notifications."""
        sends = self.url.get_backend_name() == "postgresql"
        return NotificationListener(self._database, heard) if sends else None

    @shielded
    async def delete(self, job_id: str) -> None:
        """Deletes a job and its report. If its run may continue at the server, the spending entry stores until when."""
        in_doubt = or_(JOBS.c.state == State.START_UNKNOWN, JOBS.c.may_run == 1)
        until = select(JOBS.c.updated + STILL_RUNS_S).where(JOBS.c.id == job_id, in_doubt).scalar_subquery()

        def work(connection: Connection) -> None:
            connection.execute(newest_create(job_id).values(may_run_until=until))
            connection.execute(delete(LINES).where(LINES.c.job == job_id))
            connection.execute(delete(QUESTIONS).where(QUESTIONS.c.subject == job_id))
            gone = delete(JOBS).where(JOBS.c.id == job_id)
            connection.execute(gone.returning(JOBS.c.id, *notification(connection))).all()
            delete_notices(connection, job_id)

        await self._database.write(work)

    @shielded
    async def secret(self, name: str) -> str:
        """Returns a random secret, 64 hexadecimal digits: the same for all processes on this database."""
        query = select(SECRETS.c.value).where(SECRETS.c.name == name)
        known = await self._database.read(lambda connection: connection.execute(query).scalar())
        if known is None:
            new = insert(SECRETS).values(name=name, value=token_hex(32))
            with suppress(IntegrityError):  # another process was first
                await self._database.write(lambda connection: connection.execute(new))
            known = await self._database.read(lambda connection: connection.execute(query).scalar_one())
        return str(known)

    async def close(self) -> None:
        """Waits for running statements, then closes all connections."""
        self.notices.stop()
        await self.locks.close()
        await finish_shielded()
        await self._database.close()


def _job(row: _Row | None) -> Job | None:
    return job_of(row) if row else None


def _change(
    connection: Connection, job_id: str, condition: ColumnElement[bool], now: float, values: dict[str, Any]
) -> _Row | None:
    """Changes a job, announces the change, and records the notices about its new state; returns its new row.

    Parse the row after the transaction: an error must not undo the change.
    """
    new = {name: stored(name, value) for name, value in values.items()}
    query = update(JOBS).where(JOBS.c.id == job_id, condition).values(updated=now, **new)
    found = connection.execute(query.returning(*JOB_COLUMNS, *notification(connection))).first()
    row = {column.name: found._mapping[column] for column in JOB_COLUMNS} if found else None
    if row and "state" in values:
        record_notices(connection, row, now)
    return row
