"""The ledger: stores jobs in a database. A job is written before any request is sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Dialect,
    Float,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    TypeDecorator,
    Update,
    and_,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.research.database import Database
from tools.research.job import ACTIVE, DAY, HAS_INTERACTION, FollowUpAnswer, Job, Kind, Order, State
from tools.research.questions import Action, NotConfirmed, Question, Yes
from tools.research.quotas import STILL_RUNS_S, Check
from tools.research.rows import (
    HIGHEST_COST,
    LATEST_TIME,
    UnreadableJob,
    answers_text,
    job_of,
    options_text,
    plan_text,
    row_of,
    spending_of_row,
)
from tools.research.spending import Spending, Used, spending_of
from tools.sanitize import sanitize
from tools.shielded import finish_shielded, shielded

log = logging.getLogger(__name__)


class _Words(TypeDecorator[str]):
    """Text cleaned so that every database accepts it: an order may come from a command line."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else sanitize(value)


# `migrations.py` defines the columns.
_metadata = MetaData()
_tasks = Table("desk_tasks", _metadata, Column("id", _Words), Column("owner", _Words), Column("context_id", _Words))
_pushes = Table("desk_pushes", _metadata, Column("task_id", _Words))
_jobs = Table(
    "research_jobs",
    _metadata,
    Column("id", _Words, primary_key=True),
    Column("key", _Words),
    Column("user", _Words),
    Column("session", _Words),
    Column("brief", _Words),
    Column("agent", _Words),
    Column("options", _Words),
    Column("attempt", Integer),
    Column("state", _Words),
    Column("created", Float),
    Column("updated", Float),
    Column("interaction_id", _Words),
    Column("cursor", _Words),
    Column("events", Integer),
    Column("finished", Float),
    Column("usage", _Words),
    Column("error", _Words),
    Column("report", _Words),
    Column("owner", _Words),
    Column("lease_until", Float),
    Column("line", _Words),
    Column("plan", _Words),
    Column("inputs", _Words),
    Column("cost", Float),
    Column("server", _Words),
    Column("follow_ups", _Words),
    Column("base", _Words),
    Column("previous", _Words),
    Column("started", Float),
    Column("trace", _Words),
    Column("title", _Words),
    Column("may_run", Integer),
)
_lines = Table(
    "research_lines",
    _metadata,
    Column("job", _Words, primary_key=True),
    Column("interaction_id", _Words, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line", _Words),
)
_spending = Table(
    "desk_spending",
    _metadata,
    Column("job", _Words, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("time", Float),
    Column("user", _Words),
    Column("kind", _Words),
    Column("agent", _Words),
    Column("estimate", Float),
    Column("refused", Integer),
    Column("may_run_until", Float),
    Column("usage", _Words),
)
_questions = Table(
    "desk_questions",
    _metadata,
    Column("user", _Words, primary_key=True),
    Column("session", _Words, primary_key=True),
    Column("subject", _Words, primary_key=True),
    Column("action", _Words),
    Column("version", _Words),
    Column("invocation", _Words),
)
_answers = Table("desk_answers", _metadata, Column("id", _Words, primary_key=True))
_listed = [column for column in _jobs.columns if column.name != "report"]


class Ledger:
    """Jobs, spending, questions and progress lines in one database. Each change of state is a compare-and-set.

    Args:
        url: address of the database, see `tools.database_url`.

    Raises:
        LedgerError: the database cannot be opened; raised here or by the first query.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._named: set[str] = set()

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
        try:
            async with self._database.write() as connection:
                known = select(_jobs.c.id).where(_jobs.c.key == job.order.key)
                if check and (await connection.execute(known)).first() is None:
                    await _lock(connection, job.order.user)
                    check(await _used(connection, job, job.created))
                await connection.execute(insert(_jobs).values(**row_of(job)))
            return job, True
        except IntegrityError:
            found = await self._first(_jobs.c.key == job.order.key)
            if found is None:
                raise
            return found, False

    @shielded
    async def get(self, job_id: str) -> Job | None:
        """The job with that id, or none.

        Raises:
            UnreadableJob: its row cannot be read.
        """
        return await self._first(_jobs.c.id == job_id)

    @shielded
    async def of_interaction(self, interaction_id: str) -> Job | None:
        """The job whose current interaction this is."""
        query = select(*_listed).where(_jobs.c.interaction_id == interaction_id)
        async with self._database.begin() as connection:
            return next(self._readable(await connection.execute(query)), None)

    @shielded
    async def find(
        self,
        *,
        user: str | None = None,
        session: str | None = None,
        states: Collection[State] | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Jobs, newest first, without rows that cannot be read."""
        query = select(*_listed).order_by(_jobs.c.created.desc(), _jobs.c.id)
        if user is not None:
            query = query.where(_jobs.c.user == user)
        if session is not None:
            query = query.where(_jobs.c.session == session)
        if states is not None:
            query = query.where(_jobs.c.state.in_(list(states)))
        jobs: list[Job] = []
        async with self._database.begin() as connection:
            seen = 0
            while wanted := limit - len(jobs):
                rows = (await connection.execute(query.limit(wanted).offset(seen))).all()
                jobs += self._readable(rows)
                seen += len(rows)
                if len(rows) < wanted:
                    break
        return jobs

    @shielded
    async def unreadable(self) -> list[UnreadableJob]:
        """One error for each job row that cannot be read; other queries skip these rows."""
        found = []
        async with self._database.begin() as connection:
            async for row in await connection.stream(select(*_listed).execution_options(yield_per=100)):
                try:
                    job_of(dict(row._mapping))
                except UnreadableJob as error:
                    found.append(error)
        return found

    @shielded
    async def change(
        self, job_id: str, expected: Collection[State], now: float, *, refused: bool = False, **values: Any
    ) -> Job | None:
        """Changes a job if it is in one of the expected states.

        Args:
            refused: whether the server proved that the newest create started nothing; it then costs nothing.
            values: columns to set: `state`, `interaction_id`, `started`, `cursor`, `events`, `finished`, `usage`,
                `error`, `plan`, `report`, `may_run`.

        Returns:
            The job after the change, or none if it was in another state (another writer was first).

        Raises:
            UnreadableJob: the change was written, but the row cannot be read.
        """
        async with self._database.write() as connection:
            row = await _change(connection, job_id, _jobs.c.state.in_(list(expected)), now, values)
            if row and refused:
                await connection.execute(_newest_create(job_id).values(refused=1))
            if row and values.get("usage"):
                await connection.execute(_newest_create(job_id).values(usage=values["usage"]))
        return job_of(row) if row else None

    @shielded
    async def agree(
        self, job: Job, now: float, check: Check | None, yes: Yes | None = None, **values: Any
    ) -> Job | None:
        """Moves an answered job from AWAITING_APPROVAL to INTENDED, if its brief, options and plan are unchanged.

        Args:
            job: the job as it was when the person answered.
            check: called with what the user has used; nothing changes if it raises.
            yes: used up in the same transaction, so that a crash cannot lose it.

        Returns:
            The job after the change, or none if it has changed since.

        Raises:
            NotConfirmed: the yes is no longer valid; nothing changes.
        """
        waits = and_(
            _jobs.c.state == State.AWAITING_APPROVAL,
            _jobs.c.brief == job.order.brief,
            _jobs.c.options == options_text(job.order.options),
            _jobs.c.plan.is_(None) if job.plan is None else _jobs.c.plan == plan_text(job.plan),
        )
        async with self._database.write() as connection:
            if check:
                await _lock(connection, job.order.user)
                check(await _used(connection, job, now))
            row = await _change(connection, job.id, waits, now, {**values, "state": State.INTENDED})
            if row and yes:
                await _use(connection, yes)
        return job_of(row) if row else None

    @shielded
    async def rewrite(self, job: Job, now: float, order: Order) -> Job | None:
        """Replaces brief, title and options of a job that waits for approval and was never sent.

        Returns:
            The job after the change, or none if it no longer waits or another job has the brief.
        """
        waits = and_(_jobs.c.state == State.AWAITING_APPROVAL, _jobs.c.plan.is_(None), _jobs.c.brief == job.order.brief)
        options = options_text(order.options)
        values = {"brief": order.brief, "title": order.title, "options": options, "key": order.key}
        try:
            async with self._database.write() as connection:
                row = await _change(connection, job.id, waits, now, values)
        except IntegrityError:
            return None
        return job_of(row) if row else None

    @shielded
    async def begin(self, job: Job, now: float) -> Job | None:
        """Marks a job as STARTING and records what its create may cost, in one transaction.

        A job that was approved more than a day ago waits for approval again: the daily limits no longer count it.

        Returns:
            The job, or none if its create must not be sent.
        """
        ordered = _jobs.c.state == State.INTENDED
        async with self._database.write() as connection:
            await _lock(connection, job.order.user)
            old = and_(ordered, _jobs.c.updated < now - DAY)
            await _change(connection, job.id, old, now, {"state": State.AWAITING_APPROVAL})
            row = await _change(connection, job.id, ordered, now, {"state": State.STARTING})
            if row:
                await _spend(connection, spending_of(job, now))
        return job_of(row) if row else None

    @shielded
    async def spend(self, job: Job, entry: Spending, check: Check | None) -> None:
        """Records the cost of a question to a model, which changes no job.

        Args:
            check: called with what the user has used; nothing is written if it raises.
        """
        async with self._database.write() as connection:
            await _lock(connection, job.order.user)
            if check:
                check(await _used(connection, job, entry.time))
            await _spend(connection, entry)

    @shielded
    async def spending(self, *, since: float = 0, user: str | None = None) -> list[Spending]:
        """Spending entries since a time (in seconds since the epoch), oldest first, without refused creates."""
        query = select(_spending).where(_spending.c.time >= since, _spending.c.refused == 0)
        query = query.order_by(_spending.c.time, _spending.c.job, _spending.c.number)
        if user is not None:
            query = query.where(_spending.c.user == user)
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).mappings().all()
        found = list[Spending]()
        for row in rows:
            try:
                found.append(spending_of_row(row))
            except ValueError as error:  # a person or a newer program wrote it
                log.warning("entry %s of %s in desk_spending cannot be read: %s", row["number"], row["job"], error)
        return found

    @shielded
    async def ask(self, question: Question) -> None:
        """Writes a question; it replaces an earlier one about the same subject."""
        values = asdict(question)
        async with self._database.write() as connection:
            asked = _upsert(connection, _questions).values(values)
            await connection.execute(
                asked.on_conflict_do_update(index_elements=_questions.primary_key.columns, set_=values)
            )

    @shielded
    async def questions(self, user: str, session: str | None = None, *, subject: str | None = None) -> list[Question]:
        """The unanswered questions to a user, of one conversation or about one subject if given."""
        query = select(_questions).where(_questions.c.user == user)
        if session is not None:
            query = query.where(_questions.c.session == session)
        if subject is not None:
            query = query.where(_questions.c.subject == subject)
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).mappings().all()
        names = ("user", "session", "subject", "version", "invocation")
        known = [row for row in rows if row["action"] in set(Action)]  # a newer program may ask other questions
        return [Question(action=Action(row["action"]), **{name: row[name] for name in names}) for row in known]

    @shielded
    async def use(self, yes: Yes) -> None:
        """Uses up a yes and deletes its question.

        Raises:
            NotConfirmed: the question was answered, asked again or withdrawn meanwhile, or the yes was used before.
        """
        async with self._database.write() as connection:
            await _use(connection, yes)

    @shielded
    async def withdraw(self, user: str, session: str, subject: str | None = None) -> None:
        """Deletes a conversation's question about a subject, or all its questions."""
        query = delete(_questions).where(_questions.c.user == user, _questions.c.session == session)
        if subject is not None:
            query = query.where(_questions.c.subject == subject)
        async with self._database.write() as connection:
            await connection.execute(query)

    async def add_answer(self, job_id: str, answer: FollowUpAnswer) -> Job | None:
        """Appends a model's answer to a job.

        Returns:
            The job with the answer, or none if the job does not exist (any more).
        """
        return await self._change_answers(job_id, lambda answers: [*answers, answer])

    async def drop_answers(self, job_id: str, session: str) -> Job | None:
        """Deletes a job's answers to questions of one conversation. Returns the job, or none if it does not exist."""
        return await self._change_answers(job_id, lambda answers: [a for a in answers if a.session != session])

    @shielded
    async def drop_tasks(self, user: str, session: str) -> int:
        """Deletes the A2A tasks of a conversation (`tools/server/a2a.py`); returns how many."""
        async with self._database.write() as connection:
            of_session = and_(_tasks.c.owner == user, _tasks.c.context_id == session)
            notified = select(_tasks.c.id).where(of_session)
            await connection.execute(delete(_pushes).where(_pushes.c.task_id.in_(notified)))
            return (await connection.execute(delete(_tasks).where(of_session))).rowcount

    @shielded
    async def _change_answers(
        self, job_id: str, change: Callable[[Sequence[FollowUpAnswer]], list[FollowUpAnswer]]
    ) -> Job | None:
        while job := await self._first(_jobs.c.id == job_id):
            unchanged = _jobs.c.follow_ups == answers_text(job.follow_ups)
            values = {"follow_ups": answers_text(change(job.follow_ups))}
            async with self._database.write() as connection:
                changed = await _change(connection, job_id, unchanged, job.updated, values)
            if changed:  # else another writer changed them meanwhile
                return job_of(changed)
        return None

    @shielded
    async def show(self, job: Job, owner: str, now: float, line: str, cursor: str | None, events: int) -> bool:
        """Writes a line of progress. Returns False if the owner no longer holds the lease or the job has ended."""
        theirs = and_(_jobs.c.state.in_(list(HAS_INTERACTION)), _jobs.c.owner == owner)
        values = {"state": State.RUNNING, "line": line, "cursor": cursor, "events": events}
        shown = (_lines.c.job == job.id) & (_lines.c.interaction_id == job.interaction_id)
        number = select(func.coalesce(func.max(_lines.c.number), 0) + 1).where(shown).scalar_subquery()
        row = {"job": job.id, "interaction_id": job.interaction_id, "number": number, "line": line}
        async with self._database.write() as connection:
            if not await _change(connection, job.id, theirs, now, values):
                return False
            await connection.execute(insert(_lines).values(row))
            return True

    @shielded
    async def lines(self, job: Job) -> list[str]:
        """The progress lines of a job's current interaction, oldest first."""
        query = select(_lines.c.line).where(_lines.c.job == job.id, _lines.c.interaction_id == job.interaction_id)
        async with self._database.begin() as connection:
            return [*(await connection.execute(query.order_by(_lines.c.number))).scalars()]

    @shielded
    async def report(self, job_id: str) -> str | None:
        """The finished report as JSON (`tools.research.report.reading.to_json`)."""
        async with self._database.begin() as connection:
            return (await connection.execute(select(_jobs.c.report).where(_jobs.c.id == job_id))).scalar()

    @shielded
    async def delete(self, job_id: str) -> None:
        """Deletes a job and its report. If it may still run at the server, its spending entry keeps until when."""
        in_doubt = or_(_jobs.c.state == State.START_UNKNOWN, _jobs.c.may_run == 1)
        until = select(_jobs.c.updated + STILL_RUNS_S).where(_jobs.c.id == job_id, in_doubt).scalar_subquery()
        async with self._database.write() as connection:
            await connection.execute(_newest_create(job_id).values(may_run_until=until))
            await connection.execute(delete(_lines).where(_lines.c.job == job_id))
            await connection.execute(delete(_questions).where(_questions.c.subject == job_id))
            await connection.execute(delete(_jobs).where(_jobs.c.id == job_id))

    @shielded
    async def by_state(self) -> dict[State, int]:
        """How many jobs there are in each state, of all users and servers."""
        query = select(_jobs.c.state, func.count()).where(_jobs.c.state.in_(list(State))).group_by(_jobs.c.state)
        async with self._database.begin() as connection:
            counts = {State(state): int(count) for state, count in await connection.execute(query)}
        return {state: counts.get(state, 0) for state in State}

    @shielded
    async def lease(self, job_id: str, owner: str, now: float, seconds: float) -> bool:
        """Takes or renews the lease on a job.

        Returns:
            False if the job needs no work, or another owner holds a valid lease.
        """
        free = and_(_jobs.c.id == job_id, _jobs.c.state.in_(list(ACTIVE)), or_(_jobs.c.owner == owner, _abandoned(now)))
        query = update(_jobs).where(free).values(owner=owner, lease_until=now + seconds)
        async with self._database.begin() as connection:
            if (await connection.execute(select(_jobs.c.id).where(free))).first() is None:
                return False  # waiting processes call this every second: do not write for that
        async with self._database.write() as connection:
            return bool((await connection.execute(query)).rowcount == 1)

    @shielded
    async def renew(self, owner: str, now: float, seconds: float) -> set[str]:
        """Renews all leases of an owner; returns the ids of active jobs that it still holds."""
        theirs = and_(_jobs.c.state.in_(list(ACTIVE)), _jobs.c.owner == owner)
        query = update(_jobs).where(theirs).values(lease_until=now + seconds).returning(_jobs.c.id)
        async with self._database.write() as connection:
            return {*(await connection.execute(query)).scalars()}

    @shielded
    async def release_lease(self, job_id: str, owner: str) -> None:
        """Releases an owner's lease on a job."""
        query = update(_jobs).where(_jobs.c.id == job_id, _jobs.c.owner == owner)
        async with self._database.write() as connection:
            await connection.execute(query.values(owner=None, lease_until=None))

    @shielded
    async def abandoned(self, server: str, now: float, states: Collection[State], before: float) -> list[Job]:
        """Jobs of a server in these states, without a valid lease and unchanged since `before`, oldest first."""
        query = select(*_listed).where(_jobs.c.state.in_(list(states)), _jobs.c.updated < before, _abandoned(now))
        async with self._database.begin() as connection:
            jobs = self._readable(await connection.execute(query.order_by(_jobs.c.created)))
            return [job for job in jobs if job.order.server == server]  # normalised here, not in the column

    async def close(self) -> None:
        """Waits for running statements, then closes all connections."""
        await finish_shielded()
        await self._database.close()

    async def _first(self, condition: Any) -> Job | None:
        async with self._database.begin() as connection:
            row = (await connection.execute(select(*_listed).where(condition))).first()
        return job_of(dict(row._mapping)) if row else None

    def _readable(self, rows: Iterable[Row[Any]]) -> Iterator[Job]:
        """The jobs of rows. A row that cannot be read is skipped and logged once."""
        for row in rows:
            try:
                yield job_of(dict(row._mapping))
            except UnreadableJob as error:
                if error.job_id not in self._named:
                    self._named.add(error.job_id)
                    log.warning("%s", error)


