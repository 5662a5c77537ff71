"""Manages research runs by function calls, for an agent that declares `start_research` and `approve`.

It reads the runs from the table in the system instruction, and the order of each run from the agent's earlier calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.brain.rules.answer import Ids, function_call, say
from interactions_emulator.brain.rules.intents import study_score
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn, value_of
from interactions_emulator.brain.rules.research_orders import LONGEST_TITLE, Order, naming_report, order_of
from interactions_emulator.brain.rules.research_phrases import (
    JOB_ID,
    Wish,
    begins_with_yes,
    is_request,
    wishes_of,
    without_agreement,
)
from interactions_emulator.brain.rules.research_runs import Job, handled_in, has_files, jobs_in, meant_of, orders_in
from interactions_emulator.corpus.words import clip, terms

FUNCTIONS = frozenset(("start_research", "approve"))
"""Functions of an agent that manages research runs: a request that declares both is answered by `manage`."""

PRICE = (
    "A research run costs about $1 to $3, with Deep Research Max about $3 to $7, and takes 5 to 20 minutes."
    " Nothing is started before your yes."
)
NOTHING_STARTED = "All right, nothing was started. Say what to research when you want it."
WHAT = "What do you want to research? Name the topic and what the report should cover."
NO_RUN = "There is no research run in this conversation yet. Say what to research."
NOTHING_WAITS = "Nothing waits for your yes at the moment."
WHICH = "Do you want to repeat the last run or to research another topic? Say “run it again”, or name the topic."
FORGET_WHAT = "Nothing was changed. To delete a report, say “delete the report”; to end a run, say “cancel it”."
WELCOME = "You are welcome!"
_ABOUT_REPORT: frozenset[Wish] = frozenset(("about_report", "made_of_report", "part_of_report"))


class Call(NamedTuple):
    """A function to call."""

    name: str
    arguments: dict[str, Any]


def manage(turn: Turn, heard: ParsedTurn, ids: Ids) -> Step:
    """The next step of the researcher: one function call, or a text."""
    if heard.results:
        return say("\n\n".join(_told(step) for step in heard.results))
    decided = _Situation.of(turn, heard).decide()
    return function_call(ids, decided.name, decided.arguments) if isinstance(decided, Call) else say(decided)


@dataclass(frozen=True)
class _Situation:
    """A message, its wishes, and the runs that it may be about."""

    message: str
    wishes: frozenset[Wish]
    named: str
    """The run id in the message, "" if there is none."""
    jobs: tuple[Job, ...]
    handled: dict[str, int]
    """The index of the last step with a call or result about a run, by run id."""
    order: Order
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, turn: Turn, heard: ParsedTurn) -> _Situation:
        jobs, found = jobs_in(turn.system_instruction), JOB_ID.search(heard.message)
        order = order_of(heard.message, heard, [job.title for job in jobs])
        named, handled = found[0] if found else "", handled_in(turn.steps)
        return cls(heard.message, wishes_of(heard.message), named, jobs, handled, order, turn.steps)

    def decide(self) -> Call | str:
        """The function to call, or the text of the answer."""
        if not self.message.strip():
            return WHAT
        asked = sorted((job for job in self.jobs if job.waits_for), key=lambda job: -self.handled.get(job.id, -1))
        waiting = self._one(asked)
        if waiting and self.named in ("", waiting.id) and (decided := self._reply(waiting)):
            return decided
        return self._command() or self._new_run() or self._about(waiting)

    def _reply(self, job: Job) -> Call | str | None:
        """Handle a yes, a no or a change for a run that waits for one; None if the message is about something else."""
        wishes, about = self.wishes, {"job_id": job.id}
        if wishes & {"no", "drop_it"} or (job.waits_for == "deletion" and "keep" in wishes):
            return Call("cancel_research", about)
        if wishes & {"later", "not_start"} and "cost" not in wishes:
            return _still(job)
        if "yes" in wishes:
            asks_back = "question" in wishes and not is_request(self.message)
            # "Yes, start it" does not confirm a deletion.
            other = job.waits_for == "deletion" and "begin" in wishes and not begins_with_yes(self.message)
            return _still(job) if asks_back or other else Call("approve", about)
        if wishes & {"thanks", "start_over"}:
            return WELCOME if "thanks" in wishes else _still(job)
        order = orders_in(self.steps).get(job.id)
        if self.order.settings and not terms(self.order.brief):
            return self._ordered_with(job) or _still(job)
        change = without_agreement(self.message)
        only = "only_change" in wishes_of(change)
        if job.waits_for == "deletion" or not (only or ("change" in wishes and not self._orders_anew())):
            return None
        if "question" in wishes and not only:
            return None
        if job.waits_for == "plan":
            return Call("revise", {**about, "wishes": change})
        old = str((order or {}).get("brief") or job.title).rstrip(" .")
        return Call("revise", {**about, "wishes": change, "brief": f"{old}. {change[:1].upper()}{change[1:]}"})

    def _command(self) -> Call | str | None:
        """Handle a command for a run; None if the message is not a command."""
        wishes, newest = self.wishes, self.jobs[0].id if self.jobs else ""
        going = self._one([job for job in self.jobs if job.waits_for or job.runs])
        job_id = self.named or (going.id if going else "") or newest
        if "list" in wishes and not self.named:
            return Call("list_research", {})
        if "drop_it" in wishes and not self.named:
            return FORGET_WHAT
        if "delete" in wishes:
            return self._call("delete_research", self.named or self._report_id() or newest)
        if wishes & {"cost", "time"} and not ("time" in wishes and going and going.runs):
            return PRICE
        if wishes & {"not_start", "later"}:
            return NOTHING_STARTED
        if "again" in wishes:
            return self._call("repeat_research", self.named or self._report_id() or newest)
        if "cancel" in wishes:
            return self._call("cancel_research", job_id)
        if wishes & {"status", "time"} or (self.named and not terms(JOB_ID.sub("", self.message))):
            return Call("show_research", {"job_id": job_id} if job_id else {})
        if "show" in wishes and not self._orders_anew():
            about = self.named or meant_of(self.message, self.jobs) or job_id
            return Call("show_research", {"job_id": about} if about else {})
        if "yes" in wishes and self.named:
            return Call("approve", {"job_id": self.named})
        if "yes" in wishes:
            said = self._one(self.jobs)
            return Call("show_research", {"job_id": said.id}) if said and not said.has_report else NOTHING_WAITS
        if "start_over" in wishes:
            return WHICH
        if "thanks" in wishes:
            return WELCOME
        return NOTHING_STARTED if "no" in wishes else None

    def _ordered_with(self, job: Job) -> Call | None:
        """Order the run again with the new settings; None if its order is unknown.

        The result is also None if the run waits for a yes to its plan or its deletion.
        """
        order = orders_in(self.steps).get(job.id)
        ordered = order and job.waits_for in ("", "price")
        return Call("start_research", {**order, **self.order.settings}) if order and ordered else None

    def _new_run(self) -> Call | str | None:
        """Order a new run; None if the message does not ask for one."""
        newest = self._one(self.jobs)
        if newest and newest.state == "cancelled" and self.order.settings and not terms(self.order.brief):
            return self._ordered_with(newest)
        base = self.named or self._report_id()
        further = "further" in self.wishes and base
        if not (further or self._orders_anew() or not (self.jobs or self.named)):
            return None
        brief = self.order.brief
        if not brief and not further:
            return WHAT
        arguments: dict[str, Any] = {"title": self.order.title, "brief": brief}
        if further:
            brief = naming_report(brief, next((job.title for job in self.jobs if job.id == base), base))
            arguments = {"title": clip(brief, LONGEST_TITLE), "brief": brief, "builds_on": base}
        arguments |= self.order.settings
        if has_files(self.steps):
            arguments["with_files"] = True
        return Call("start_research", arguments)

    def _about(self, waiting: Job | None) -> Call | str:
        """Handle any other message: about a report, about a run, or about the run that waits for a yes."""
        newest = self._one(self.jobs)
        report = self.named or self._report_id()
        asks, about_report = "question" in self.wishes, self.wishes & _ABOUT_REPORT
        if newest is None or (newest.runs and not self.named):
            shares = meant_of(self.message, [job for job in self.jobs if job.has_report])
            if report and (shares or (asks and about_report)):
                return self._ask(report)
            if newest is None:
                return self._ask(report) if report else NO_RUN
            return self._running(newest)
        if waiting and not (report and (asks or about_report)):
            return _still(waiting)
        return self._ask(report) if report else Call("show_research", {"job_id": newest.id})

    def _running(self, job: Job) -> Call | str:
        if "made_of_report" in self.wishes:
            return f"{job.named} is still running. Ask again when the report is complete."
        if "question" in self.wishes and "change" not in self.wishes:
            return Call("show_research", {"job_id": job.id})
        return (
            f"{job.named} is running and cannot be changed any more. Say “cancel it” and then what to research instead,"
            " or wait for the report and ask about it."
        )

    def _orders_anew(self) -> bool:
        """Whether the message asks for another report."""
        if not self.order.brief or (self.named and self.named in {job.id for job in self.jobs}):
            return False
        if "order" in self.wishes:
            return True
        about = "about_report" in self.wishes and bool(self.jobs)
        return study_score(self.message) >= 2 and not about

    def _one(self, jobs: Sequence[Job]) -> Job | None:
        """The run among `jobs` that the message names by id, else by position or words of its title, else the first."""
        if self.named:
            return next((job for job in jobs if job.id == self.named), None)
        about = meant_of(self.message, jobs)
        return next((job for job in jobs if job.id == about), jobs[0] if jobs else None)

    def _report_id(self) -> str:
        """Id of the finished run that the message is about, else of the one mentioned last; "" if there is none."""
        done = [job for job in self.jobs if job.has_report]
        last = max(done, key=lambda job: self.handled.get(job.id, -1), default=None)
        return meant_of(self.message, done) or (last.id if last else "")

    def _call(self, name: str, job_id: str) -> Call | str:
        return Call(name, {"job_id": job_id}) if job_id else NO_RUN

    def _ask(self, job_id: str) -> Call:
        question = " ".join(JOB_ID.sub("the report", self.message).split())
        return Call("ask_report", {"job_id": job_id, "question": question})


def _still(job: Job) -> str:
    if job.waits_for == "deletion":
        return f"{job.named} is not deleted yet. Do you want it deleted, or kept?"
    return f"{job.named} is not started yet. Do you want it started, changed or dropped?"


def _told(result: Step) -> str:
    value = value_of(result.get("result"))
    if not isinstance(value, dict):
        return str(value)
    if value.get("error"):
        return str(value["error"])
    return " ".join(str(value[key]) for key in ("job", "state", "title", "next") if value.get(key))
