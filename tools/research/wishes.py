"""What a message to the researcher wants. Pure: a research costs money, so this is decided in one place and tested."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.research.job import TERMINAL, Job, State


@dataclass(frozen=True)
class New:
    """Start (or join) a research."""

    brief: str
    most: bool = False
    """Whether Deep Research Max was asked for."""


@dataclass(frozen=True)
class Further:
    """Start (or join) a research that builds on a finished one."""

    job: Job
    brief: str
    most: bool = False
    """Whether Deep Research Max was asked for."""


@dataclass(frozen=True)
class Attach:
    """Show how a job stands, or its report."""

    job: Job


@dataclass(frozen=True)
class Again:
    """Pay for an order once more, on purpose."""

    job: Job


@dataclass(frozen=True)
class Cancel:
    """End a job."""

    job: Job


@dataclass(frozen=True)
class Forget:
    """Delete a job, its report and its interactions."""

    job: Job


@dataclass(frozen=True)
class Approve:
    """Say yes to a plan or a price."""

    job: Job


@dataclass(frozen=True)
class Revise:
    """Ask for another plan."""

    job: Job
    words: str


@dataclass(frozen=True)
class FollowUp:
    """Ask something about a finished report."""

    job: Job
    question: str


@dataclass(frozen=True)
class Resolve:
    """Find out where the redirect links of a report lead."""

    job: Job


@dataclass(frozen=True)
class ListAll:
    """Show all jobs of the user."""


@dataclass(frozen=True)
class Nothing:
    """There is nothing to do but to say so."""

    reply: str


_Command = Attach | Again | Cancel | Forget | Approve | Resolve
Wish = New | Further | Attach | Again | Cancel | Forget | Approve | Revise | FollowUp | Resolve | ListAll | Nothing

_JOB = re.compile(r"\bjob_[2-9a-z]{8}\b")
_MAX = re.compile(r"\bdeep research max\b|\bmax(imum)? research\b", re.IGNORECASE)
_POLITE = r"^\W*((please|can you|could you|would you|i want you to|i need you to|i|now|then|so|also|and)\W+)*"
_REPORT = r"(the|this|that|your|its)\s+(report|research|study|findings?|results?|sources?|sections?)"
_ABOUT_REPORT = re.compile(rf"\b{_REPORT}\b", re.IGNORECASE)
_ABOUT_IT = re.compile(
    rf"{_POLITE}(summari[sz]e|explain|translate|shorten|rephrase|rewrite|simplify|make|put|write|turn|give|do|need|want)"
    r"\s+(me\s+)?(it|this|that)\b",
    re.IGNORECASE,
)
_ABOUT_ANSWER = re.compile(
    rf"{_POLITE}(a (bit|little|lot)\b|(an?|one) (\w+ ){{0,3}}(version|summary|one)\b)", re.IGNORECASE
)
"""What a new brief may begin with too: right only after a question about a report, when it is most likely another."""
_FURTHER = re.compile(
    rf"{_POLITE}("
    r"(deep )?research\W+(on\W+from|further\W+(on|into|from))\W+\w+"
    r"|(research|investigate|explore) (it|this|that) further\b"
    r"|(dig|go|look|drill)( (a bit|a little|even|much))? deeper\b"
    rf"|(continue|extend|expand|deepen|go on with|build on) (my research|{_REPORT})\b"
    rf"|(research|investigate|explore|study)\b.*\b(based|building) on (that|this|it|my research|{_REPORT})\W*$"
    rf"|((based|building|starting) (on|from)|from) (there|that|this|it|{_REPORT})\W+((please|now|go|and)\W+)*"
    r"(research|investigate|explore|study|examine|dig|look)\b)",
    re.IGNORECASE,
)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_VERBS: tuple[tuple[type[_Command], frozenset[str]], ...] = (
    (Cancel, _set("cancel stop abort")),
    (Forget, _set("forget delete")),
    (Resolve, _set("resolve")),
    (Approve, _set("ok okay yes approve approved ahead agreed fine start")),
    (Attach, _set("status continue resume attach show wait done ready finished going doing far running on over news")),
)
_SHOWS = next(known for wish, known in _VERBS if wish is Attach)
_WORTHLESS = {State.FAILED, State.CANCELLED, State.EXPIRED}
"""Ends of a research after which the same brief is a new one."""
_AGAIN = (_set("again anew"), _set("start run do repeat pay research"))
_ASKS = re.compile(
    rf"{_POLITE}(deep research|research|write|do|make|create|prepare|produce|investigate|compare|analy[sz]e|study"
    r"|examine|review|i need|i want|an?)\b",
    re.IGNORECASE,
)
_SAYINGS: dict[type[_Command], str] = {Again: "start again", Approve: "go ahead", Forget: "forget", Cancel: "cancel"}
"""What costs or destroys, and how it is asked for; a question about it does nothing."""
_QUESTION = re.compile(
    r"^(?!\W*((please|and|so|then)\W+)*(can|could|will|would) you\b)"
    r"(.*\?|\W*(how|what|when|why|is|are|was|does|do i|do we|can i|could i|may i|shall i|should|would|will)\b)",
    re.IGNORECASE | re.DOTALL,
)
_NEW = re.compile(r"^\W*new research\b", re.IGNORECASE)
_LIST = _set("list all researches jobs")
_FILLERS = _set(
    "please the my this that it its a of with for to me is are how where what what's s and now yet still go start run"
    " do can could will would you i see have get research job report result plan looks good links redirects"
)


def understand(text: str, session: str, jobs: list[Job], *, with_files: bool = False) -> Wish:
    """What a message wants, given the user's jobs, newest first.

    A command is a message of nothing but command words ("what is the status of my research?"). A job that is named may
    come from any session of the user; else the session's newest unfinished one is meant. While a plan waits, other
    words are wishes for the plan. In a session that has a research, a message that is neither a command nor plainly a
    new brief ("how is the tides one going?") starts nothing and is asked back: a question must not cost dollars. A
    session without one may be the heir of a lost session: the user's researches can be seen there, and the same brief
    finds its job. After a question about a report, what is no command and no new brief is the next question.
    """
    named = _JOB.search(text)
    chosen = next((job for job in jobs if named and job.id == named.group()), None)
    if named and chosen is None:
        return Nothing(f"You have no research `{named.group()}`.")
    here = [job for job in jobs if job.order.session == session]
    job = chosen or next((j for j in here if j.state not in TERMINAL), None) or (here[0] if here else None)
    words = set(re.findall(r"[\w']+", _JOB.sub("", text).casefold()))
    verbs = frozenset[str]().union(*(known for _, known in _VERBS), *_AGAIN)
    waits = job is not None and job.state is State.AWAITING_APPROVAL
    if words & _LIST and words <= _LIST | _FILLERS:
        return ListAll()
    if words and words <= _FILLERS | verbs:
        return _command(text, words, job, waits) if job else _from_elsewhere(words, jobs)
    if job and waits and job.plan and text.strip():
        return Revise(job, text.strip())
    unnamed = " ".join(_JOB.sub("", text).split()).strip(" :,;")
    if _FURTHER.search(unnamed) and not _QUESTION.search(unnamed):
        return _further(unnamed, chosen, job, jobs, session)
    about_it = _ABOUT_IT.search(text)
    about = about_it or _ABOUT_REPORT.search(text)
    if job and job.state is State.COMPLETED and ((chosen and words - _FILLERS) or about):
        return FollowUp(job, _JOB.sub("the report", text).strip())
    if chosen:
        return Attach(chosen)
    if not text.strip():
        return Nothing("What shall be researched?")
    if _NEW.search(text) or any(_brief(text) == _brief(known.order.brief) for known in here):
        return New(text.strip())  # the same again joins its job
    commands = words & (verbs - _FILLERS - {"on", "over", "start"}) and len(words) < 12
    goes_on = job and job.state is State.COMPLETED and job.follow_ups and not commands
    if job and goes_on and (_ABOUT_ANSWER.search(text) or not _ASKS.search(text)):
        return FollowUp(job, text.strip())
    if job and (commands or about_it or not _ASKS.search(text)):
        return Nothing(
            f"Is this about research `{job.id}`? Say “status”, “cancel” or “start again” and its name."
            " For another research say “new research:” and its topic."
        )
    same = [job for job in jobs if _brief(job.order.brief) == _brief(text) and job.state not in _WORTHLESS]
    if same and not with_files and not same[0].order.inputs:
        return Attach(same[0])
    return New(text.strip(), bool(_MAX.search(text)))


def _brief(text: str) -> list[str]:
    return text.casefold().split()


def _further(brief: str, chosen: Job | None, job: Job | None, jobs: list[Job], session: str) -> Wish:
    """What builds on a research. The same words in the same session are the same one, unless they name another base."""
    known = (j for j in jobs if j.order.session == session and j.order.base and _brief(j.order.brief) == _brief(brief))
    if chosen is None and (same := next(known, None)):
        base = next((j for j in jobs if j.id == same.order.base), None)
        return Further(base, brief, bool(_MAX.search(brief))) if base else Attach(same)
    if job is None:
        return Nothing("There is no research in this conversation to go on from: name one, as “list” shows it.")
    if job.state is not State.COMPLETED:
        return Nothing(f"Research `{job.id}` has no report yet that could be built on. Nothing was started.")
    return Further(job, brief, bool(_MAX.search(brief)))


def _from_elsewhere(words: set[str], jobs: list[Job]) -> Wish:
    """A command in a session without a research. To look is free; for anything else a job has to be named."""
    unfinished = [job for job in jobs if job.state not in TERMINAL]
    if words & _SHOWS and len(unfinished) == 1:
        return Attach(unfinished[0])
    return ListAll() if jobs else Nothing("There is no research in this conversation yet.")


def _command(text: str, words: set[str], job: Job, waits: bool) -> Wish:
    again, what = _AGAIN
    if (words & again and words & what and not words & _SHOWS) or "repeat" in words:
        wish: type[_Command] = Again
    else:
        wish = next((w for w, known in _VERBS if words & known and (w is not Approve or waits)), Attach)
    if wish in _SAYINGS and _QUESTION.search(text):
        return Nothing(f"To do that, say “{_SAYINGS[wish]} {job.id}”. Nothing has changed.")
    return wish(job)
