"""Effects of the research tools in a turn, read from their calls and results; and the expected effects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Effect = Literal[
    "start", "quote", "plan", "repeat", "approve", "revise", "cancel", "status", "report", "answer", "list",
    "delete_question", "forget_question", "forget", "schedule_question", "pause", "none",
]  # fmt: skip
"""Effects whose names need an explanation:

start: a run is ordered and starts at once
quote: a run is ordered, and its price waits for a yes
plan: a run that shows its plan first is ordered
repeat: an old order is ordered again
approve: a yes to a price, a plan, a schedule or a deletion is accepted
answer: a question about a report is answered
delete_question: the deletion of a report waits for a yes
forget_question: the deletion of the conversation waits for a yes
forget: the conversation is deleted
schedule_question: a schedule waits for a yes, also one that was paused
pause: a schedule is paused
none: the research tools do nothing
"""
ORDERS: frozenset[Effect] = frozenset(("start", "quote", "plan", "repeat"))
APPROVALS: frozenset[Effect] = frozenset(("approve", "revise"))
MAX_CREATES: Mapping[Effect, int] = {"start": 1, "quote": 1, "repeat": 1, "plan": 2, "revise": 1}
"""Maximum number of create requests that follow from an effect, plans included, if every question gets a yes."""
RESEARCHER_TOOLS = frozenset(
    (
        *("start_research", "approve", "revise", "show_research", "list_research", "ask_report", "cancel_research"),
        *("repeat_research", "delete_research", "schedule_research", "pause_schedule", "resume_schedule"),
    )
)
"""Names of the researcher's tools."""
DELETION_TOOLS = frozenset(("forget_conversation", "confirm_forgetting"))
"""Names of the tools that delete a conversation."""
EXPECTATION_CALL = "research_effect"
"""Name of the function call that stores an `Expectation` in an expected turn."""

_TO_BE_SENT = "intended"
"""State of a job that will be sent: the tool has allowed a create request."""
_EARLIER_RUN = "it was ordered before"
"""Beginning of the field `next` of a result that shows an earlier run of the same order, not a new run."""
_PLAN_SHOWN = "its plan was shown again"
"""Beginning of the field `next` of a result of `revise` that changed nothing."""
_ASKED_ALONE = "several questions waited"
"""Beginning of the field `next` of a result of `approve` that only asked one of several questions again."""
_LIMIT_ERROR = re.compile(r"\(limit \$?[\d.]+\)")
"""Matches the part of an error message which shows that a limit (`tools.research.quotas`) refused the order."""


@dataclass(frozen=True)
class ToolEffect:
    """The effect of one tool call."""

    effect: Effect
    title: str = ""
    """Title of the run that the call is about."""
    brief: str = ""
    """The ordered brief, or the change to it."""
    creates: int = 0
    """Number of create requests to Deep Research that the call allows."""


@dataclass(frozen=True)
class Expectation:
    """The expected effects of a turn."""

    effects: tuple[Effect, ...] = ()
    """The accepted effects, the best one first."""
    brief_has: tuple[str, ...] = ()
    """Words that have to be in the brief."""
    brief_lacks: tuple[str, ...] = ()
    """Words that must not be in the brief."""
    about: tuple[str, ...] = ()
    """Words in the title of the run that the message is about."""
    setup: bool = False
    """Whether the turn only prepares the turns that are judged."""

    def to_arguments(self) -> dict[str, Any]:
        """Returns the fields as arguments of a call, without empty values."""
        values = {name: value for name, value in asdict(self).items() if value}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> Expectation:
        """Reads what `to_arguments` wrote."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()
        }
        return cls(**values)


def tool_effects(calls: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> tuple[ToolEffect, ...]:
    """Returns what calls did, in order.

    Args:
        calls: name, arguments and result of each call. A call whose result has an `error` did nothing, except that an
            order refused by a limit counts as `start`.
    """
    return tuple(effect for call in calls if (effect := _tool_effect(*call)))


def _tool_effect(name: str, arguments: Mapping[str, Any], result: Mapping[str, Any]) -> ToolEffect | None:
    error, state, title = str(result.get("error") or ""), str(result.get("state") or ""), str(result.get("title") or "")
    old = str(result.get("next") or "").startswith(_EARLIER_RUN)
    sent, waits = state == _TO_BE_SENT and not old, state == "awaiting_approval"
    brief = str(arguments.get("brief") or arguments.get("wishes") or "")
    shown = ToolEffect("report" if state == "completed" else "status", title)
    if error:
        ordered = name in ("start_research", "repeat_research") and _LIMIT_ERROR.search(error)
        return ToolEffect("start", str(arguments.get("title") or ""), brief) if ordered else None
    match name:
        case "start_research" if sent or waits:
            effect: Effect = "plan" if arguments.get("plan_first") else "quote" if waits else "start"
            return ToolEffect(effect, title, brief, int(sent))
        case "repeat_research" if sent or waits:
            return ToolEffect("repeat", title, "", int(sent))
        case "schedule_research":
            return ToolEffect("schedule_question", str(arguments.get("title") or ""), brief)
        case "pause_schedule" if result.get("status") == "paused":
            return ToolEffect("pause")
        case "resume_schedule" if result.get("status") != "active":
            return ToolEffect("schedule_question")
        case "approve" if str(result.get("next")).startswith(_ASKED_ALONE):
            return ToolEffect("status", title)
        case "approve" if sent or state == "deleted" or "schedule" in result:
            return ToolEffect("approve", title, "", int(sent))
        case "revise" if not str(result.get("next")).startswith(_PLAN_SHOWN):
            return ToolEffect("revise", title, brief, int(sent))
        case "show_research" if "runs" in result:
            return ToolEffect("list")
        case "start_research" | "repeat_research" | "approve" | "revise" | "show_research":
            return shown
        case "ask_report":
            return ToolEffect("answer", title)
        case "cancel_research":
            return ToolEffect("cancel", title)
        case "list_research":
            return ToolEffect("list")
        case "delete_research":
            return ToolEffect("delete_question", title)
        case "forget_conversation":
            return ToolEffect("forget_question")
        case "confirm_forgetting":
            return ToolEffect("forget")
        case _:
            return None
