"""The built-in brain stays small."""

from __future__ import annotations

from pathlib import Path

import interactions_emulator

MAX_LINES = 1_800


def test_the_rules_of_the_built_in_brain_have_at_most_1800_lines() -> None:
    rules = Path(interactions_emulator.__file__).parent / "brain" / "rules"
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in rules.glob("*.py")) <= MAX_LINES
