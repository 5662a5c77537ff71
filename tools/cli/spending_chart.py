"""The chart of `desk spending`: a stacked bar for each day or month, with a colour for each agent."""

from __future__ import annotations

import io
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from tools.cli.spending_rows import By, Row
from tools.text.unsafe_characters import sanitize

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

COLOURS = ("#3b5b7a", "#e0a340", "#3f7d58", "#b0483d", "#7d6b9e", "#5fa3b0")
OTHERS, COLOUR_OF_OTHERS = "others", "#999999"
"""Label and colour shared by the agents with the least spending, for which `COLOURS` has no colour left."""
MAX_LABEL_CHARS = 48
"""Maximum characters of a label."""
MAX_TICKS = 10
MIN_BARS = 6
"""The x axis has room for at least this many bars, so that a single bar is not as wide as the picture."""


def chart(rows: Sequence[Row], by: By) -> str:
    """Draws rows as an SVG document, with one bar of all users together for each day or month.

    Args:
        rows: at least one, in the order of `tools.cli.spending_rows.table`.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    import matplotlib
    from matplotlib.figure import Figure

    # Names may be in any script, so the viewer's fonts have to draw the text. A $ in a name must not start a formula.
    with (
        matplotlib.rc_context(
            {"svg.fonttype": "none", "svg.hashsalt": "desk", "font.size": 9, "text.parse_math": False}
        ),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph")
        figure = Figure(figsize=(7.5, 4), layout="constrained")
        _draw(figure, rows, by)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _draw(figure: Figure, rows: Sequence[Row], by: By) -> None:
    axes = figure.add_subplot()
    first, last = (_number(row.period, by) for row in (rows[0], rows[-1]))
    below = defaultdict[int, float](float)
    bars: list[Artist] = []
    stacks = _stacks(rows, by)
    for (_, usd), colour in zip(stacks, (*COLOURS, COLOUR_OF_OTHERS), strict=False):
        places, bottoms = [number - first for number in usd], [below[number] for number in usd]
        bars.append(axes.bar(places, list(usd.values()), 0.8, bottoms, color=colour)[0])
        for number, amount in usd.items():
            below[number] += amount
    room = max(0.6, (MIN_BARS - (last - first)) / 2)
    axes.set_xlim(-room, last - first + room)
    axes.set_ylim(bottom=0)
    ticks = range(0, last - first + 1, -(-(last - first + 1) // MAX_TICKS))
    axes.set_xticks(ticks, [_period(first + tick, by) for tick in ticks], rotation=30, ha="right")
    axes.set_xlabel(f"{by} (UTC)")
    axes.set_ylabel("estimate, USD at most")
    axes.spines[["top", "right"]].set_visible(False)
    users = {row.user for row in rows}
    axes.set_title(f"Spending by {by}" + (f" of {_label(*users)}" if len(users) == 1 else ""))
    names = [_label(agent) for agent, _ in stacks]
    figure.legend(bars, names, loc="outside lower center", ncols=2, frameon=False)


def _stacks(rows: Sequence[Row], by: By) -> list[tuple[str, Mapping[int, float]]]:
    """Returns each agent with its USD by number of the day or month; the agent with the highest sum comes first."""
    stacks = defaultdict[str, dict[int, float]](lambda: defaultdict(float))
    for row in rows:
        stacks[row.agent][_number(row.period, by)] += row.usd_at_most
    ordered = sorted(stacks.items(), key=lambda stack: -sum(stack[1].values()))
    others = defaultdict[int, float](float)
    for _, usd in ordered[len(COLOURS) :]:
        for number, amount in usd.items():
            others[number] += amount
    return [*ordered[: len(COLOURS)], *([(OTHERS, others)] if others else [])]


def _label(name: str) -> str:
    label = " ".join(sanitize(name).split())
    return label if len(label) <= MAX_LABEL_CHARS else f"{label[: MAX_LABEL_CHARS - 1]}…"


def _number(period: str, by: By) -> int:
    """A consecutive number for a day or month."""
    if by is By.day:
        return date.fromisoformat(period).toordinal()
    year, month = map(int, period.split("-"))
    return year * 12 + month - 1


def _period(number: int, by: By) -> str:
    return date.fromordinal(number).isoformat() if by is By.day else f"{number // 12:04}-{number % 12 + 1:02}"
