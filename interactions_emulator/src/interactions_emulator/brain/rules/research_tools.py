"""Manages research runs by function calls. It reads the runs in the system instruction and orders in earlier calls."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from interactions_emulator.brain.answer import Ids, function_call, say
from interactions_emulator.brain.conversation import Conversation, PastCall
from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.brain.rules.function_results import report_result
from interactions_emulator.brain.rules.message import JOB_ID, OF_SCHEDULE, OTHER_FORM, RHYTHM, STUDY, Act, read_message
from interactions_emulator.brain.rules.orders import AGREEMENT, changed, order_of, schedule_in, title_of, with_ceiling
from interactions_emulator.corpus.words import terms

START, APPROVE, REVISE, SHOW, LIST = "start_research", "approve", "revise", "show_research", "list_research"
ASK, CANCEL, REPEAT, DELETE = "ask_report", "cancel_research", "repeat_research", "delete_research"
SCHEDULE, PAUSE, RESUME = "schedule_research", "pause_schedule", "resume_schedule"
FUNCTIONS = frozenset((START, APPROVE))
"""A request that declares these functions is answered by `manage`."""
FINAL_STATES = ("completed", "failed", "cancelled", "incomplete", "expired")
PRICE = (
    "A research run costs about $1 to $3, with Deep Research Max about $3 to $7, and takes 5 to 20 minutes."
    " It cannot be given a lower limit. Nothing is started before your yes."
)
SPENT = "I do not know what was spent so far: `desk spending` and the board show it."
NO_QUESTION = "was asked nothing: that is no question about its content. To see it and its files, say"
ASK_TOPIC = "Name the topic, and what the report should cover: what do you want to research?"
ASK_CEILING = "What may its runs cost in a calendar month at most, in US dollars?"
ASK_RHYTHM = "I did not understand how often. Say it all again with “every day” or “every Monday at 9:00”, for example."
NO_RUN = "I know no research run of this conversation that fits. Say what to research, or “list” to see all your runs."
NOTHING_DONE = "All right, nothing was started or changed. Say what to research, or “list” to see all your runs."
NOT_UNDERSTOOD = "I did not understand that as a yes, a no or a change: say what is to be different."
TOO_LATE = "is still running and cannot be changed any more. Say “cancel it”, or ask about its report when it is there."
_ORDINAL = re.compile(r"\b(?:(first)|(second)|(last|latest|newest)) (?:one|report|research|run)\b")
_NO_SUBJECT = frozenset(terms("research report run study job list first second last latest newest one both same"))
_LINE = r"(?m)^- ((?:job|(sched))_\w+) \| (?:waits for a yes: (\w+)|([^|\n]+?)) \| (?(2)[^|\n]+ \| )(.*)$"
"""A row of the tables. One of a schedule has its times before the title."""
_OTHERS: tuple[Act, ...] = ("order", "cancel", "delete", "repeat", "status", "show")
Call = tuple[str, dict[str, Any]]
"""The name of a function to call, and its arguments."""


class Run(NamedTuple):
    """A research run or a schedule of runs: one line of the tables in the system instruction."""

    id: str
    is_schedule: str
    """"sched" if it is a schedule; else ""."""
    waits_for: str
    """The thing that waits for the user's yes: "price", "plan", "schedule" or "deletion"; "" if nothing waits."""
    state: str
    title: str

    @property
    def is_running(self) -> bool:
        return not (self.waits_for or self.is_schedule or self.state in FINAL_STATES)

    @property
    def label(self) -> str:
        return f"{'Schedule' if self.is_schedule else 'Research'} `{self.id}` (“{self.title}”)"

    @property
    def waiting(self) -> str:
        """Says that the run is not started or deleted yet. The agent that shows it adds its question."""
        return f"{self.label} is not {'deleted' if self.waits_for == 'deletion' else 'started'} yet."


def manage(turn: Turn, conversation: Conversation, ids: Ids) -> list[Step]:
    """The next steps: function calls, or a text."""
    if conversation.results:
        return [say("\n\n".join(map(report_result, conversation.results)))]
    runs = [Run(*row) for row in re.findall(_LINE, turn.system_instruction)]
    decided = _Situation(turn, conversation, runs).decide()
    return [say(decided)] if isinstance(decided, str) else [function_call(ids, *call) for call in decided]


