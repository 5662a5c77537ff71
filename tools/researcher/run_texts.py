"""Formats messages about a job for a person: the question before a start, the outcome, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from tools.research.job import Job
from tools.research.job_states import ACTIVE, State
from tools.research.job_texts import title
from tools.research.pricing import RUN_MINUTES, cost_of, price_range
from tools.research.report.markdown_rendering import inert
from tools.research.schedules.report_changes import counts


@dataclass(frozen=True)
class NextSteps:
    """The ways in which a person continues with a job; `{0}` is the job's id."""

    watch: str
    cancel: str
    repeat: str


CHAT_STEPS = NextSteps("say “status {0}”", "say “cancel {0}”", "say “start again {0}”")
CLI_STEPS = NextSteps("`desk attach {0}`", "`desk cancel {0}`", "the same `desk research` command with --again")
ONE_OF_SEVERAL = "Several questions wait, so nothing was done yet. This one comes first: a yes is now to it alone."
ANSWERS = "Say **yes** to start it, **no** to drop it, or what to change."


def quote(job: Job, base: Job | None = None) -> str:
    """Formats the question before a job starts: its brief, price and duration.

    Args:
        base: the job that `job` builds on, if any.
    """
    facts = [f"Agent: `{job.order.agent}`", f"Price: {price_range(job.order.agent)}", f"Time: usually {_minutes()}"]
    if base:
        facts.append(f"Builds on: `{base.id}` (“{inert(title(base))}”)")
    if job.order.inputs:
        kinds = ", ".join(str(content.get("mime_type", "file")) for content in job.order.inputs)
        facts.append(f"Files that go along: {len(job.order.inputs)} ({kinds})")
    if job.request.plans:
        facts.append(
            f"First comes a plan, which you can change. Each plan is counted as {_plan_price(job)}, since Google"
            " publishes no price for it. The run itself needs another yes."
        )
    listed = "\n".join(f"- {fact}" for fact in facts)
    brief = "\n".join(f"> {line}" for line in inert(job.order.brief).splitlines())
    return f"Research `{job.id}`: **{inert(title(job))}**\n\n{brief}\n\n{listed}\n\nNothing was started. {ANSWERS}"


def plan(job: Job) -> str:
    """Formats a job's plan and the question whether to approve it."""
    text = inert(job.plan.text) if job.plan else ""
    return (
        f"{text}\n\n---\nThis is the plan of research `{job.id}`. The run itself was not started; it costs"
        f" {price_range(job.order.agent)}. {ANSWERS} A changed plan is counted as {_plan_price(job)} more."
    )


def deletion(job: Job) -> str:
    """Formats the question before a job is deleted."""
    with_what = " with its report" if job.state in (State.COMPLETED, State.INCOMPLETE) else ""
    ends = " It is running: this ends it, and what it has cost so far is not refunded." if job.state in ACTIVE else ""
    return (
        f"Delete research `{job.id}` (“{inert(title(job))}”, {job.state.words}){with_what}, here and at the server?"
        f"{ends} It cannot be undone. Say **yes** to delete it, or **no**."
    )


def kept(job: Job) -> str:
    """Formats the answer after a person has said no to a deletion."""
    goes_on = f" It goes on; to end it, {CHAT_STEPS.cancel.format(job.id)}." if job.state in ACTIVE else ""
    return f"Research `{job.id}` (“{inert(title(job))}”) is kept.{goes_on}"


def cancelled(job: Job) -> str:
    """Formats the answer after a person has said no to a start, or has cancelled a run."""
    text = f"Research `{job.id}` (“{inert(title(job))}”) is {job.state.words}"
    if job.state is State.COMPLETED:
        return f"{text}: there is nothing to cancel. To delete it with its report: say “delete {job.id}”."
    spent = " What it has cost so far is not refunded." if job.state is State.CANCELLED and job.interaction_id else ""
    plan = f" Its plan is kept: to see it again, {CHAT_STEPS.repeat.format(job.id)}." if job.kept_plan else ""
    return f"{text}.{spent}{plan} {job.error}".rstrip()


def reminder(job: Job, deleting: bool) -> str:
    """Formats the line that repeats an unanswered question about a job."""
    what = "whether to delete it" if deleting else f"{'its plan, ' if job.plan else ''}{price_range(job.order.agent)}"
    done = "delete" if deleting else "start"
    return (
        f"⏳ Research `{job.id}` (“{inert(title(job))}”) waits for your yes: {what}."
        f" Say **yes** to {done} it, or **no**."
    )


