"""The gate: an action that spends money or deletes data needs a person's yes, which no model can give.

The ledger stores each question. The event that shows a question has the question's mark in its metadata. A yes is valid

* in the turn directly after a turn whose events have the mark, or in any turn whose message names the run,
* never in the turn that asks, whatever the model says there,
* from the same user in the same conversation, for the same version (plan, brief) of the run,
* once, across all processes. A message that names no run answers a question only if no other question was shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from google.adk.agents import InvocationContext

from tools.adk.chain_plugin import without_rewound
from tools.adk.contents import lines_of
from tools.adk.sanitize_plugin import EMPTY_MESSAGE
from tools.research.ids import JOB_ID
from tools.research.ledger import Ledger
from tools.research.open_questions import Action, NotConfirmed, Question, Yes
from tools.research.schedules.schedule import SCHEDULE_ID

AWAITS_INPUT_KEY = "awaits_input"
"""Metadata key of an event that asks for a yes. Its value lists the marks of the questions."""
SHOWN_WHOLE_KEY = "shown_whole"
"""Metadata key of an event that shows plans or prices, not only reminders of them. Its value lists their marks."""


class SeveralWait(NotConfirmed):
    """Several questions were shown, and the message does not name the one that it answers."""


@dataclass(frozen=True)
class TurnContext:
    """The facts of a turn that the gate needs."""

    invocation: str
    user: str
    session: str
    message: str
    """The person's message."""
    marks: frozenset[str]
    """Marks of the questions that the previous turn showed."""
    shown_whole: frozenset[str] = frozenset()
    """Those of the marks whose plan or price the previous turn showed in full, and not only as a reminder."""

    def names(self, subject: str) -> bool:
        """Whether the message has a run's id, ignoring case. A conversation's id does not count: it may be any word."""
        named = re.search(rf"(?<!\w){re.escape(subject)}(?!\w)", self.message, re.IGNORECASE)
        return bool(named) and subject != self.session

    def question(self, subject: str, action: Action, version: str = "") -> Question:
        """Builds a question that this turn asks."""
        return Question(self.user, self.session, subject, action, version, self.invocation)


def turn_of(context: InvocationContext) -> TurnContext:
    """Reads the facts of an invocation's turn."""
    session, content = context.session, context.user_content
    before = [event for event in without_rewound(session.events) if event.invocation_id != context.invocation_id]
    turns = [event.invocation_id for event in before if event.author == "user"]  # a change of state starts no turn
    shown = [event for event in before if event.invocation_id == turns[-1]] if turns else []
    marks, whole = (
        frozenset(mark for event in shown for mark in (event.custom_metadata or {}).get(key) or ())
        for key in (AWAITS_INPUT_KEY, SHOWN_WHOLE_KEY)
    )
    message = lines_of(content)
    return TurnContext(context.invocation_id, session.user_id, session.id, message, marks, whole)


async def confirm(ledger: Ledger, turn: TurnContext, subject: str, action: Action, version: str = "") -> None:
    """Uses up the person's yes to a question.

    Raises:
        NotConfirmed: there is no valid yes.
    """
    await ledger.use_yes(await yes_to(ledger, turn, subject, action, version))


async def yes_to(ledger: Ledger, turn: TurnContext, subject: str, action: Action, version: str = "") -> Yes:
    """Returns the person's yes to a question. The caller has to use up the yes together with the action that it allows.

    If the message names a run, its yes may also answer a question about starting that run from another conversation.

    Raises:
        SeveralWait: the yes may be to this question or to another one.
        NotConfirmed: there is no valid yes.
    """
    asked = {question.subject: question for question in await ledger.questions(turn.user, turn.session)}
    question, named = asked.get(subject), turn.names(subject)
    if question is None and named and action is Action.START:
        elsewhere = await ledger.questions(turn.user, subject=subject)
        question = next((q for q in elsewhere if (q.action, q.version) == (action, version)), None)
    if question is None or question.action is not action:
        raise NotConfirmed(f"no question about {subject} waits for a yes: it has to be shown first")
    names_other = JOB_ID.search(turn.message) or SCHEDULE_ID.search(turn.message) or any(map(turn.names, asked))
    if turn.message.strip() in ("", EMPTY_MESSAGE):
        raise NotConfirmed("the last message has no words, only a person's words are a yes")
    if not named and names_other:
        raise NotConfirmed(f"the last message names another run, and not {subject}")
    if why := refusal(question, turn, version):
        raise NotConfirmed(why)
    if not named and len(turn.marks) > 1:
        raise SeveralWait(f"several questions wait: the yes has to say which one is meant, such as “yes {subject}”")
    return Yes(question, f"{turn.invocation} {subject}" if named else turn.invocation)


def refusal(question: Question, turn: TurnContext, version: str) -> str | None:
    """Returns the reason why a turn cannot answer a question; None if it can."""
    if question.invocation == turn.invocation:
        return "nobody has answered yet: the question is shown only after this turn. Do nothing more now"
    if question.version != version:
        return "what was asked about has changed since: it is shown again now, and needs a new yes"
    if turn.names(question.subject) or question.mark in turn.marks:
        return None
    return (
        "Something else came between the question and this answer, so it does not count. The question is shown again"
        f" now: say yes right after it, or name {question.subject} in your yes at any time."
    )


def can_change(turn: TurnContext, mark: str, subject: str) -> bool:
    """Whether a message can change a plan, which costs a planning run.

    It has to name the run, or the turn before has to have shown the whole plan and no other question. After a reminder
    of the plan, a message about something else would be taken for a change.
    """
    return turn.names(subject) or (mark in turn.shown_whole and len(turn.marks) == 1)


async def record_shown(
    ledger: Ledger, turn: TurnContext, questions: Iterable[Question], whole: Collection[str] = ()
) -> dict[str, Any]:
    """Saves in the ledger that this turn shows these questions.

    Args:
        whole: ids of the runs whose plan or price is shown, and not only a reminder of it.

    Returns:
        The metadata for the event that shows them.
    """
    shown = [replace(question, invocation=turn.invocation) for question in questions]
    for question in shown:
        await ledger.save_question(question)
    marks = {AWAITS_INPUT_KEY: [question.mark for question in shown]} if shown else {}
    complete = [question.mark for question in shown if question.subject in whole]
    return marks | ({SHOWN_WHOLE_KEY: complete} if complete else {})
