"""The outbox: notices that wait to be sent, in the ledger's database.

A notice is written in the transaction that changes its job's state, so neither exists without the other. A process
takes a notice by compare-and-set of its number of attempts before it sends it, and has it until `due`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from tools.databases.shielded import shielded
from tools.research.database import Database, upsert
from tools.research.job_states import TERMINAL, State
from tools.research.notices.timeouts import MAX_DESCRIPTION_WAIT_S
from tools.research.tables import NOTICES

NOTICE_STATES = TERMINAL | {State.AWAITING_APPROVAL, State.STALLED, State.START_UNKNOWN}
"""States of a job that people get notices about."""
CEILING: Literal["ceiling"] = "ceiling"
"""The state in a notice about a schedule: a run is due, but is not started, because the ceiling is reached."""


@dataclass(frozen=True)
class Notice:
    """A notice for one target. Times are seconds since the epoch."""

    id: str
    """The same for all targets of an event."""
    target: str
    """Name of the target in `notify:`."""
    job: str
    """Id of the job; with `CEILING`, id of the schedule."""
    state: State | Literal["ceiling"]
    """The state that the job had reached, or `CEILING`."""
    created: float
    due: float
    """When it is sent next."""
    attempts: int
    """Number of attempts to send it so far."""
    ended: float | None
    """When it was sent or given up; None while it waits."""
    error: str
    """The reason why it was not sent; empty if it was sent or was not tried yet."""


def record_notices(connection: Connection, row: Mapping[Any, Any], now: float) -> None:
    """Writes the notices about a job's new state, for each target of the job, unless they were written before.

    Args:
        row: the job's row after the change.
    """
    targets = _names(row["notify"])
    if row["state"] in NOTICE_STATES and targets:
        due = now + MAX_DESCRIPTION_WAIT_S if row["changes"] else now  # `release_notices` ends the wait
        new = {"id": _id(row, now), "job": row["id"], "state": row["state"], "created": now, "due": due}
        rows = [{**new, "target": target, "attempts": 0, "error": ""} for target in targets]
        if row["state"] == State.AWAITING_APPROVAL:  # an earlier question that is not sent yet was answered
            connection.execute(
                delete(NOTICES).where(
                    NOTICES.c.job == row["id"], NOTICES.c.state == row["state"], NOTICES.c.ended.is_(None)
                )
            )
        connection.execute(upsert(connection, NOTICES).on_conflict_do_nothing(), rows)


def record_ceiling(
    connection: Connection, schedule_id: str, targets: Collection[str], month_start: float, now: float
) -> None:
    """Writes, at most once a month, the notices that a schedule has reached its ceiling."""
    if targets:
        id_ = _hash([schedule_id, CEILING, month_start])
        new = {"id": id_, "job": schedule_id, "state": CEILING, "created": now, "due": now, "attempts": 0, "error": ""}
        rows = [{**new, "target": target} for target in targets]
        connection.execute(upsert(connection, NOTICES).on_conflict_do_nothing(), rows)


def release_notices(connection: Connection, job_id: str, now: float) -> None:
    """Makes those notices of a job due that wait for a model's description of the changes."""
    waiting = and_(NOTICES.c.job == job_id, NOTICES.c.attempts == 0, NOTICES.c.due > now)
    connection.execute(update(NOTICES).where(waiting).values(due=now))


def _id(row: Mapping[Any, Any], now: float) -> str:
    """The id of a notice: the same for the same job, state and plan. So checks of a stalled run make no new notice.

    Each wait for a yes is a new event, since a yes can become too old.
    """
    wait = now if row["state"] == State.AWAITING_APPROVAL else None
    return _hash([row["id"], row["state"], row["plan"], wait])


def _hash(parts: Sequence[Any]) -> str:
    return f"notice_{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]}"


def _names(text: str) -> list[str]:
    try:
        return [str(name) for name in json.loads(text)]
    except (ValueError, TypeError):  # a person or a newer program wrote it
        return []


def delete_notices(connection: Connection, job_id: str) -> None:
    """Deletes all notices about a job."""
    connection.execute(delete(NOTICES).where(NOTICES.c.job == job_id))


class Outbox:
    """The notices of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.sending: dict[str, asyncio.Task[None]] = {}
        """The tasks of this process that send notices now, by the name of their target."""

    @shielded
    async def of_job(self, job_id: str) -> list[Notice]:
        """Returns the notices about a job, oldest first."""
        query = select(NOTICES).where(NOTICES.c.job == job_id).order_by(NOTICES.c.created, NOTICES.c.target)
        return await self._read(query)

    @shielded
    async def due_targets(self, now: float) -> dict[str, float]:
        """Returns the names of targets to which notices have to be sent, and when the oldest of these was created."""
        oldest = func.min(NOTICES.c.created).label("oldest")
        query = select(NOTICES.c.target, oldest).where(_due(now)).group_by(NOTICES.c.target)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.target: row.oldest for row in rows}

    @shielded
    async def next_due(self, target: str, now: float, created_before: float | None = None) -> Notice | None:
        """Returns the notice to send next to a target: the oldest of those with the fewest attempts."""
        query = select(NOTICES).where(_due(now), NOTICES.c.target == target)
        if created_before is not None:
            query = query.where(NOTICES.c.created < created_before)
        found = await self._read(query.order_by(NOTICES.c.attempts, NOTICES.c.due).limit(1))
        return found[0] if found else None

    @shielded
    async def take(self, notice: Notice, until: float) -> bool:
        """Takes a notice, so that no other process sends it before `until`. Returns whether it was still free."""
        return await self._update(notice, attempts=notice.attempts + 1, due=until)

    @shielded
    async def end(self, notice: Notice, now: float, error: str = "") -> None:
        """Writes that a notice was sent, or why it is given up. A notice that was sent keeps this state."""
        query = update(NOTICES).where(_is(notice), or_(NOTICES.c.ended.is_(None), NOTICES.c.error != ""))
        query = query.values(ended=now, error=error)
        await self._database.write(lambda connection: connection.execute(query))

    @shielded
    async def retry(self, notice: Notice, due: float, error: str) -> None:
        """Writes why a taken notice was not sent, and when to try again."""
        await self._update(notice, taken=1, due=due, error=error)

    @shielded
    async def drop(self, notice: Notice) -> None:
        """Deletes a notice that nobody wants."""
        await self._database.write(lambda connection: connection.execute(delete(NOTICES).where(_is(notice))))

    def stop(self) -> None:
        """Stops the sending of further notices. Notices that are being sent are finished, see `finish_shielded`."""
        for task in self.sending.values():
            task.cancel()

    async def _update(self, notice: Notice, *, taken: int = 0, **values: Any) -> bool:
        unchanged = and_(_is(notice), NOTICES.c.attempts == notice.attempts + taken, NOTICES.c.ended.is_(None))
        query = update(NOTICES).where(unchanged).values(values)
        return await self._database.write(lambda connection: connection.execute(query).rowcount == 1)

    async def _read(self, query: Any) -> list[Notice]:
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [Notice(**{**row, "state": _STATES[row["state"]]}) for row in rows if row["state"] in _STATES]


_STATES: Mapping[str, State | Literal["ceiling"]] = {**{str(state): state for state in State}, CEILING: CEILING}


def _due(now: float) -> Any:
    readable = NOTICES.c.state.in_([*NOTICE_STATES, CEILING])  # a person or a newer program may write others
    return and_(NOTICES.c.ended.is_(None), NOTICES.c.due <= now, readable)


def _is(notice: Notice) -> Any:
    return and_(NOTICES.c.id == notice.id, NOTICES.c.target == notice.target)
