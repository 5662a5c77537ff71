"""What the tools for research did in a turn, read from their calls and results; and what they should have done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Effect = Literal[
    "start", "quote", "plan", "repeat", "approve", "revise", "cancel", "status", "report", "answer", "list",
    "delete_question", "forget_question", "forget", "none",
]  # fmt: skip
"""start: a run was ordered and starts at once; quote: its price waits for a yes; plan: the same for a run whose plan is
to be seen first; repeat: an old order was ordered once more; approve: a yes to a price, a plan or a deletion counted;
answer: a report was asked about; delete_question, forget_question: a report's, the conversation's deletion waits for a
yes; forget: the conversation is deleted; none: nothing of all this."""
ORDERS: frozenset[Effect] = frozenset(("start", "quote", "plan", "repeat"))
YESES: frozenset[Effect] = frozenset(("approve", "revise"))
CREATES: Mapping[Effect, int] = {"start": 1, "quote": 1, "repeat": 1, "plan": 2, "revise": 1}
"""How many creates an effect may come to at most, whatever is said to the price: of a run, and of its plans."""
TOOLS = frozenset(
    (
        *("start_research", "approve", "revise", "show_research", "list_research", "ask_report", "cancel_research"),
        *("repeat_research", "delete_research"),
    )
)
"""Names of the researcher's tools."""
FORGETTING = frozenset(("forget_conversation", "confirm_forgetting"))
"""Names of the tools by which the desk forgets a conversation."""
WANTED = "research_effect"
"""Name of the call in an expected turn that stands for a `Wanted`."""

_SENT = "intended"
"""State of a job that is about to be sent: the tool has allowed a create."""
_OLD = "it was ordered before"
"""How the `next` of a result begins that shows the run of an earlier order instead of taking a new one."""
_LIMIT = re.compile(r"\(limit \$?[\d.]+\)")
"""How an order is refused that would have been taken within other limits (`tools.research.quotas`)."""


@dataclass(frozen=True)
class Act:
    """What one tool call did."""

    effect: Effect
    title: str = ""
    """Of the run that it is about."""
    brief: str = ""
    """What was ordered, or the change to it."""
    creates: int = 0
    """Creates of Deep Research that it allows."""


@dataclass(frozen=True)
class Wanted:
    """What a turn should do."""

    effects: tuple[Effect, ...] = ()
    """Each of them is right, the best one first."""
    brief_has: tuple[str, ...] = ()
    """Words that the brief has to have."""
    brief_lacks: tuple[str, ...] = ()
    """Words that it must not have."""
    about: tuple[str, ...] = ()
    """Words of the title of the run that is meant."""
    setup: bool = False
    """Whether the turn only leads up to what is judged."""

    def as_arguments(self) -> dict[str, Any]:
        """As the arguments of a call, without what is empty."""
        values = {name: value for name, value in asdict(self).items() if value}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def of_arguments(cls, arguments: Mapping[str, Any]) -> Wanted:
        """Reads what `as_arguments` wrote."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()
        }
        return cls(**values)


def acts_of(calls: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> tuple[Act, ...]:
    """What calls did, in order.

    Args:
        calls: name, arguments and result of each. A result with an `error` says that nothing was done.
    """
    return tuple(act for call in calls if (act := _act(*call)))


def _act(name: str, arguments: Mapping[str, Any], result: Mapping[str, Any]) -> Act | None:
    error, state, title = str(result.get("error") or ""), str(result.get("state") or ""), str(result.get("title") or "")
    old = str(result.get("next") or "").startswith(_OLD)
    sent, waits = state == _SENT and not old, state == "awaiting_approval"
    brief = str(arguments.get("brief") or arguments.get("wishes") or "")
    shown = Act("report" if state == "completed" else "status", title)
    if error:
        ordered = name in ("start_research", "repeat_research") and _LIMIT.search(error)
        return Act("start", str(arguments.get("title") or ""), brief) if ordered else None
    match name:
        case "start_research" if sent or waits:
            effect: Effect = "plan" if arguments.get("plan_first") else "quote" if waits else "start"
            return Act(effect, title, brief, int(sent))
        case "repeat_research" if sent or waits:
            return Act("repeat", title, "", int(sent))
        case "approve" if sent or state == "deleted":
            return Act("approve", title, "", int(sent))
        case "revise":
            return Act("revise", title, brief, int(sent))
        case "show_research" if "runs" in result:
            return Act("list")
        case "start_research" | "repeat_research" | "approve" | "show_research":
            return shown
        case "ask_report":
            return Act("answer", title)
        case "cancel_research":
            return Act("cancel", title)
        case "list_research":
            return Act("list")
        case "delete_research":
            return Act("delete_question", title)
        case "forget_conversation":
            return Act("forget_question")
        case "confirm_forgetting":
            return Act("forget")
        case _:
            return None
