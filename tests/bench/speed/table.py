"""The rows of the table, and the chart of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    goal: float
    desk: str
    plain: str
    value: float
    at_least: bool = False
    rounds: Sequence[float] = ()
    """The value in each round; `value` is their median."""

    @property
    def met(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def share(self) -> float:
        """Share of the goal that is used up: at 1 the goal is just met, less is better."""
        return self.goal / self.value if self.at_least else self.value / self.goal

    @property
    def flickers(self) -> bool:
        """Whether some rounds met the goal and some did not."""
        return bool(self.rounds) and min(self.rounds) <= self.goal <= max(self.rounds)

    def line(self) -> str:
        sign = "≥" if self.at_least else "≤"
        met = f"{'≈' if self.flickers else ''} {'' if self.met else '✗'}".strip()
        spread = f" ({min(self.rounds):.3g} to {max(self.rounds):.3g})" if self.rounds else ""
        shown = f"{self.value:.3g}{spread} {met}".rstrip()
        return f"| {self.what} | {sign} {self.goal:g} | {self.desk} | {self.plain} | {shown} |"


def chart(rows: Sequence[Row], file: Path) -> None:
    """Draws how much of each goal is used up."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.32 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    names = [row.what.replace("`", "") for row in rows][::-1]
    shares = [row.share for row in rows][::-1]
    bars = axes.barh(names, shares, color=["#1a73e8" if row.met else "#d93025" for row in rows][::-1])
    axes.bar_label(bars, [f"{share:.2f}" for share in shares], padding=3, fontsize=8)
    axes.axvline(1, color="#5f6368", linewidth=1)
    axes.set_xlabel("share of the goal: less is better, 1 is just met")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file)
