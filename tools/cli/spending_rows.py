"""Sums spending entries up as rows: one for each period, user, agent and server."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tools.research.job import Kind
from tools.research.spending import Spending

MAX_COUNT = 10**15
"""Largest believable count of tokens or calls; a larger one is ignored."""


class By(StrEnum):
    """The period that a row covers."""

    day = "day"
    month = "month"


FORMATS = {By.day: "%Y-%m-%d", By.month: "%Y-%m"}


@dataclass(frozen=True)
class Row:
    """The spending of one user in a day or month (UTC), at one server, on one agent or on one model for questions."""

    period: str
    """The day or the month: 2026-10-31 or 2026-10."""
    user: str
    agent: str
    server: str = ""
    """Name of the server: `gemini`, `vertex PROJECT/LOCATION`, or `emulator`, whose prices nobody pays."""
    runs: int = 0
    plans: int = 0
    revisions: int = 0
    questions: int = 0
    usd_at_most: float = 0.0
    """Upper estimate of the cost."""
    counted: int = 0
    """Number of the runs, plans, revisions and questions for which the server reported usage."""
    tokens: int = 0
    """Total tokens that the server reported."""
    tools: Mapping[str, int] = field(default_factory=dict)
    """Calls of server tools that the server reported, by type."""


def table(entries: Iterable[Spending], by: By) -> list[Row]:
    """Groups entries into rows, ordered by period, user, agent and server."""
    groups = defaultdict[tuple[str, str, str, str], list[Spending]](list)
    for entry in entries:
        period = datetime.fromtimestamp(entry.time, UTC).strftime(FORMATS[by])
        groups[period, entry.user, entry.agent, entry.server].append(entry)
    return [_row(*key, groups[key]) for key in sorted(groups)]


def total(rows: Sequence[Row]) -> Row:
    """The sum of rows of one server."""

    def sum_of(value: Callable[[Row], int]) -> int:
        return sum(map(value, rows))

    return Row(
        period="total",
        user="",
        agent="",
        server=rows[0].server,
        runs=sum_of(lambda row: row.runs),
        plans=sum_of(lambda row: row.plans),
        revisions=sum_of(lambda row: row.revisions),
        questions=sum_of(lambda row: row.questions),
        usd_at_most=sum(row.usd_at_most for row in rows),
        counted=sum_of(lambda row: row.counted),
        tokens=sum_of(lambda row: row.tokens),
        tools=_sum(row.tools for row in rows),
    )


def _row(period: str, user: str, agent: str, server: str, entries: Sequence[Spending]) -> Row:
    kinds = Counter(entry.kind for entry in entries)
    usages = [(_tokens(entry.usage), _tools(entry.usage)) for entry in entries]
    return Row(
        period=period,
        user=user,
        agent=agent,
        server=server,
        runs=kinds[Kind.RUN],
        plans=kinds[Kind.PLAN],
        revisions=kinds[Kind.REVISION],
        questions=kinds[Kind.QUESTION],
        usd_at_most=sum(entry.estimate for entry in entries),
        counted=sum(tokens is not None or bool(tools) for tokens, tools in usages),
        tokens=sum(tokens or 0 for tokens, _ in usages),
        tools=_sum(tools for _, tools in usages),
    )


def _tokens(usage: Mapping[str, Any]) -> int | None:
    """`total_tokens`, or None if it is not a valid count."""
    found = usage.get("total_tokens")
    return found if _is_count(found) else None


def _tools(usage: Mapping[str, Any]) -> Counter[str]:
    """The valid entries of `grounding_tool_count`: [{"type": "google_search", "count": 3}, …]."""
    found = usage.get("grounding_tool_count")
    counts = Counter[str]()
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and isinstance(each.get("type"), str) and _is_count(each.get("count")):
            counts[each["type"]] += each["count"]
    return counts


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    summed = Counter[str]()
    for each in counts:
        summed.update(each)
    return dict(sorted(summed.items()))
