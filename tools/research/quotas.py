"""The limits of one user and their checks: active and waiting runs, USD, and plans and questions per job."""

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
    questions_per_job: int = Field(default=100, gt=0)
    """Maximum number of questions to a model about a job's report."""
    waiting: int = Field(default=100, gt=0)
    """Maximum number of orders and plans that wait for a yes, and of orders that are dropped in 24 hours."""


class LimitReached(DeskError):
    """The user may not start this now. The message says which limit, and what to do."""


def question_check(limits: Quotas, entry: Spending) -> Check:
    """Returns a check of `usd_per_day` and `questions_per_job` for a question to a model."""

    def check(used: Used) -> None:
        if used.questions >= limits.questions_per_job:
            raise LimitReached(
                f"{used.questions} questions were asked about {entry.job} already (limit {limits.questions_per_job}):"
                " ask about another report, or research what is still open"
            )
        _check_budget(limits, entry, used)

    return check


def order_check(limits: Quotas, job: Job) -> Check:
    """Returns a check of all limits for a new job."""
    can_start = quota_check(limits, job)

    def check(used: Used) -> None:
        if used.waiting >= limits.waiting:
            raise LimitReached(
                f"{used.waiting} orders wait for a yes already (limit {limits.waiting}): approve or cancel some first"
            )
        if used.dropped >= limits.waiting:
            raise LimitReached(
                f"{used.dropped} orders ended without a start in the last 24 hours (limit {limits.waiting}): delete"
                " some first"
            )
        can_start(used)

    return check


def _check_budget(limits: Quotas, entry: Spending, used: Used) -> None:
    if entry.estimate > limits.usd_per_day:
        raise LimitReached(
            f"this may cost ${entry.estimate:.2f}, more than a day may (limit ${limits.usd_per_day:.2f}): it can start"
            " only if `usd_per_day` in the researcher's YAML is raised"
        )
    if used.usd + entry.estimate > limits.usd_per_day:
        raise LimitReached(
            f"up to ${used.usd:.2f} were spent in the last 24 hours and this may cost ${entry.estimate:.2f}"
            f" (limit ${limits.usd_per_day:.2f}): try again tomorrow"
        )


def quota_check(limits: Quotas, job: Job) -> Check:
    """Returns a check of all limits for a job's next create request."""
    entry = spending_of(job, job.created)
    plans = job.kind is not Kind.RUN

    def check(used: Used) -> None:
        if used.running >= limits.at_once:
            raise LimitReached(
                f"{used.running} research runs are under way already (limit {limits.at_once}): wait or cancel one"
            )
        if used.creates >= limits.per_day:
            raise LimitReached(
                f"{used.creates} research runs and plans were started in the last 24 hours (limit {limits.per_day}):"
                " try again tomorrow"
            )
        _check_budget(limits, entry, used)
        if plans and used.plans >= limits.plans_per_job:
            raise LimitReached(
                f"{job.id} has had {used.plans} plans (limit {limits.plans_per_job}): approve its plan, or cancel it"
            )

    return check