def several_wait(subject: str) -> str:
    """Formats the line under several questions: a yes that names no run answers none of them."""
    return f"Several questions wait: say which one you mean, such as **yes {subject}**."


def unseen_notice(job: Job) -> str:
    """Formats the line about a job whose question was not shown yet."""
    what = "The plan of research" if job.plan else "Research"
    return f"⏳ {what} `{job.id}` (“{inert(title(job))}”) waits to be looked at: say **show {job.id}**."


def _plan_price(job: Job) -> str:
    """The price of a plan, as `spending_of` counts it."""
    return f"${cost_of(job.order.agent)[0]:g}"


def _minutes() -> str:
    return f"{RUN_MINUTES[0]} to {RUN_MINUTES[1]} minutes"


def continues(job: Job) -> str:
    """Says that a run goes on, before its progress is shown."""
    return f"Research `{job.id}` goes on: “{title(job)}”"


def started(job: Job) -> str:
    """Formats the first message of a started job. It has the id, so that the user can ask for the job later."""
    if job.request.plans:
        return f"🔎 A plan for research `{job.id}` is being made; it is shown before anything else is started."
    from_there = f", building on `{job.order.base}`" if job.order.base else ""
    return (
        f"🔎 Research `{job.id}` begins{from_there}; it usually takes {_minutes()}."
        " You need not wait for it: ask for its status at any time."
    )


def outcome(job: Job, steps: NextSteps = CHAT_STEPS) -> str:
    """Formats the state of a job without a report, and what the person can do."""
    id_ = job.id
    watch, cancel, repeat = (step.format(id_) for step in (steps.watch, steps.cancel, steps.repeat))
    match job.state:
        case State.AWAITING_APPROVAL:
            return plan(job) if job.plan else quote(job)
        case State.RUNNING | State.STARTING | State.INTENDED:
            return f"Research `{id_}` is still running. To see it continue: {watch}."
        case State.START_UNKNOWN:
            return (
                f"⚠️ Whether research `{id_}` was started is not known: {job.error}. It may be running, and billed, but"
                " its id has not arrived, and the API has no list of runs. Nothing was sent again."
                f" To start it again: {repeat}; it may then be paid for twice."
            )
        case State.STALLED:
            return (
                f"⚠️ Research `{id_}` has stalled: {job.error}; {job.events} events were seen."
                f" To keep waiting: {watch}. Otherwise {cancel}, or {repeat} (which costs again)."
            )
        case State.EXPIRED:
            found = "was not found" if job.may_run else "is expired"
            return (
                f"⚠️ Research `{id_}` {found}: {job.error}. To look again: {watch}."
                f" To start it again (which costs again): {repeat}."
            )
        case _:
            again = " (which costs again)" if _may_have_cost(job) else ""
            cost = " (its plan is shown before anything is paid for)" if job.kept_plan else again
            hint = f" To try once more{cost}: {repeat}."
            reason = (job.error or ("" if job.state is State.CANCELLED else "no reason was given")).rstrip(".")
            return f"Research `{id_}` is {job.state.words}{reason and f': {reason}'}.{hint}"


def _may_have_cost(job: Job) -> bool:
    """Whether a run was or may have been started. A cancelled job has an error if its start is in doubt."""
    return bool(job.interaction_id or (job.state is State.CANCELLED and (job.plan or job.error)))


def changes_section(job: Job) -> str:
    """Formats the changes since the schedule's previous run; empty if the job was not compared."""
    if job.changes is None:
        return ""
    return f"**What has changed**\n\n{counts(job.changes)}\n\n{inert(job.changes.words or job.changes.text)}\n\n---"


def closing(job: Job, saved: list[str]) -> str:
    """Formats the last line under a report."""
    took = f" in {job.seconds / 60:.0f} min" if job.seconds and job.seconds >= 60 else ""
    files = f" Saved as artifacts: {', '.join(f'`{name}`' for name in saved)}." if saved else ""
    kept = "" if job.state is State.COMPLETED else f" The server ended it early ({job.error}): it may be incomplete."
    return f"---\nResearch `{job.id}`, finished{took}.{kept}{files} To pay for a new run: “start again {job.id}”."


def listing(jobs: list[Job]) -> str:
    """Formats a list of jobs, one line each."""
    lines = [f"- `{job.id}` {job.state.words}: {title(job)}" for job in jobs]
    return "\n".join(lines) if lines else "There is no research run."