def _about(question: Question) -> ColumnElement[bool]:
    return and_(*(_questions.c[name] == getattr(question, name) for name in ("user", "session", "subject")))


async def _use(connection: AsyncConnection, yes: Yes) -> None:
    question = yes.question
    stands = and_(
        _about(question),
        _questions.c.action == question.action,
        _questions.c.version == question.version,
        _questions.c.invocation == question.invocation,
    )
    unused = _upsert(connection, _answers).values(id=yes.answer).on_conflict_do_nothing()
    if (await connection.execute(unused)).rowcount != 1:
        raise NotConfirmed(
            f"this yes has answered another question already: one that names {question.subject} answers this one"
        )
    if (await connection.execute(delete(_questions).where(stands))).rowcount != 1:
        raise NotConfirmed(f"what was asked about {question.subject} is answered, or was asked anew, meanwhile")


def _upsert(connection: AsyncConnection, table: Table) -> Any:
    """An `INSERT` with `ON CONFLICT` support, for either database."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def _newest_create(job_id: str) -> Update:
    """An update of the spending entry of a job's newest create."""
    creates = select(func.max(_spending.c.number)).where(_spending.c.job == job_id, _spending.c.kind != Kind.QUESTION)
    return update(_spending).where(_spending.c.job == job_id, _spending.c.number == creates.scalar_subquery())


