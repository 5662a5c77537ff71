"""Manages research runs by function calls, for an agent that declares `start_research` and `approve`.

It reads the runs from the table in the system instruction, and the order of each run from the agent's earlier calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.brain.rules.answer import Ids, function_call, say
from interactions_emulator.brain.rules.brief import new_topic
from interactions_emulator.brain.rules.intents import study_score
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn, value_of
from interactions_emulator.brain.rules.research_orders import MAX_TITLE_CHARS, Order, naming_report, order_of
from interactions_emulator.brain.rules.research_phrases import (
    JOB_ID,
    ResearchIntent,
    begins_with_yes,
    is_request,
    requested_change,
    research_intents,
)
from interactions_emulator.brain.rules.research_runs import (
    Job,
    has_files,
    jobs_in,
    last_steps_by_job,
    names_subject,
    orders_in,
    referenced_job_id,
)
from interactions_emulator.corpus.words import clip, terms

FUNCTIONS = frozenset(("start_research", "approve"))
"""Functions of an agent that manages research runs: a request that declares both is answered by `manage`."""

PRICE_ANSWER = (
    "A research run costs about $1 to $3, with Deep Research Max about $3 to $7, and takes 5 to 20 minutes."
    " Nothing is started before your yes."
)
NOTHING_STARTED = "All right, nothing was started. Say what to research when you want it."
ASK_TOPIC = "What do you want to research? Name the topic and what the report should cover."
NO_RUN_YET = (
    "There is no research run in this conversation yet. Say what to research, or “list” to see all your research runs."
)
NO_NEW_RUN = "All right, no new run was started."
NOTHING_RUNS = "Nothing is running here. Say “list” to see all your research runs."
NO_SUCH_RUN = "I do not know which run you mean: no run of this conversation fits. Say “list” to see all your runs."
NOTHING_WAITS = "Nothing waits for your yes at the moment."
ASK_WHICH = "Do you want to repeat the last run or to research another topic? Say “run it again”, or name the topic."
ASK_WHAT_TO_DELETE = "Nothing was changed. To delete a report, say “delete the report”; to end a run, say “cancel it”."
SENDS_NOTHING = (
    "I cannot send, print or publish anything. A report is shown here, with its files: say “show the report”."
)
SPENT = "I keep no sum of what you spent; “list” shows all your runs."
NOT_UNDERSTOOD_HERE = (
    "I did not understand that. Ask something about the report, say “status”, “list” or “start again”, or what to"
    " research."
)
NOT_UNDERSTOOD = "I did not understand that as a yes, a no or a change: say yes, no, or what to change."
WELCOME = "You are welcome!"
_SEVERAL = re.compile(r"\b(?:both|all|two|beide|alle|tous|toutes|todos|todas)\b", re.IGNORECASE)
_ABOUT_REPORT: frozenset[ResearchIntent] = frozenset(("about_report", "made_of_report", "part_of_report"))


class FunctionCall(NamedTuple):
    """A function to call."""

    name: str
    arguments: dict[str, Any]


def manage(turn: Turn, parsed: ParsedTurn, ids: Ids) -> Step:
    """The next step of the researcher: one function call, or a text."""
    if parsed.results:
        return say("\n\n".join(_describe_result(step) for step in parsed.results))
    decided = _Situation.from_turn(turn, parsed).decide()
    return function_call(ids, decided.name, decided.arguments) if isinstance(decided, FunctionCall) else say(decided)


@dataclass(frozen=True)
class _Situation:
    """A message, its intents, and the runs that it may be about."""

    message: str
    intents: frozenset[ResearchIntent]
    named_id: str
    """The run id in the message, "" if there is none."""
    jobs: tuple[Job, ...]
    last_steps: dict[str, int]
    """The index of the last step with a call or result about a run, by run id."""
    order: Order
    steps: tuple[Step, ...]

    @classmethod
    def from_turn(cls, turn: Turn, parsed: ParsedTurn) -> _Situation:
        jobs, found = jobs_in(turn.system_instruction), JOB_ID.search(parsed.message)
        order = order_of(parsed.message, parsed, [job.title for job in jobs])
        named_id, last_steps = found[0] if found else "", last_steps_by_job(turn.steps)
        return cls(parsed.message, research_intents(parsed.message), named_id, jobs, last_steps, order, turn.steps)

    def decide(self) -> FunctionCall | str:
        """The function to call, or the text of the answer."""
        if not self.message.strip():
            return ASK_TOPIC
        asked = sorted((job for job in self.jobs if job.waits_for), key=lambda job: -self.last_steps.get(job.id, -1))
        waiting = self._selected(asked)
        if waiting and self.named_id in ("", waiting.id) and (decided := self._reply(waiting)):
            return decided
        return self._command() or self._new_run() or self._other(waiting)

    def _reply(self, job: Job) -> FunctionCall | str | None:
        """Handle a yes, a no or a change for a run that waits for one; None if the message is about something else."""
        intents, about = self.intents, {"job_id": job.id}
        if self._changes_settings():
            return self._order_with_settings(job) or _waiting_text(job)
        if intents & {"no", "drop_it"} or (job.waits_for == "deletion" and "keep" in intents):
            return FunctionCall("cancel_research", about)
        if intents & {"later", "not_start"} and "cost" not in intents:
            return _waiting_text(job)
        if job.waits_for == "deletion" and "delete" in intents and begins_with_yes(self.message):
            return FunctionCall("approve", about)
        if intents & {"cancel", "delete", "again"}:
            return None
        if "yes" in intents:
            asks_back = "question" in intents and not is_request(self.message)
            # "Yes, start it" does not confirm a deletion.
            other = job.waits_for == "deletion" and "begin" in intents and not begins_with_yes(self.message)
            return _waiting_text(job) if asks_back or other else FunctionCall("approve", about)
        if intents & {"thanks", "start_over"}:
            return WELCOME if "thanks" in intents else _waiting_text(job)
        change = requested_change(self.message)
        only = "only_change" in research_intents(change)
        if job.waits_for == "deletion" or not change or (not only and self._is_new_order()):
            return None
        if job.waits_for == "plan":
            return FunctionCall("revise", {**about, "wishes": change})
        if topic := new_topic(change):
            about |= {"title": f"{topic[0][:1].upper()}{topic[0][1:]}"}
            return FunctionCall(
                "revise", {**about, "wishes": change, "brief": f"Write a report about {', '.join(filter(None, topic))}"}
            )
        old = str(orders_in(self.steps).get(job.id, {}).get("brief") or job.title).rstrip(" .")
        return FunctionCall("revise", {**about, "wishes": change, "brief": f"{old}. {change[:1].upper()}{change[1:]}"})

    def _command(self) -> FunctionCall | str | None:
        """Handle a command for a run; None if the message is not a command."""
        intents, newest = self.intents, self.jobs[0].id if self.jobs else ""
        going = self._selected([job for job in self.jobs if job.waits_for or job.is_running])
        job_id = self.named_id or (going.id if going else "") or newest
        if "list" in intents and not self.named_id:
            return FunctionCall("list_research", {})
        if "drop_it" in intents and not self.named_id:
            return ASK_WHAT_TO_DELETE
        if "delete" in intents:
            several = [job.id for job in self.jobs if job.has_report and referenced_job_id(self.message, [job])]
            if len(several) > 1 and _SEVERAL.search(self.message) and not self.named_id:
                return f"I delete one report at a time: say “delete {several[0]}” first, or “delete {several[1]}”."
            return self._call_for("delete_research", self._meant([job for job in self.jobs if job.has_report]))
        if intents & {"cost", "time"} and not ("time" in intents and going and going.is_running):
            spent = {"spend", "spent", "paid"} & set(self.message.casefold().strip(" ?!.").split())
            return f"{SPENT} {PRICE_ANSWER}" if spent else PRICE_ANSWER
        if "send" in intents:
            return SENDS_NOTHING
        if intents & {"not_start", "later"}:
            return self._declined(going)
        if "again" in intents:
            return self._call_for("repeat_research", self._meant([]))
        if "cancel" in intents:
            if not self.named_id and not going and self.jobs:
                return NOTHING_RUNS
            return self._call_for("cancel_research", self._meant([job for job in self.jobs if job == going]))
        if intents & {"status", "time"} or (self.named_id and not terms(JOB_ID.sub("", self.message))):
            return FunctionCall("show_research", {"job_id": job_id} if job_id else {})
        if "show" in intents and not self._is_new_order():
            about = self.named_id or referenced_job_id(self.message, self.jobs) or job_id
            return FunctionCall("show_research", {"job_id": about} if about else {})
        if "yes" in intents and self.named_id:
            return FunctionCall("approve", {"job_id": self.named_id})
        if "yes" in intents:
            job = self._selected(self.jobs)
            return FunctionCall("show_research", {"job_id": job.id}) if job and not job.has_report else NOTHING_WAITS
        if "start_over" in intents:
            return ASK_WHICH
        if "thanks" in intents:
            return WELCOME
        if "ends" in intents and not intents & _ABOUT_REPORT and not (going and going.is_running):
            return NO_SUCH_RUN
        return self._declined(going) if "no" in intents else None

    def _declined(self, going: Job | None) -> str:
        """The answer to "no" or "not now" if nothing waits for a yes."""
        if going and going.is_running:
            return f"{going.label} is running. To end it, say “cancel it”."
        return NO_NEW_RUN if self.jobs else NOTHING_STARTED

    def _meant(self, preferred: Sequence[Job]) -> str:
        """Id of the run that a command means; "" if it names a subject that no run has.

        A command that names none means the `preferred` run mentioned last, else the newest run.
        """
        if self.named_id or (about := referenced_job_id(self.message, preferred or self.jobs)):
            return self.named_id or about
        if names_subject(self.message):
            return referenced_job_id(self.message, self.jobs)
        last = max(preferred, key=lambda job: self.last_steps.get(job.id, -1), default=None)
        return last.id if last else self.jobs[0].id if self.jobs else ""

    def _changes_settings(self) -> bool:
        """Whether the message asks only for another depth, or for a plan."""
        brief = self.order.brief
        return bool(self.order.settings) and (not terms(brief) or bool(research_intents(brief) & {"yes", "no"}))

    def _order_with_settings(self, job: Job) -> FunctionCall | None:
        """Order the run again with the new settings; None if its order is unknown.

        The result is also None if the run waits for a yes to its plan or its deletion.
        """
        order = orders_in(self.steps).get(job.id)
        ordered = order and job.waits_for in ("", "price")
        return FunctionCall("start_research", {**order, **self.order.settings}) if order and ordered else None

    def _new_run(self) -> FunctionCall | str | None:
        """Order a new run; None if the message does not ask for one."""
        newest = self._selected(self.jobs)
        if newest and newest.state == "cancelled" and self._changes_settings():
            return self._order_with_settings(newest)
        base = self.named_id or self._report_id()
        further = "further" in self.intents and base
        if not (further or self._is_new_order() or not (self.jobs or self.named_id)):
            return None
        brief = self.order.brief
        if not brief and not further:
            return ASK_TOPIC
        arguments: dict[str, Any] = {"title": self.order.title, "brief": brief}
        if further:
            brief = naming_report(brief, next((job.title for job in self.jobs if job.id == base), base))
            arguments = {"title": clip(brief, MAX_TITLE_CHARS), "brief": brief, "builds_on": base}
        arguments |= self.order.settings
        if has_files(self.steps):
            arguments["with_files"] = True
        return FunctionCall("start_research", arguments)

    def _other(self, waiting: Job | None) -> FunctionCall | str:
        """Handle any other message: about a report, about a run, or about the run that waits for a yes."""
        newest = self._selected(self.jobs)
        report = self.named_id or self._report_id()
        asks, about_report = "question" in self.intents, self.intents & _ABOUT_REPORT
        if newest is None or (newest.is_running and not self.named_id):
            shares = referenced_job_id(self.message, [job for job in self.jobs if job.has_report])
            if report and (shares or (asks and about_report)):
                return self._ask_report(report)
            if newest is None:
                return self._ask_report(report) if report else NO_RUN_YET
            return self._running(newest)
        if waiting and not (report and (asks or about_report)):
            return _quote_answer(waiting) if asks else f"{NOT_UNDERSTOOD} {_waiting_text(waiting)}"
        if not report:
            return FunctionCall("show_research", {"job_id": newest.id})
        asks_for_more = about_report or self.intents & {"question", "change", "only_change"}
        return self._ask_report(report) if asks_for_more or self.named_id else NOT_UNDERSTOOD_HERE

    def _running(self, job: Job) -> FunctionCall | str:
        if "made_of_report" in self.intents:
            return f"{job.label} is still running. Ask again when the report is complete."
        if "question" in self.intents and "change" not in self.intents:
            return FunctionCall("show_research", {"job_id": job.id})
        return (
            f"{job.label} is running and cannot be changed any more. Say “cancel it” and then what to research instead,"
            " or wait for the report and ask about it."
        )

    def _is_new_order(self) -> bool:
        """Whether the message asks for another report."""
        if not self.order.brief or (self.named_id and self.named_id in {job.id for job in self.jobs}):
            return False
        if "order" in self.intents:
            return True
        about = "about_report" in self.intents and bool(self.jobs)
        return study_score(self.message) >= 2 and not about

    def _selected(self, jobs: Sequence[Job]) -> Job | None:
        """The run among `jobs` that the message names by id, else by position or words of its title, else the first."""
        if self.named_id:
            return next((job for job in jobs if job.id == self.named_id), None)
        about = referenced_job_id(self.message, jobs)
        return next((job for job in jobs if job.id == about), jobs[0] if jobs else None)

    def _report_id(self) -> str:
        """Id of the finished run that the message is about, else of the one mentioned last; "" if there is none."""
        done = [job for job in self.jobs if job.has_report]
        last = max(done, key=lambda job: self.last_steps.get(job.id, -1), default=None)
        return referenced_job_id(self.message, done) or (last.id if last else "")

    def _call_for(self, name: str, job_id: str) -> FunctionCall | str:
        return FunctionCall(name, {"job_id": job_id}) if job_id else NO_SUCH_RUN if self.jobs else NO_RUN_YET

    def _ask_report(self, job_id: str) -> FunctionCall:
        question = " ".join(JOB_ID.sub("the report", self.message).split())
        return FunctionCall("ask_report", {"job_id": job_id, "question": question})


def _waiting_text(job: Job) -> str:
    """What waits. The agent that shows this text adds its question about it."""
    return f"{job.label} is not {'deleted' if job.waits_for == 'deletion' else 'started'} yet."


def _quote_answer(job: Job) -> str:
    if job.waits_for == "deletion":
        return _waiting_text(job)
    return f"{_waiting_text(job)} You get a report with sources on the brief above. {PRICE_ANSWER}"


def _describe_result(result: Step) -> str:
    value = value_of(result.get("result"))
    if not isinstance(value, dict):
        return str(value)
    if value.get("error"):
        return str(value["error"])
    return " ".join(str(value[key]) for key in ("job", "state", "title", "next") if value.get(key))
