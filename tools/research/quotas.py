"""The limits of one user and their checks: jobs at once, creates and estimated USD in 24 hours, and plans per job."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from tools.errors import DeskError
from tools.research.job import Job, Kind
from tools.research.spending import Spending, Used, spending_of

LIMIT_PERIOD_S = 86_400.0
"""The daily limits count the create requests and the USD of this many seconds: the last 24 hours."""
STILL_RUNS_S = 3600.0
"""After a refused cancel or an unknown start, a run counts as running for an hour, because no run takes longer."""
Check = Callable[[Used], None]
"""Raises `LimitReached` if a limit is reached. The ledger calls the check in the transaction that starts something."""


class Quotas(BaseModel):
    """Limits for one user."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    at_once: int = Field(default=3, gt=0)
    per_day: int = Field(default=20, gt=0)
    usd_per_day: float = Field(default=60.0, gt=0)
    """Maximum USD in 24 hours; each run counts with the upper end of its estimate."""
    plans_per_job: int = Field(default=5, gt=0)
    """Maximum number of plans and revised plans of a job."""


class LimitReached(DeskError):
    """The user may not start this now. The message says which limit, and what to do."""


def budget_check(limits: Quotas, entry: Spending) -> Check:
    """Returns a check of `usd_per_day` only."""

    def check(used: Used) -> None:
        if used.usd + entry.estimate > limits.usd_per_day:
            raise LimitReached(
                f"up to ${used.usd:.2f} were spent in the last 24 hours and this may cost ${entry.estimate:.2f}"
                f" (limit ${limits.usd_per_day:.2f})"
            )

    return check


def quota_check(limits: Quotas, job: Job) -> Check:
    """Returns a check of all limits for a job's next create request."""
    affordable = budget_check(limits, spending_of(job, job.created))
    plans = job.kind is not Kind.RUN

    def check(used: Used) -> None:
        if used.running >= limits.at_once:
            raise LimitReached(
                f"{used.running} research runs are under way already (limit {limits.at_once}): wait or cancel one"
            )
        if used.creates >= limits.per_day:
            raise LimitReached(
                f"{used.creates} research runs and plans were started in the last 24 hours (limit {limits.per_day})"
            )
        affordable(used)
        if plans and used.plans >= limits.plans_per_job:
            raise LimitReached(
                f"{job.id} has had {used.plans} plans (limit {limits.plans_per_job}): approve its plan, or cancel it"
            )

    return check
