"""Finds evaluation sets: the sets of this folder, and the public samples if they are present."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from google.adk.evaluation.eval_set import EvalSet

from evals.build_sets import SUFFIX
from evals.public_datasets import read_public


class NoSuchSet(Exception):
    """The requested set does not exist. The message names the sets that exist."""


def load_sets(folder: Path, public: Path | None = None) -> dict[str, EvalSet]:
    """Loads the sets of a folder by name, and the public samples of another folder."""
    found = [
        EvalSet.model_validate_json(file.read_text(encoding="utf-8")) for file in sorted(folder.glob(f"*{SUFFIX}"))
    ]
    return {each.eval_set_id: each for each in [*found, *(read_public(public) if public else ())]}


def select_sets(sets: dict[str, EvalSet], names: Sequence[str]) -> list[EvalSet]:
    """Selects the sets with these names; all sets if there are no names.

    Raises:
        NoSuchSet: a set does not exist.
    """
    for name in names:
        if name not in sets:
            raise NoSuchSet(f"no set `{name}`; there are {', '.join(sets)}")
    return [sets[name] for name in names or sets]
