"""Draws charts of numbers, with bars or lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interactions_emulator.corpus.words import clip
from interactions_emulator.synthetic.png import INK, MUTED, escape_mathtext, render_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_COLOURS = ("#1a4f8b", "#c2571a", "#3f7d4e")
MAX_TICK_NAMES, MAX_NAME_CHARS = 12, 24
"""Maximum number of names on the axis of a line chart, and of characters in a name."""


@dataclass(frozen=True)
class Chart:
    """A chart of numbers. Each name has one number in each entry of `values`; None leaves a gap.

    The chart has lines if `positions`, the positions of the names on the axis, is not empty; else it has bars.
    """

    title: str
    source: str
    label: str
    unit: str
    names: tuple[str, ...]
    positions: tuple[float, ...]
    values: dict[str, tuple[float | None, ...]]


def draw_chart(chart: Chart) -> bytes:
    """Draws a chart as a PNG, 1440 pixels wide."""

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.1, 0.2, 0.86, 0.62))
        _draw_line(axes, chart) if chart.positions else _draw_bars(axes, chart)
        name = "" if len(chart.values) > 1 else next(iter(chart.values))
        axes.set_ylabel(escape_mathtext(clip(f"{name}{_axis_unit(chart)}", 60)))
        axes.set_xlabel(escape_mathtext(clip(chart.label, 60)))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dedad2", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=MUTED, labelcolor=INK)
        if len(chart.values) > 1:
            axes.legend(frameon=False, fontsize=9)
        figure.text(
            0.04, 0.93, escape_mathtext(clip(chart.title, 90)), fontsize=13, weight="bold", color=INK, va="center"
        )
        figure.text(0.04, 0.875, escape_mathtext(clip(chart.source, 120)), fontsize=9, color=MUTED, va="center")

    return render_png(draw, 9.0, 5.4, 160)


def _draw_bars(axes: Axes, chart: Chart) -> None:
    count = len(chart.values)
    thick = 0.8 / count
    for number, (name, values) in enumerate(chart.values.items()):
        shift = (number - (count - 1) / 2) * thick
        heights = [math.nan if value is None else value for value in values]
        axes.bar(
            [at + shift for at in range(len(values))],
            heights,
            thick,
            color=LINE_COLOURS[number],
            label=escape_mathtext(name),
        )
    _name_ticks(axes, list(map(float, range(len(chart.names)))), chart.names)
    axes.axhline(0, color=MUTED, linewidth=0.8)


def _draw_line(axes: Axes, chart: Chart) -> None:
    for number, (name, values) in enumerate(chart.values.items()):
        heights = [math.nan if value is None else value for value in values]
        marker = "o" if len(values) <= 40 else ""
        axes.plot(
            list(chart.positions),
            heights,
            marker=marker,
            markersize=4,
            color=LINE_COLOURS[number],
            label=escape_mathtext(name),
        )
    every = -(-len(chart.names) // MAX_TICK_NAMES)
    _name_ticks(axes, list(chart.positions[::every]), chart.names[::every])


def _name_ticks(axes: Axes, positions: list[float], names: tuple[str, ...]) -> None:
    shown = [escape_mathtext(clip(name, MAX_NAME_CHARS)) for name in names]
    slanted = sum(map(len, shown)) > 80
    axes.set_xticks(positions, shown, rotation=35 if slanted else 0, ha="right" if slanted else "center", fontsize=9)


def _axis_unit(chart: Chart) -> str:
    """The unit for the axis label; "" if there is none or the names of the values contain it."""
    if not chart.unit or any(chart.unit in name for name in chart.values):
        return ""
    return f" ({chart.unit})" if len(chart.values) == 1 else chart.unit
