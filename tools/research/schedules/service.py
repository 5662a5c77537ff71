"""The schedules of a research service: creates and starts them, and describes what has changed between runs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from tools.errors import DeskError
from tools.research import telemetry
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.job import Job
from tools.research.ledger import Ledger
from tools.research.open_questions import NotConfirmed, Yes
from tools.research.order import Order
from tools.research.quotas import Quotas
from tools.research.schedules.new_schedule import new_schedule
from tools.research.schedules.report_changes import is_empty, with_description
from tools.research.schedules.schedule import Schedule, ScheduleChanged, Status, UnknownSchedule
from tools.research.schedules.timing import Timing
from tools.research.spending import spending_of_question

log = logging.getLogger(__name__)


class Schedules:
    """The schedules of a ledger, for the runs of one server."""

    def __init__(
        self,
        ledger: Ledger,
        client: InteractionsClient,
        clock: Callable[[], float],
        server: Callable[[], str],
        may_start: Callable[[], bool],
        follow: Callable[[str], Awaitable[object]],
    ) -> None:
        """Args:
        may_start: returns whether runs may be started at all.
        follow: works on the job with an id in the background.
        """
        self._ledger, self._client, self._clock = ledger, client, clock
        self._server, self._may_start, self._follow = server, may_start, follow
        self._held: dict[str, str] = {}

    async def add(
        self, order: Order, timing: Timing, max_usd: float, limits: Quotas, *, propose: bool = False
    ) -> tuple[Schedule, bool]:
        """Makes a schedule, or returns the user's existing one of the same order and times.

        Args:
            max_usd: what its runs may cost in a calendar month.
            propose: whether it needs a person's yes before it starts anything. It replaces an earlier proposal of the
                same order and times that has another ceiling.

        Returns:
            The schedule, and whether it is new.

        Raises:
            BadSchedule, BadTiming: it would never start a run, or the user has too many schedules.
        """
        order = replace(order, server=self._server())
        status = Status.PROPOSED if propose else Status.ACTIVE
        wanted = new_schedule(order, timing, max_usd, self._clock(), limits, status)
        made, new = await self._ledger.schedules.add(wanted)
        if propose and made.status is Status.PROPOSED and made.version != wanted.version:
            await self._ledger.schedules.delete(made)  # a schedule that was started meanwhile is kept
            made, new = await self._ledger.schedules.add(wanted)
        return made, new

    async def of_user(self, user: str) -> list[Schedule]:
        """Returns a user's schedules at this server, oldest first."""
        server = self._server()
        return [each for each in await self._ledger.schedules.of_user(user) if each.order.server == server]

    async def own(self, user: str, schedule_id: str) -> Schedule:
        """Returns a user's schedule.

        Raises:
            UnknownSchedule: the user has no such schedule. The message does not show whether another user has it.
        """
        found = await self._ledger.schedules.get(schedule_id)
        if found is None or found.order.user != user:
            raise UnknownSchedule(f"there is no schedule {schedule_id[:40]}: `desk schedules` lists them")
        return found

    async def runs(self, schedule: Schedule) -> list[Job]:
        """Returns the runs of a schedule, newest first."""
        return await self._ledger.find(schedule=schedule.id, limit=1000)

    async def spent(self, schedule: Schedule) -> float:
        """Returns what the runs of a schedule cost at most in this calendar month, in USD."""
        return await self._ledger.schedules.spent(schedule, self._clock())

    async def activate(self, schedule: Schedule, yes: Yes | None = None) -> Schedule:
        """Starts a proposed or paused schedule. Times that passed before are not caught up.

        Args:
            yes: the person's yes; it is used up only if the schedule starts.

        Raises:
            NotConfirmed: the yes is no longer valid, or the schedule has changed since.
        """
        if schedule.status is Status.ACTIVE:
            return schedule
        if yes and yes.question.version != schedule.version:
            raise NotConfirmed(f"{schedule.id} has changed since it was shown: it needs a new yes")
        due = schedule.timing.after(self._clock())
        return await self._ledger.schedules.activate(schedule, due, yes) or await self.own(
            schedule.order.user, schedule.id
        )

    async def pause(self, schedule: Schedule) -> Schedule:
        """Stops a schedule until it is activated again. A run that was started goes on."""
        if schedule.status is not Status.ACTIVE:
            return schedule
        return await self._ledger.schedules.pause(schedule) or await self.own(schedule.order.user, schedule.id)

    async def delete(self, schedule: Schedule) -> None:
        """Deletes a schedule. Its runs stay, and a run that was started goes on.

        Raises:
            ScheduleChanged: it was started, paused or resumed meanwhile, and is kept.
        """
        if not await self._ledger.schedules.delete(schedule):
            found = await self._ledger.schedules.get(schedule.id)
            if found:  # else another request has deleted it
                raise ScheduleChanged(
                    f"{schedule.id} has changed at this moment: it is {found.status} now, and it was kept. Look at it,"
                    " and delete it again if you still want to"
                )

    async def start_due(self, limits: Quotas) -> list[str]:
        """Starts a run of each schedule that is due, and follows it in the background.

        Any number of processes may do so at the same time; each due time gets at most one run. If several times were
        missed, one run catches up with all of them. A run that the user's limits do not allow now is tried again by the
        next call; one that the ceiling of its month does not allow is left out.

        Returns:
            The ids of the jobs.
        """
        if not self._may_start():
            return []
        started = list[str]()
        for schedule in await self._ledger.schedules.due(self._server(), self._clock()):
            try:
                if job_id := await self._order(schedule, limits):
                    await self._follow(job_id)
                    started.append(job_id)
            except (DeskError, *DATABASE_ERRORS) as error:  # the others are started all the same
                log.warning("%s could not start its run: %s", schedule.id, error)
        return started

    async def _order(self, schedule: Schedule, limits: Quotas) -> str:
        """Orders the run that is due; returns the id of its job, or an empty text."""
        now = self._clock()
        with telemetry.order_span() as trace:
            job = replace(schedule.job(now), trace=trace)
            due = await self._ledger.schedules.order_due(schedule, job, schedule.timing.after(now), limits)
            if due and due.job:
                telemetry.annotate(job, due.job == job.id)
        if due is None:
            return ""
        if due.full:
            log.info("%s has reached its ceiling for this month: a run that was due is left out", schedule.id)
        if due.held and self._held.get(schedule.id) != due.held:
            log.info("%s waits: %s", schedule.id, due.held)
        self._held[schedule.id] = due.held
        return due.job

    async def describe_changes(self, job: Job, model: str, limits: Quotas) -> None:
        """Has a model describe what has changed since the last run, if the ceiling allows it; saves the description.

        The notices about the run wait for it. If the model cannot be asked, the computed text stays.

        Args: model: name of the model; if it is empty, no model is asked.
        """
        if job.changes is None:
            return
        changes = job.changes
        try:
            schedule, now = await self._ledger.schedules.get(job.order.schedule), self._clock()
            entry = replace(spending_of_question(job, model, now), schedule=job.order.schedule)
            if (
                model
                and schedule
                and not is_empty(changes)
                and await self._ledger.schedules.pay_for_description(schedule, job, entry, limits)
            ):
                changes = await with_description(self._client, model, changes)
        except DeskError as error:
            log.warning("%s: the changes are listed, but no model has described them: %s", job.id, error)
        if not await self._ledger.schedules.save_description(job, changes, self._clock()):
            for interaction_id in changes.interactions:  # the run was deleted, so these ids are stored nowhere else
                with suppress(ApiError):
                    await self._client.delete(interaction_id)
