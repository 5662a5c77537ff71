"""The schedules of a ledger. A run that is due is ordered in the transaction that moves its schedule on."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from tools.databases.shielded import shielded
from tools.interactions.server_name import normalized_server
from tools.research.database import Database
from tools.research.job import Job, Order, ReportChanges, State
from tools.research.notices.outbox import delete_notices, record_ceiling, release_notices
from tools.research.question_queries import use_yes
from tools.research.questions import Yes
from tools.research.quota_usage import used_by
from tools.research.quotas import LimitReached, Quotas, question_check, quota_check
from tools.research.rows import MAX_COST_USD, MAX_TIME_S, row_of, stored
from tools.research.schedules.schedule import MAX_SCHEDULES, BadSchedule, Schedule, Status
from tools.research.schedules.timing import Timing
from tools.research.spending import Spending
from tools.research.spending_queries import lock_user, record_spending
from tools.research.tables import JOBS, QUESTIONS, SCHEDULES, SPENDING
from tools.research.timeouts import MAX_UNSENT_AGE_S

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DueOutcome:
    """The result of a run that was due: its job, or the reason why it has no job."""

    job: str = ""
    """Id of the job of the run."""
    held: str = ""
    """The reason why the run has to wait; it is tried again."""
    full: bool = False
    """Whether the ceiling of the month is reached; it is not tried again."""


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
            connection.execute(insert(SCHEDULES).values(**_row(schedule)))

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
        return _schedule(row._mapping) if row else None

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
        unsent = select(JOBS.c.id).where(_unsent(), JOBS.c.updated < now - MAX_UNSENT_AGE_S)
        starts = or_(SCHEDULES.c.due <= now, SCHEDULES.c.last_job.in_(unsent))
        found = await self._find(and_(SCHEDULES.c.status == Status.ACTIVE, starts))
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
        now = job.created
        as_read = and_(
            SCHEDULES.c.id == schedule.id,
            SCHEDULES.c.status == Status.ACTIVE,
            SCHEDULES.c.due == schedule.due,
        )
        is_due = schedule.due is not None and schedule.due <= now
        moved = {"due": next_due if is_due else schedule.due, "held": ""}

        def work(connection: Connection) -> DueOutcome | None:
            lock_user(connection, schedule.order.user)
            if connection.execute(update(SCHEDULES).where(as_read).values(moved)).rowcount != 1:
                return None
            waiting = connection.execute(select(JOBS.c.id).where(_unsent(), _of(schedule))).scalar()
            known = and_(JOBS.c.schedule == schedule.id, JOBS.c.due == schedule.due)  # a clock was set back
            if waiting is None and (not is_due or connection.execute(select(JOBS.c.id).where(known)).first()):
                return None
            if waiting is None and not schedule.affords_run(_spent(connection, schedule, now)):
                begins, _ = schedule.timing.month(now)
                record_ceiling(connection, schedule.id, schedule.order.notify, begins, now)
                return DueOutcome(full=True)
            try:
                quota_check(limits, job)(used_by(connection, _with_id(job, waiting), now))
            except LimitReached as error:
                connection.execute(
                    update(SCHEDULES).where(SCHEDULES.c.id == schedule.id).values(due=schedule.due, held=str(error))
                )
                return DueOutcome(held=str(error))
            if waiting:
                connection.execute(update(JOBS).where(JOBS.c.id == waiting, _unsent()).values(updated=now))
            else:
                connection.execute(insert(JOBS).values(**row_of(job)))
            last = update(SCHEDULES).where(SCHEDULES.c.id == schedule.id).values(last_job=waiting or job.id)
            connection.execute(last)
            return DueOutcome(job=waiting or job.id)

        return await self._database.write(work)

    @shielded
    async def spent(self, schedule: Schedule, now: float) -> float:
        """Returns what the runs of a schedule cost or may cost at most in the calendar month of `now`, in USD."""
        return await self._database.read(lambda connection: _spent(connection, schedule, now))

    @shielded
    async def pay_for_description(self, schedule: Schedule, job: Job, entry: Spending, limits: Quotas) -> bool:
        """Records what a question about the changes costs, if the ceiling and the user's limits allow it.

        Returns:
            Whether the question may be asked.
        """

        def work(connection: Connection) -> bool:
            lock_user(connection, job.order.user)
            if not schedule.affords_description(_spent(connection, schedule, entry.time), entry.time):
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
                yield _schedule(row)
            except (ValueError, TypeError) as error:  # a person or a newer program wrote it
                if row["id"] not in self._named:
                    self._named.add(row["id"])
                    log.warning("%s cannot be read from desk_schedules: %s", row["id"], error)


def _spent(connection: Connection, schedule: Schedule, now: float) -> float:
    begins, ends = schedule.timing.month(now)
    of_month = and_(
        SPENDING.c.schedule == schedule.id,
        SPENDING.c.refused == 0,
        SPENDING.c.time >= begins,
        SPENDING.c.time < ends,
        SPENDING.c.estimate.between(0, MAX_COST_USD),
    )
    sent = select(func.coalesce(func.sum(SPENDING.c.estimate), 0.0)).where(of_month)
    ordered = select(func.coalesce(func.sum(JOBS.c.cost), 0.0)).where(_unsent(), _of(schedule))
    return float(connection.execute(sent).scalar_one()) + float(connection.execute(ordered).scalar_one())


def _unsent() -> ColumnElement[bool]:
    return JOBS.c.state == State.INTENDED


def _of(schedule: Schedule) -> ColumnElement[bool]:
    return JOBS.c.schedule == schedule.id


def _with_id(job: Job, job_id: str | None) -> Job:
    """Returns the job with the id of the unsent order that takes its place: the limits do not count a job itself."""
    return replace(job, id=job_id) if job_id else job


def _row(schedule: Schedule) -> dict[str, Any]:
    order, timing = schedule.order, schedule.timing
    return {
        "id": schedule.id,
        "key": schedule.key,
        "user": order.user,
        "session": order.session,
        "brief": order.brief,
        "title": order.title,
        "agent": order.agent,
        "options": stored("options", order.options),
        "notify": stored("notify", order.notify),
        "server": order.server,
        "cron": timing.cron,
        "zone": timing.zone,
        "max_usd": schedule.max_usd,
        "status": schedule.status,
        "created": schedule.created,
        "due": schedule.due,
        "last_job": schedule.last_job,
        "held": schedule.held,
    }


def _schedule(row: Mapping[Any, Any]) -> Schedule:
    """Reads a row.

    Raises:
        ValueError, TypeError: it is not a valid schedule.
    """
    for name, highest in (("max_usd", MAX_COST_USD), ("created", MAX_TIME_S), ("due", MAX_TIME_S)):
        if (number := row[name]) is not None and not 0 <= number <= highest:  # also refuses NaN
            raise ValueError(f"`{name}` is out of bounds")
    options, notify = json.loads(row["options"]), json.loads(row["notify"])
    if not isinstance(options, dict) or not isinstance(notify, list):
        raise ValueError("`options` or `notify` has the wrong type")
    order = Order(
        brief=row["brief"],
        user=row["user"],
        session=row["session"],
        agent=row["agent"],
        options=options,
        server=normalized_server(row["server"]),
        title=row["title"],
        notify=tuple(map(str, notify)),
    )
    return Schedule(
        id=row["id"],
        order=order,
        timing=Timing(row["cron"], row["zone"]),
        max_usd=row["max_usd"],
        status=Status(row["status"]),
        created=row["created"],
        due=row["due"],
        last_job=row["last_job"],
        held=row["held"],
    )