async def _spend(connection: AsyncConnection, entry: Spending) -> None:
    number = select(func.coalesce(func.max(_spending.c.number), 0) + 1).where(_spending.c.job == entry.job)
    values = {**asdict(entry), "number": number.scalar_subquery(), "usage": json.dumps(dict(entry.usage)), "refused": 0}
    await connection.execute(insert(_spending).values(**values))


async def _lock(connection: AsyncConnection, user: str) -> None:
    """Locks a user's spending until the end of the transaction."""
    if connection.dialect.name == "postgresql":  # SQLite lets one transaction write at a time anyway
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:user))"), {"user": f"desk {user}"})
    else:
        await connection.execute(update(_jobs).where(_jobs.c.id == "").values(updated=0))  # takes the write lock


async def _used(connection: AsyncConnection, job: Job, now: float) -> Used:
    """What the user of a job has used, without the job itself. The caller holds the user's lock."""
    user = job.order.user
    # `between` excludes texts, which SQLite sorts after all numbers, and NaN.
    mine = and_(
        _jobs.c.user == user,
        _jobs.c.id != job.id,
        _jobs.c.created.between(0, LATEST_TIME),
        _jobs.c.cost.between(0, HIGHEST_COST),
    )
    recent = _jobs.c.updated.between(now - STILL_RUNS_S, LATEST_TIME)
    under_way = or_(
        _jobs.c.state.in_(list(ACTIVE)), and_(or_(_jobs.c.state == State.START_UNKNOWN, _jobs.c.may_run == 1), recent)
    )
    unsent = and_(_jobs.c.state == State.INTENDED, _jobs.c.updated.between(now - DAY, LATEST_TIME))
    forgotten = and_(_spending.c.user == user, _spending.c.may_run_until.between(now, LATEST_TIME))
    of_day = and_(
        _spending.c.user == user,
        _spending.c.refused == 0,
        _spending.c.time.between(now - DAY, LATEST_TIME),
        _spending.c.estimate.between(0, HIGHEST_COST),
    )
    total, create = func.coalesce(func.sum(_spending.c.estimate), 0.0), _spending.c.kind != Kind.QUESTION
    running = (await connection.execute(select(func.count()).where(mine, under_way))).scalar_one()
    may_run = (await connection.execute(select(func.count()).where(forgotten))).scalar_one()
    orders, ordered = (
        await connection.execute(select(func.count(), func.coalesce(func.sum(_jobs.c.cost), 0.0)).where(mine, unsent))
    ).one()
    creates, spent = (
        await connection.execute(select(func.coalesce(func.sum(case((create, 1), else_=0)), 0), total).where(of_day))
    ).one()
    plans = (
        await connection.execute(
            select(func.count()).where(
                _spending.c.job == job.id, _spending.c.refused == 0, _spending.c.kind.in_([Kind.PLAN, Kind.REVISION])
            )
        )
    ).scalar_one()
    return Used(int(running) + int(may_run), int(creates) + int(orders), float(spent) + float(ordered), int(plans))


def _abandoned(now: float) -> ColumnElement[bool]:
    return or_(_jobs.c.owner.is_(None), _jobs.c.lease_until < now)


async def _change(
    connection: AsyncConnection, job_id: str, condition: ColumnElement[bool], now: float, values: dict[str, Any]
) -> dict[Any, Any] | None:
    """The row after the change. Parse it after the transaction: an unreadable row must not undo the change."""
    if "usage" in values:
        values["usage"] = json.dumps(values["usage"])
    if "plan" in values:
        values["plan"] = plan_text(values["plan"])
    query = update(_jobs).where(_jobs.c.id == job_id, condition).values(updated=now, **values)
    row = (await connection.execute(query.returning(*_listed))).first()
    return dict(row._mapping) if row else None
