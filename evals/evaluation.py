"""Carries out one evaluation: prepares the server, plays the sets, and saves and prints the result."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from google.adk.evaluation.eval_set import EvalSet
from rich.markup import escape

from evals.budget import Budget
from evals.case_files import CaseError
from evals.live_run import count_tokens, play_live
from evals.progress import play
from evals.public_datasets import public_folder
from evals.report import page, summary
from evals.result import Run, file_name, save_run
from evals.runner import Player, load_criteria, models_of
from evals.set_selection import NoSuchSet, load_sets, select_sets
from tools.app import build_app
from tools.cli.command_run import fail
from tools.cli.terminal import err, out
from tools.files.atomic_file import write_whole
from tools.interactions import backend
from tools.interactions.local_emulator import stop_emulator
from tools.settings import ROOT, load_settings


@dataclass(frozen=True)
class EvalOptions:
    """The options of one evaluation."""

    sets: Sequence[str]
    """Names of the sets to play; empty: all."""
    name: str
    folder: Path
    live: bool
    max_usd: float
    usd_per_million: float
    allow_research: bool
    public: bool
    at_once: int
    yes: bool
    model: str
    """The local model that answers everything; empty: the emulator's rules, or the real service."""


def prepare(live: bool, data_dir: Path) -> None:
    """Gives an offline run its own ledger, and its own emulator whose waits take no real time."""
    if not live:
        os.environ |= {"DESK_BACKEND": "emulator", "DESK_DATA_DIR": str(data_dir), "DESK_EMULATOR_SPEED": "inf"}
        os.environ.pop("GOOGLE_GEMINI_BASE_URL", None)
    backend.current.cache_clear()


def clean_up(live: bool) -> None:
    """Stops the emulator of an offline run."""
    if not live:
        stop_emulator(load_settings())


async def evaluate(options: EvalOptions) -> None:
    """Plays the sets, saves the result and prints it. Exit status 1 if a case fails."""
    sets, skipped = _selected_sets(options.sets, options.public)
    budget = Budget(options.max_usd, options.usd_per_million) if options.live else None
    if budget:
        if backend.choose(load_settings(), os.environ).kind == "emulator":  # without starting one
            raise typer.BadParameter("--live needs a key: set GEMINI_API_KEY, or the variables of Vertex AI")
        count_tokens(budget)
    criteria = "criteria_live.json" if options.live else "criteria.json"
    player = Player(build_app(), load_criteria(ROOT / "evals" / criteria))
    began = datetime.now(UTC)
    if budget:
        cases, left_out = await play_live(player, sets, options.at_once, budget, options.allow_research, options.yes)
        skipped += left_out
    else:
        cases = await play(player, sets, options.at_once)
    played = Run(
        name=options.name or f"{options.model or ('live' if options.live else 'offline')} {began:%Y-%m-%d %H:%M:%S}",
        created=f"{began:%Y-%m-%dT%H:%M:%SZ}",
        backend=str(backend.current()),
        models={agent: options.model or name for agent, name in models_of(player.root).items()},
        usd=round(budget.spent, 4) if budget else 0.0,
        cases=sorted(cases, key=lambda case: case.key),
        skipped=skipped,
    )
    stem = options.folder / file_name(played.name)
    save_run(played, stem.with_suffix(".json"))
    await asyncio.to_thread(write_whole, stem.with_suffix(".html"), page(played))
    out.print(summary(played))
    for line in skipped:
        err.print(f"left out: {escape(line)}")
    for case in played.cases:
        if not case.passed:
            out.print(f"[red]failed[/] {escape(case.key)}: {escape(case.failed)}", soft_wrap=True)
    out.print(f"{stem.with_suffix('.html')}\n{stem.with_suffix('.json')}", markup=False, soft_wrap=True)
    if not all(case.passed for case in played.cases):
        raise typer.Exit(1)


def _selected_sets(names: Sequence[str], public: bool) -> tuple[list[EvalSet], list[str]]:
    """The sets to play, and messages about the sets that are left out."""
    folder = public_folder()
    exists = folder.is_dir()
    skipped = [] if exists or not public else [f"the public samples: there is no folder {folder} (DESK_EVAL_DATA)"]
    try:
        found = load_sets(ROOT / "evals", folder if public and exists else None)
        return select_sets(found, list(dict.fromkeys(names))), skipped
    except NoSuchSet as error:
        raise typer.BadParameter(str(error)) from None
    except CaseError as error:
        fail(error)
