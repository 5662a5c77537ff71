"""Converts public samples into evaluation sets. The files are not part of this repository; see their README.

Rows are JSON lines. `routing.jsonl` is made from CLINC150 and DeepResearch Bench, `moderation.jsonl` from OpenAI's
moderation release and the SMS Spam Collection, `research_tasks.jsonl` from DeepResearch Bench, `longfact_tasks.jsonl`
from LongFact.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.adk.evaluation.eval_set import EvalSet

from evals.build_sets import build
from evals.case_files import CaseError, Cases, Conversation, Turn
from tools.settings import ROOT

OFFENSIVE_SET = "public_moderation"
"""Name of the set whose texts are never stored in a result."""
AGENT_BY_LABEL = {"assistant": "assistant", "moderation": "moderator", "research": "researcher", "none": "desk"}
"""Maps the labels of `routing.jsonl` to our agents."""

Row = Mapping[str, Any]


def public_folder() -> Path:
    """The folder of the public samples, which need not exist."""
    return Path(os.environ.get("DESK_EVAL_DATA") or ROOT.parent / "shared" / "eval-data")


def read_public(folder: Path) -> list[EvalSet]:
    """Reads the sets of the files that exist in a folder.

    Raises:
        CaseError: a row does not have the format in the README.
    """
    return [
        build(name, Cases(about=f"Public samples: {file}", ask_above_usd=3, cases=list(_cases(folder / file, turn))))
        for name, (file, turn) in _SETS.items()
        if (folder / file).is_file()
    ]


def _cases(file: Path, turn: Callable[[Row], Turn]) -> Iterator[Conversation]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
                yield Conversation(id=row["id"], turns=[turn(row)])
            except (ValueError, KeyError, TypeError) as error:  # a ValidationError would quote the text
                raise CaseError(f"{file}, line {number}: not a row of this file ({type(error).__name__})") from None


def _routing(row: Row) -> Turn:
    return Turn.model_validate(
        {
            "user": row["text"],
            "route": [AGENT_BY_LABEL[name] for name in dict.fromkeys([row["expected"], *row["accept"]])],
            "calls": [{"*": {}}],
            "research": row["expected"] == "research",
            "sources": False,  # on the emulator, an answer's sources depend on its corpus
        }
    )


def _moderation(row: Row) -> Turn:
    return Turn.model_validate(
        {
            "user": f"Moderate the following text:\n\n{row['text']}",
            "route": "moderator",
            "verdict": list(dict.fromkeys([row["category"], *row["accept"]])),
        }
    )


def _research(row: Row) -> Turn:
    order = "请深入研究并写一份报告：" if row["language"] == "zh" else "Research this in depth and write a report: "
    return Turn(user=order + row["prompt"], route="researcher", research=True, sources=False)


def _longfact(row: Row) -> Turn:
    return Turn(user=row["prompt"], route="assistant", calls=[{"*": {}}])


_SETS = {
    "public_routing": ("routing.jsonl", _routing),
    OFFENSIVE_SET: ("moderation.jsonl", _moderation),
    "public_research": ("research_tasks.jsonl", _research),
    "public_longfact": ("longfact_tasks.jsonl", _longfact),
}
