"""Combines the scores of a metric: those of turns into a conversation's, those of conversations into a run's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evals.result import Case, Run


def mean(scores: Iterable[float | None]) -> float | None:
    """The mean of the scores that exist; None if none does."""
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def case_score(case: Case, metric: str) -> float | None:
    """The score of a conversation: the mean over the turns that have a score for the metric."""
    return mean(turn.scores.get(metric) for turn in case.turns)


def run_score(run: Run, metric: str, cases: Sequence[Case] | None = None) -> float | None:
    """The score of a run, or of some of its conversations: the mean over the conversations that have a score."""
    return mean(case_score(case, metric) for case in (run.cases if cases is None else cases))
