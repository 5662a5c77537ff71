"""Renders an evaluation run as one self-contained HTML page, and as tables for the terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Group
from rich.table import Table

from evals.compare import Difference
from evals.result import Case, Run
from evals.scoring import case_score, run_score
from evals.statistics import calibration, confusion, expected_error, scores, wilson

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
MEASURED = ("calls a turn", "tokens a turn", "s, median")
"""Columns: model calls and tokens (of all models) per turn; median seconds."""

_INK, _GOOD, _BAD = "#3b5b7a", "#3f7d58", "#b0483d"


def summary(run: Run) -> Group:
    """Tables of a run: the passed cases and the effort of each set, the mean of each metric."""
    sets = Table("set", "passed", "95 %", *MEASURED)
    for name, cases in _sets(run).items():
        sets.add_row(name, *_passed_cells(cases), *_effort_cells(cases))
    metrics = Table("metric", "mean", "cases", "turns that miss it")
    for name in run.metrics:
        scored = [case for case in run.cases if case_score(case, name) is not None]
        if scored:
            missed = sum(name in turn.failed for turn in run.turns)
            metrics.add_row(
                _title(name), f"{run_score(run, name):.3f}", str(len(scored)), f"{missed} turns" if missed else ""
            )
    paid = [run.paid] if run.paid else []
    return Group(sets, metrics, *(_labels(title, pairs) for title, pairs in _label_pairs(run).items()), *paid)


def _labels(title: str, pairs: Sequence[tuple[str, str]]) -> Table:
    table = Table(title, "precision", "recall", "F1", "turns")
    for label, found in scores(pairs).items():
        table.add_row(
            label, _score_text(found.precision), _score_text(found.recall), _score_text(found.f1), str(found.support)
        )
    return table


def differences(found: Sequence[Difference]) -> Table:
    """A table of the differences between two runs."""
    table = Table("metric", "cases", "first", "second", "change", "95 %", "verdict")
    for each in found:
        span = f"{each.low:+.3f} … {each.high:+.3f}"
        colour = {"better": "green", "worse": "red"}.get(each.verdict, "dim")
        values = (f"{each.first:.3f}", f"{each.second:.3f}", f"{each.change:+.3f}", span)
        table.add_row(_title(each.metric), str(each.cases), *values, f"[{colour}]{each.verdict}[/]")
    return table


def page(run: Run) -> str:
    """The run as HTML without scripts and external files."""
    paired = _label_pairs(run)
    bins = [(t.actual.confidence, t.actual.verdict == t.expected.verdict) for t in run.turns if _has_confidence(t)]
    charts = [_bars(run), *(_matrix(title, pairs) for title, pairs in paired.items())]
    if bins:
        charts.append(_calibration(bins))
    metrics = [name for name in run.metrics if run_score(run, name) is not None]
    rows = [
        (
            name,
            [
                *_passed_cells(cases),
                *(_score_text(run_score(run, metric, cases)) for metric in metrics),
                *_effort_cells(cases),
            ],
        )
        for name, cases in _sets(run).items()
    ]
    return _TEMPLATES.get_template("report.html.j2").render(
        run=run,
        metrics=metrics,
        measured=MEASURED,
        charts=charts,
        tables={title: scores(pairs) for title, pairs in paired.items()},
        rows=rows,
        cases=sorted(run.cases, key=lambda c: (c.passed, c.key)),
    )


def _sets(run: Run) -> dict[str, list[Case]]:
    """The cases of each set, and of all sets together."""
    found = {name: [c for c in run.cases if c.set == name] for name in dict.fromkeys(c.set for c in run.cases)}
    return found | ({"all": run.cases} if run.cases else {})


def _passed_cells(cases: Sequence[Case]) -> tuple[str, str]:
    passed = sum(case.passed for case in cases)
    low, high = wilson(passed, len(cases))
    return f"{passed}/{len(cases)}", f"{low:.0%}–{high:.0%}"


def _effort_cells(cases: Sequence[Case]) -> list[str]:
    turns = [turn for case in cases for turn in case.turns]
    seconds = [turn.seconds for turn in turns if turn.seconds is not None]
    means = [
        _average([getattr(turn, name) for turn in turns], digits) for name, digits in (("calls", 1), ("tokens", 0))
    ]
    return [*means, f"{median(seconds):.2f}" if seconds else ""]


def _title(metric: str) -> str:
    return metric.replace("_", " ")


def _score_text(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _average(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.{digits}f}" if known else ""


def _label_pairs(run: Run) -> dict[str, list[tuple[str, str]]]:
    """Expected and actual labels of the turns that have an expected label."""
    found = {
        title: [(getattr(t.expected, what), getattr(t.actual, what) or "none") for t in run.turns]
        for title, what in (("Routes", "route"), ("Verdicts", "verdict"))
    }
    kept = {title: [pair for pair in pairs if pair[0]] for title, pairs in found.items()}
    return {title: pairs for title, pairs in kept.items() if pairs}


def _has_confidence(turn: Any) -> bool:
    return bool(turn.expected.verdict) and turn.actual.confidence is not None


def _bars(run: Run) -> Markup:
    names = [name for name in run.metrics if run_score(run, name) is not None]
    values = [run_score(run, name) or 0.0 for name in names]

    def draw(axes: Axes) -> None:
        axes.barh(range(len(names)), values, color=[_GOOD if v >= 0.95 else _BAD for v in values])
        axes.set_yticks(range(len(names)), [_title(name) for name in names])
        axes.set_xlim(0, 1)
        axes.invert_yaxis()
        axes.set_title("Metrics, mean over cases")

    return _svg(draw, 0.6 + 0.35 * max(3, len(names)))


def _matrix(title: str, pairs: Sequence[tuple[str, str]]) -> Markup:
    table = confusion(pairs)

    def draw(axes: Axes) -> None:
        axes.imshow(table.counts, cmap="Blues")
        axes.set_xticks(range(len(table.labels)), table.labels, rotation=30, ha="right")
        axes.set_yticks(range(len(table.labels)), table.labels)
        largest = max(max(row) for row in table.counts)
        for i, row in enumerate(table.counts):
            for j, count in enumerate(row):
                if count:
                    axes.text(j, i, str(count), ha="center", va="center", color="w" if count > largest / 2 else "k")
        axes.set_xlabel("actual")
        axes.set_ylabel("expected")
        axes.set_title(title)

    return _svg(draw, 1.4 + 0.5 * len(table.labels))


def _calibration(found: Sequence[tuple[float | None, bool]]) -> Markup:
    known = [(confidence, right) for confidence, right in found if confidence is not None]
    bins = calibration(known)

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="#999", linewidth=1)
        axes.plot([b.confidence for b in bins], [b.accuracy for b in bins], "o-", color=_INK)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share that is right")
        axes.set_title(f"Calibration of verdicts (expected error {expected_error(bins):.3f})")

    return _svg(draw, 3.4)


def _svg(draw: Callable[[Axes], None], height: float) -> Markup:
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "desk", "font.size": 9}):
        figure = Figure(figsize=(5.2, height), layout="constrained")
        draw(figure.add_subplot())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return Markup(stream.getvalue()[stream.getvalue().index("<svg") :])
