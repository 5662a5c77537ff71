"""The end of a run: saves its report, its plan, or the reason why there is neither."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from tools.interactions.resources import Resource
from tools.research.job import Job, Plan, ReportChanges
from tools.research.job_states import HAS_INTERACTION, STATE_OF_STATUS, TERMINAL, State
from tools.research.ledger import Ledger
from tools.research.report.reading import read_report
from tools.research.report.report import Report, to_json
from tools.research.schedules.report_changes import changes_between

log = logging.getLogger(__name__)


class RunEnd:
    """Saves the end of the jobs of a ledger."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger, self._clock = ledger, clock

    async def finish(self, job: Job, resource: Resource) -> None:
        """Saves the result of an ended interaction: a report, a plan, or why there is neither."""
        state = STATE_OF_STATUS[resource["status"]]
        if state is State.COMPLETED and job.request.plans:
            earlier = (*job.plan.earlier, job.plan.interaction_id) if job.plan else ()
            text = (await asyncio.to_thread(read_report, resource)).text
            plan, used = Plan(text, job.interaction_id or resource["id"], earlier=earlier), resource.get("usage", {})
            waiting = {"state": State.AWAITING_APPROVAL, "plan": plan, "usage": used, "may_run": 0}
            await self._ledger.change(job.id, HAS_INTERACTION, self._clock(), **waiting)
            return
        values: dict[str, Any] = {"usage": resource.get("usage", {})}
        if state in (State.COMPLETED, State.INCOMPLETE):
            report = await asyncio.to_thread(read_report, resource)
            values["report"] = await asyncio.to_thread(to_json, report)
        if state is State.COMPLETED and job.order.schedule:
            values["changes"] = await self._changes(job, report)
        ended = "" if state is State.COMPLETED else f"the server ended it: {resource['status']}"
        await self.end(job, state, _reasons(resource) or ended, **values)

    async def _changes(self, job: Job, report: Report) -> ReportChanges | None:
        """Compares a report with that of the schedule's previous run; None if there is no previous report."""
        try:
            if before := await self._ledger.schedules.earlier_report(job):
                return await asyncio.to_thread(changes_between, *before, report)
        except Exception:  # the report is saved in any case
            log.warning("%s was not compared with the previous run", job.id, exc_info=True)
        return None

    async def end(self, job: Job, state: State, error: str, *, refused: bool = False, **values: Any) -> None:
        """Moves a job to a terminal state, unless it is in one already."""
        now = self._clock()
        values = {"may_run": 0, **values, "state": state, "error": error, "finished": now}
        await self._ledger.change(job.id, set(State) - TERMINAL, now, refused=refused, **values)


def _reasons(resource: Resource) -> str:
    errors = [*resource.get("errors", ()), *([resource["error"]] if "error" in resource else [])]
    return "; ".join(error.get("message") or error.get("code", "") for error in errors)
