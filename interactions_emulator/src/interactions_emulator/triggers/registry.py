"""Triggers and their executions.

POST, GET          /{version}/triggers
GET, PATCH, DELETE /{version}/triggers/{id}
POST, GET          /{version}/triggers/{id}/executions    run now; list the executions
"""

from __future__ import annotations

import zoneinfo
from dataclasses import asdict, dataclass
from typing import Any

from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.events import timestamp
from interactions_emulator.engine.state_store import Journal, Record
from interactions_emulator.errors import Refused
from interactions_emulator.ids import new_id
from interactions_emulator.triggers.cron import next_time

STATUSES = ("active", "paused", "error")
MAX_EXECUTIONS = 1_000
"""Maximum number of executions that are kept for each trigger."""
_TIMES = ("create_time", "update_time", "last_run_time", "last_pause_time", "last_resume_time", "next_run_time")
_EXECUTION_TIMES = ("scheduled_time", "start_time", "end_time")


@dataclass
class Trigger:
    """A trigger. Times are virtual seconds since 1970."""

    id: str
    interaction: dict[str, Any]
    """The body of the create request that each execution sends."""
    schedule: str
    time_zone: str
    create_time: float
    update_time: float
    key: str
    """Fingerprint of the API key that created it."""
    documents_url: str
    """Base URL of the corpus documents, as the client that created the trigger names it."""
    display_name: str = ""
    environment_id: str | None = None
    execution_timeout_seconds: int | None = None
    max_consecutive_failures: int | None = None
    consecutive_failure_count: int = 0
    status: str = "active"
    next_run_time: float | None = None
    last_run_time: float | None = None
    last_pause_time: float | None = None
    last_resume_time: float | None = None
    previous_interaction_id: str | None = None

    def resource(self) -> dict[str, Any]:
        """Return the trigger as the API shows it."""
        shown = _shown(asdict(self), _TIMES)
        del shown["key"], shown["documents_url"]
        return shown

    def next_after(self, moment: float) -> float:
        """Return the first moment of the schedule after `moment`."""
        return next_time(self.schedule, zoneinfo.ZoneInfo(self.time_zone), moment)


@dataclass
class Execution:
    """One execution of a trigger. Times are virtual seconds since 1970."""

    id: str
    trigger_id: str
    scheduled_time: float
    start_time: float
    status: str = "in_progress"
    end_time: float | None = None
    interaction_id: str | None = None
    error: str | None = None

    def resource(self) -> dict[str, Any]:
        """Return the execution as the API shows it."""
        return _shown(asdict(self), _EXECUTION_TIMES)


class Triggers:
    """The triggers and their executions. Methods raise `Refused` (400, 404)."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self.all: dict[str, Trigger] = {key: Trigger(**value) for key, value in journal.read("trigger")}
        self._executions: dict[str, dict[str, Execution]] = {key: {} for key in self.all}
        """Maps the id of each trigger to its executions, oldest first."""
        self.running: dict[str, Execution] = {}
        """Maps ids of triggers to their executions in progress. A trigger has at most one."""
        for key, value in journal.read("execution"):
            execution = Execution(**value)
            self._executions[execution.trigger_id][key] = execution
            if execution.status == "in_progress":
                self.running[execution.trigger_id] = execution

    def create(self, interaction: dict[str, Any], body: dict[str, Any], key: str, documents_url: str) -> Trigger:
        """Add a trigger. `interaction` is the checked body of its create request."""
        _check_body(body)
        now = self._clock.now()
        optional = ("display_name", "environment_id", "execution_timeout_seconds", "max_consecutive_failures")
        given = {name: body[name] for name in optional if body.get(name) is not None}
        schedule, zone = body["schedule"], body["time_zone"]
        trigger = Trigger(new_id(), interaction, schedule, zone, now, now, key, documents_url, **given)
        trigger.next_run_time = trigger.next_after(now)
        self.all[trigger.id] = trigger
        self._executions[trigger.id] = {}
        self.save(trigger)
        return trigger

    def find(self, trigger_id: str) -> Trigger:
        if trigger_id not in self.all:
            raise Refused(404, f"Trigger {trigger_id} was not found: it never existed or was deleted.")
        return self.all[trigger_id]

    def show(self) -> list[dict[str, Any]]:
        return [trigger.resource() for trigger in self.all.values()]

    def update(self, trigger_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change the name, pause or resume."""
        trigger = self.find(trigger_id)
        name, status = body.get("display_name", trigger.display_name), body.get("status", trigger.status)
        if not isinstance(name, str):
            raise Refused(400, f"display_name is a string, not {name!r:.100}")
        if status not in STATUSES:
            raise Refused(400, f"status is one of {', '.join(STATUSES)}, not {status!r:.100}")
        now = self._clock.now()
        if status != trigger.status and status == "active":
            trigger.last_resume_time, trigger.consecutive_failure_count = now, 0
            trigger.next_run_time = trigger.next_after(now)
        elif status != trigger.status:
            trigger.last_pause_time, trigger.next_run_time = now, None
        trigger.display_name, trigger.status, trigger.update_time = name, status, now
        self.save(trigger)
        return trigger.resource()

    def delete(self, trigger_id: str) -> dict[str, Any]:
        self.find(trigger_id)
        del self.all[trigger_id]
        self.running.pop(trigger_id, None)
        forgotten: list[Record] = [("execution", key, None) for key in self._executions.pop(trigger_id)]
        self._journal.write(("trigger", trigger_id, None), *forgotten)
        return {}

    def executions(self, trigger_id: str) -> list[Execution]:
        """Return the executions of a trigger, newest first. Raises `Refused` (404)."""
        self.find(trigger_id)
        return list(reversed(self._executions[trigger_id].values()))

    def save(self, trigger: Trigger, execution: Execution | None = None) -> None:
        """Save a trigger, and an execution of it that is new or has changed."""
        records: list[Record] = [("trigger", trigger.id, trigger)]
        if execution:
            kept = self._executions[trigger.id]
            kept[execution.id] = execution
            records.append(("execution", execution.id, execution))
            if len(kept) > MAX_EXECUTIONS:
                oldest = next(iter(kept))
                del kept[oldest]
                records.append(("execution", oldest, None))
            if execution.status == "in_progress":
                self.running[trigger.id] = execution
            elif self.running.get(trigger.id) is execution:
                del self.running[trigger.id]
        self._journal.write(*records)


def _check_body(body: dict[str, Any]) -> None:
    try:
        zone = zoneinfo.ZoneInfo(body.get("time_zone") or "")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise Refused(400, f"time_zone is a name such as Europe/Berlin, not {body.get('time_zone')!r:.100}") from None
    schedule = body.get("schedule")
    try:
        next_time(schedule if isinstance(schedule, str) else "", zone, 0.0)
    except ValueError as error:
        raise Refused(400, f"schedule {schedule!r:.100} is not one of cron, such as '0 9 * * 1-5': {error}") from error
    for name in ("execution_timeout_seconds", "max_consecutive_failures"):
        value = body.get(name)
        if value is not None and (type(value) is not int or value < 1):
            raise Refused(400, f"{name} is a number from 1 on, not {value!r:.100}")
    for name in ("display_name", "environment_id"):
        if not isinstance(body.get(name, ""), str):
            raise Refused(400, f"{name} is a string, not {body[name]!r:.100}")


def _shown(fields: dict[str, Any], times: tuple[str, ...]) -> dict[str, Any]:
    shown = {name: value for name, value in fields.items() if value not in (None, "")}
    return shown | {name: timestamp(shown[name]) for name in times if name in shown}
