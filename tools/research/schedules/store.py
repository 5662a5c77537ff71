"""The schedules of a ledger. A run that is due is ordered in the transaction that moves its schedule on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from tools.databases.shielded import shielded
from tools.research.database import Database
from tools.research.job import Job, ReportChanges
from tools.research.job_states import State
from tools.research.notices.outbox import delete_notices, release_notices
from tools.research.open_question_queries import use_yes
from tools.research.open_questions import Yes
from tools.research.quota_usage import used_by
from tools.research.quotas import LimitReached, Quotas, question_check
from tools.research.rows import stored
from tools.research.schedules.ceiling import affords_description, spent_in_month
from tools.research.schedules.due_runs import DueOutcome, has_run_to_start, order_due_run
from tools.research.schedules.rows import row_of_schedule, schedule_of
from tools.research.schedules.schedule import MAX_SCHEDULES, BadSchedule, Schedule, Status
from tools.research.spending import Spending
from tools.research.spending_queries import lock_user, record_spending
from tools.research.tables import JOBS, QUESTIONS, SCHEDULES

log = logging.getLogger(__name__)


class ScheduleStore:
    """The schedules in a ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._named: set[str] = set()

    @shielded
    async def add(self, schedule: Schedule) -> tuple[Schedule, bool]:
        """Writes a schedule, or returns the user's existing schedule of the same order and times.

        Returns:
            The schedule as the ledger has it, and whether it is new.

        Raises:
            BadSchedule: the user has too many.
        """
        same = SCHEDULES.c.key == schedule.key

        def work(connection: Connection) -> None:
            lock_user(connection, schedule.order.user)
            if connection.execute(select(SCHEDULES.c.id).where(same)).first() is None:
                own = select(func.count()).where(SCHEDULES.c.user == schedule.order.user)
                if connection.execute(own).scalar_one() >= MAX_SCHEDULES:
                    raise BadSchedule(f"there are {MAX_SCHEDULES} schedules already: delete one first")
            connection.execute(insert(SCHEDULES).values(**row_of_schedule(schedule)))

        try:
            await self._database.write(work)
            return schedule, True
        except IntegrityError:
            found = await self._find(same)
            if not found:
                raise
            return found[0], False

    async def get(self, schedule_id: str) -> Schedule | None:
        """Returns the schedule with that id; None if there is none."""
        return next(iter(await self._find(SCHEDULES.c.id == schedule_id)), None)

    async def of_user(self, user: str) -> list[Schedule]:
        """Returns a user's schedules, oldest first. Skips rows that cannot be read."""
        return await self._find(SCHEDULES.c.user == user)

    @shielded
    async def activate(self, schedule: Schedule, due: float, yes: Yes | None = None) -> Schedule | None:
        """Makes a schedule start runs from `due` on, if it is as the person has seen it.

        Args:
            yes: the person's yes to a proposal, used up in the same transaction.

        Returns:
            The schedule after the change; None if it has changed meanwhile.

        Raises:
            NotConfirmed: the yes is no longer valid; nothing changes.
        """
        return await self._change(schedule, yes, status=Status.ACTIVE, due=due, held="")

    async def pause(self, schedule: Schedule) -> Schedule | None:
        """Stops a schedule until it is activated again. Returns its new form; None if it has changed meanwhile."""
        return await self._change(schedule, None, status=Status.PAUSED, due=None, held="")

    @shielded
    async def _change(self, schedule: Schedule, yes: Yes | None, **values: Any) -> Schedule | None:
        unchanged = and_(
            SCHEDULES.c.id == schedule.id,
            SCHEDULES.c.key == schedule.key,
            SCHEDULES.c.status == schedule.status,
            SCHEDULES.c.max_usd == schedule.max_usd,
        )

        def work(connection: Connection) -> Row[Any] | None:
            row = connection.execute(update(SCHEDULES).where(unchanged).values(values).returning(SCHEDULES)).first()
            if row and yes:
                use_yes(connection, yes)
            return row

        row = await self._database.write(work)
        return schedule_of(row._mapping) if row else None

    @shielded
    async def delete(self, schedule: Schedule) -> bool:
        """Deletes a schedule, unless its status has changed meanwhile. Its runs, and what they cost, stay.

        Returns:
            Whether it was deleted.
        """
        unchanged = and_(SCHEDULES.c.id == schedule.id, SCHEDULES.c.status == schedule.status)

        def work(connection: Connection) -> bool:
            if not connection.execute(delete(SCHEDULES).where(unchanged)).rowcount:
                return False
            connection.execute(delete(QUESTIONS).where(QUESTIONS.c.subject == schedule.id))
            delete_notices(connection, schedule.id)
            return True

        return await self._database.write(work)

    async def due(self, server: str, now: float) -> list[Schedule]:
        """Returns a server's schedules that have a run to start: one that is due, or an order that was never sent."""
        found = await self._find(has_run_to_start(now))
        return [schedule for schedule in found if schedule.order.server == server]

    @shielded
    async def order_due(self, schedule: Schedule, job: Job, next_due: float, limits: Quotas) -> DueOutcome | None:
        """Orders the run of a schedule that has one to start, and moves the schedule on to its next due time.

        If an earlier order of the schedule was never sent, because its process died, that order is used again.

        Args:
            schedule: as `due` has returned it.
            job: the job of the run, not written yet.

        Returns:
            The outcome; None if another process was first, or the schedule was changed.
        """
        return await self._database.write(lambda connection: order_due_run(connection, schedule, job, next_due, limits))

    @shielded
    async def spent(self, schedule: Schedule, now: float) -> float:
        """Returns what the runs of a schedule cost or may cost at most in the calendar month of `now`, in USD."""
        return await self._database.read(lambda connection: spent_in_month(connection, schedule, now))

    @shielded
    async def pay_for_description(self, schedule: Schedule, job: Job, entry: Spending, limits: Quotas) -> bool:
        """Records what a question about the changes costs, if the ceiling and the user's limits allow it.

        Returns:
            Whether the question may be asked.
        """

        def work(connection: Connection) -> bool:
            lock_user(connection, job.order.user)
            if not affords_description(schedule, spent_in_month(connection, schedule, entry.time), entry.time):
                return False
            try:
                question_check(limits, entry)(used_by(connection, job, entry.time))
            except LimitReached:
                return False
            record_spending(connection, entry)
            return True

        return await self._database.write(work)

    @shielded
    async def save_description(self, job: Job, changes: ReportChanges, now: float) -> bool:
        """Saves a model's description of the changes, and releases the notices that waited for it.

        Returns:
            False if the job was deleted.
        """
        told = update(JOBS).where(JOBS.c.id == job.id, JOBS.c.changes == stored("changes", job.changes))

        def work(connection: Connection) -> bool:
            saved = connection.execute(told.values(changes=stored("changes", changes))).rowcount == 1
            release_notices(connection, job.id, now)
            return saved

        return await self._database.write(work)

    @shielded
    async def earlier_report(self, job: Job) -> tuple[str, str] | None:
        """Returns the id and the report of the newest completed run of the same schedule before a job's; else None."""
        before = and_(
            JOBS.c.schedule == job.order.schedule,
            JOBS.c.due < job.order.due,
            JOBS.c.state == State.COMPLETED,
            JOBS.c.report.is_not(None),
        )
        query = select(JOBS.c.id, JOBS.c.report).where(before).order_by(JOBS.c.due.desc()).limit(1)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return (str(row.id), str(row.report)) if row else None

    @shielded
    async def _find(self, condition: ColumnElement[bool]) -> list[Schedule]:
        query = select(SCHEDULES).where(condition).order_by(SCHEDULES.c.created, SCHEDULES.c.id)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [*self._readable(rows)]

    def _readable(self, rows: Iterable[Mapping[Any, Any]]) -> Iterator[Schedule]:
        for row in rows:
            try:
                yield schedule_of(row)
            except (ValueError, TypeError) as error:  # a person or a newer program wrote it
                if row["id"] not in self._named:
                    self._named.add(row["id"])
                    log.warning("%s cannot be read from desk_schedules: %s", row["id"], error)