class _Situation:
    """A message and the runs that it may be about, newest first."""

    def __init__(self, turn: Turn, conversation: Conversation, runs: Sequence[Run]) -> None:
        self.spent = "".join(re.findall(r"(?m)^Spent so far: .*", turn.system_instruction)[:1]) or SPENT
        self.conversation, self.functions = conversation, {tool.get("name") for tool in turn.tools}
        last = conversation.calls[-1] if conversation.calls else None
        self.asked = "".join(answer.text for answer in conversation.answers[:1] if answer.call is last)
        """The model's text since its last call, which may be a question."""
        self.shown = None if self.asked else _run_of(last) if last else ""
        """The run whose question came directly before the message; "" if it is unknown, None without a question."""
        text = conversation.message
        if ASK_CEILING in self.asked and not read_message(text).has("order"):
            orders = (one for one in conversation.user_texts if "every" in schedule_in(one)[0])
            text = with_ceiling(next(orders, ""), text) or text
        self.message = read_message(text)
        scheduled, self.is_first = re.search(OF_SCHEDULE, self.message.plain), not runs
        self.runs = [run for run in runs if (run.is_schedule if scheduled else not run.is_schedule or run.waits_for)]
        self.schedules = [run for run in runs if run.is_schedule and self.functions >= {PAUSE, RESUME}]
        self.reports = [run for run in runs if run.state == "completed" or run.waits_for == "deletion"]
        self.order = order_of(self.message, conversation, [run.title for run in runs])
        self.named = "".join(JOB_ID.findall(text)[:1])
        self.mentioned = {_run_of(call): place for place, call in enumerate(conversation.calls)}
        """The index of the last call about each run."""

    def decide(self) -> list[Call] | str:
        if not self.message.text.strip():
            return ASK_TOPIC
        run = self._meant([run for run in self.runs if run.waits_for and ASK_CEILING not in self.asked])
        decided = (self._reply(run) if run else None) or self._command() or self._new_run() or self._other(run)
        return [decided] if isinstance(decided, tuple) else decided

    def _reply(self, run: Run) -> Call | list[Call] | str | None:
        """Handles a yes, a no or a change for a run that waits for one; None if the message is about something else."""
        has, words, about = self.message.has, set(self.message.plain.split()), {"job_id": run.id}
        deletes, settings = run.waits_for == "deletion", self.order.settings
        if has("cost") or ("depth" in settings and has("ask")):
            return f"{run.waiting} {self._price()}"
        old = self._ordered(run)
        same = settings and run.waits_for == "price" and settings.items() <= old.items()
        message = self.order.rest if same else self.message
        confirms = message.has("yes") or (has("fine") and self.shown in ("", run.id))
        if deletes:
            confirms = has("agree") and not words & {"start", "begin", "run", "forget"}
        if has("denies") and (deletes or has("order", "show", "list", "delete", "cancel")):
            other = self._new_run() if has("order") else self._command()
            return [(CANCEL, about), *([other] if isinstance(other, tuple) and other != (CANCEL, about) else [])]
        if has("delete") and not deletes:
            return None if self.reports else (CANCEL, about)
        nods = has("nod") and not confirms and (not has("no") or (deletes and "forget" in words))
        if nods or (has("later") and not has("order", "no")):
            return run.waiting
        changes = run.is_schedule and (has("denies") or not has("no")) and not has(*_OTHERS)
        if changes and (proposed := self._rescheduled(run)):
            return proposed
        others = (has("order") and self.order.brief) or (settings.get("depth") == "max" and has("no"))
        if run.waits_for == "price" and settings and not (same or others):
            return [(CANCEL, about), (START, old | settings)]
        if has("no"):
            every = [one for one in self.runs if one.waits_for and "both" in words]
            return [(CANCEL, {"job_id": one.id}) for one in every or [run]]
        if confirms and not has("repeat"):
            return (APPROVE, about | ({"deletes": True} if deletes else {}))
        brief, title = changed(str(old["brief"]), str(old["title"]), change := self.order.change)
        if deletes or run.is_schedule or has("ask", *_OTHERS) or not has("change") or read_message(change).has("draw"):
            return None
        renamed = {"title": title} if title != old["title"] else {}
        return (REVISE, about | {"wishes": change} | ({} if run.waits_for == "plan" else {"brief": brief} | renamed))

    def _price(self) -> str:
        spent = self.spent * bool(re.search(r"\b(?:did|have i|so far|already)\b", self.message.plain))
        return f"{PRICE} {ASK_CEILING if ASK_CEILING in self.asked else spent}".rstrip()

    def _rescheduled(self, run: Run) -> list[Call] | None:
        """Proposes a schedule again, with the times, the ceiling or the brief that the message changes."""
        old = self._ordered(run)
        named, _ = schedule_in(self.message.text, str(old.get("every", "")))
        new = {key: value for key, value in named.items() if old.get(key) != value}
        if not named and self.message.has("change") and not self.message.has("ask"):
            new = {"brief": changed(str(old["brief"]), str(old["title"]), self.order.change)[0]}
        return [(CANCEL, {"job_id": run.id}), (SCHEDULE, old | new)] if new and "every" in old else None

    def _command(self) -> Call | list[Call] | str | None:
        """Handles a command for a run; None if the message is not a command."""
        has, going = self.message.has, self._meant([run for run in self.runs if run.waits_for or run.is_running])
        if has("list") and not self.named:
            return (LIST, {})
        if has("delete"):
            return self._call(DELETE, self.reports or self.runs)
        if (has("cost") or ("depth" in self.order.settings and has("ask") and not has("order"))) and not has("status"):
            return self._price()
        steered = [run for run in self.schedules if has("resume" if run.state == "paused" else "pause")]
        if steered and (run := self._meant(steered)):
            return (RESUME if has("resume") else PAUSE, {"schedule_id": run.id})
        if has("cancel"):
            is_all = re.search(r"\b(?:both|all|everything)\b", self.message.plain)
            ends = [run for run in self.runs if is_all and (run.waits_for or run.is_running or run.is_schedule)]
            return [(CANCEL, {"job_id": run.id}) for run in ends] or self._call(CANCEL, [going] if going else self.runs)
        if has("repeat") and not has("show"):
            return self._call(REPEAT, self.runs)
        if ASK_CEILING in self.asked and not has("order", "no", "later", "ask", "thanks", "status", "show"):
            return ASK_CEILING
        if has("later", "no") and not has("order", "ask"):
            return f"{going.label} is running. To end it, say “cancel it”." if going else NOTHING_DONE
        show = (SHOW, {"job_id": shown} if (shown := self._id([going] if going else self.runs)) else {})
        if has("status") or (self.named and not terms(JOB_ID.sub("", self.message.text))):
            return show
        if has("show") and not has("order"):
            return self._call(SHOW, self.runs) if self.runs else show
        if has("yes", "agree", "fine"):
            return (APPROVE, {"job_id": self.named}) if self.named else show if going else NOTHING_DONE
        return "You are welcome!" if has("thanks") and not has("order", "ask") else None

    def _new_run(self) -> Call | str | None:
        """Orders a new run; None if the message does not ask for one."""
        has, base, brief = self.message.has, self._id(self.reports), self.order.brief
        further, is_reply = has("further") and base, ASK_TOPIC in self.asked and not has("ask")
        starts = self.is_first and not has("later") and "?" not in self.message.text
        orders = has("order") or is_reply or (starts and AGREEMENT.sub("", self.message.text) == self.message.text)
        if not further and (self.named or not orders):
            return None
        is_odd = SCHEDULE in self.functions and RHYTHM.search(brief)
        if is_odd or not (brief or further):
            return ASK_RHYTHM if is_odd else ASK_TOPIC
        named, topic = schedule_in(brief)
        if (run := self._meant(self.runs)) and "every" in named and not set(terms(topic)) - _NO_SUBJECT:
            topic = str(self._ordered(run)["brief"])
        if SCHEDULE in self.functions and "every" in named:
            named |= {"use_max": True} if self.order.settings.get("depth") == "max" else {}
            named = {"title": title_of(topic), "brief": topic} | named
            return (SCHEDULE, named) if "max_usd_per_month" in named else ASK_CEILING
        arguments: dict[str, Any] = {"title": title_of(brief), "brief": brief}
        if further:
            title = next((run.title for run in self.runs if run.id == base), base)
            told = re.sub(rf"(?i)\b(?:that|this|the|my) {STUDY}\b", lambda _: f"the report “{title}”", brief, count=1)
            arguments |= {"brief": told if told != brief else f"{brief} (“{title}”)", "builds_on": base}
        arguments |= {"with_files": True} if self.conversation.has_new_documents or self.conversation.media else {}
        return (START, arguments | self.order.settings)

    def _other(self, waiting: Run | None) -> Call | str:
        """Handles any other message: a question about a report, or a wish that cannot be fulfilled now."""
        newest, report, has = self._meant(self.runs), self._id(self.reports), self.message.has
        wishes = not waiting and (has("change", "continue") or re.match(OTHER_FORM, self.message.plain))
        is_open = newest and newest.is_running and not _titled(self.message.plain, self.reports)
        if report and not is_open and not has("comment") and (wishes or has("ask", "report")):
            question = " ".join(JOB_ID.sub("the report", self.message.text).split())
            return (ASK, {"job_id": report, "question": question})
        if waiting:
            named = _titled(self.message.plain, [run for run in self.runs if run.waits_for])
            return (SHOW, {"job_id": named.id}) if named else f"{waiting.waiting} {NOT_UNDERSTOOD}"
        if report and not is_open:
            return f"Research `{report}` {NO_QUESTION} “show {report}”."
        if newest and newest.is_running:
            return f"{newest.label} {TOO_LATE}"
        return (SHOW, {"job_id": newest.id}) if newest else NO_RUN

    def _ordered(self, run: Run) -> dict[str, Any]:
        """The arguments that ordered a run or schedule, with its newest brief; only its title if they are not known."""
        ordered: dict[str, Any] = {"title": run.title, "brief": run.title}
        for call in (call for call in self.conversation.calls if _run_of(call) == run.id):
            keys = call.arguments if call.name in (START, SCHEDULE) else ("brief",)
            ordered |= {key: call.arguments[key] for key in keys if call.arguments.get(key)}
        return ordered

    def _meant(self, runs: Sequence[Run]) -> Run | None:
        """The run among `runs` that the message names, else the one mentioned last, else the newest."""
        if self.named:
            return next((run for run in runs if run.id == self.named), None)
        last = max(runs, key=lambda run: self.mentioned.get(run.id, -1), default=None)
        return _titled(self.message.plain, runs) or last

    def _id(self, runs: Sequence[Run]) -> str:
        """The id in the message, even if it is not known; else the id of the run that the message means; else ""."""
        return self.named or (found.id if (found := self._meant(runs)) else "")

    def _call(self, name: str, preferred: Sequence[Run]) -> Call | str:
        """A call about the run that a command means. A message about a subject that no run has means no run."""
        named_subject = re.search(r"\b(?:on|about) \w|\bthe \w+(?: \w+)* one\b", self.message.plain)
        titled = _titled(self.message.plain, preferred) or _titled(self.message.plain, self.runs)
        meant = self._id([titled] if titled else [] if named_subject else preferred)
        return (name, {"job_id": meant}) if meant else NO_RUN


def _run_of(call: PastCall) -> str:
    """Id of the run that a call was about."""
    result = call.result if isinstance(call.result, dict) else {}
    return str(result.get("job") or result.get("schedule") or call.arguments.get("job_id"))


def _titled(plain: str, runs: Sequence[Run]) -> Run | None:
    """The run that a message means by its position (“the first report”) or by words of its title."""
    if (ordinal := _ORDINAL.search(re.sub(r"\b(the (?:first|second|last))$", r"\1 one", plain))) and runs:
        return runs[0] if ordinal[3] else runs[max(-1 if ordinal[1] else -2, -len(runs))]
    words = set(terms(plain)) - _NO_SUBJECT
    best = max(runs, key=lambda run: (len(words & set(terms(run.title))), run.state != "cancelled"), default=None)
    return best if best and words & set(terms(best.title)) else None
