"""`desk eval`: play evaluation sets, compare two runs, run DeepResearch Bench."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from evals.deep_research_cli import deepresearch_bench
from tools.cli.arguments import writable_folder
from tools.cli.command_run import fail, run
from tools.cli.terminal import err, out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.adk.evaluation.eval_set import EvalSet

    from evals.budget import Budget
    from evals.result import Case, Run
    from evals.runner import Player

RESULTS = Path("reports/evals")
"""Default folder of results."""

app = typer.Typer(help="Evaluate the desk, and compare prompts and models.", invoke_without_command=True)

MISSING_PACKAGES = "evaluations need packages that are not installed: pip install 'research-desk[eval]'"
STOPPED_MESSAGE = "Stopped. No results were saved."


LIVE_OPTIONS = ("--max-cost", "--price", "--research", "--yes")
MODEL_OPTIONS = ("--model-url", "--model")


class Brain(StrEnum):
    """The kind of brain that answers on the emulator."""

    rules = "rules"
    model = "model"


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


@app.callback()
def evaluate(
    context: typer.Context,
    sets: Annotated[
        str | None, typer.Option("--sets", metavar="NAMES", help="Names, separated by commas; default: all.")
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the run, in its files and in comparisons.")] = "",
    folder: Annotated[
        Path, typer.Option("--out", callback=writable_folder, metavar="DIR", help="Folder for the results.")
    ] = RESULTS,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file of another root agent to evaluate.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Call the real service, which costs money.")] = False,
    max_usd: Annotated[
        float, typer.Option("--max-cost", metavar="USD", min=0, help="USD at which a live run stops.")
    ] = 1.0,
    usd_per_million: Annotated[
        float, typer.Option("--price", metavar="USD", min=0, help="USD per million tokens, for the budget.")
    ] = 12.0,
    allow_research: Annotated[
        bool, typer.Option("--research", help="Let a live run start research, $1–7 each.")
    ] = False,
    public: Annotated[bool, typer.Option("--public", help="Also play the public samples in DESK_EVAL_DATA.")] = False,
    at_once: Annotated[
        int, typer.Option("--at-once", metavar="N", min=1, max=32, help="Conversations that are played at a time.")
    ] = 4,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the estimate of a live run beforehand.")] = False,
    brain: Annotated[
        Brain, typer.Option("--brain", help="The kind of brain that answers on the emulator.")
    ] = Brain.rules,
    model_url: Annotated[
        str, typer.Option("--model-url", metavar="URL", envvar="EMULATOR_MODEL_URL", help="API of --brain model.")
    ] = "",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", envvar="EMULATOR_MODEL", help="Model of --brain model.")
    ] = "",
) -> None:
    """Play the evaluation sets: on the emulator (the same every time), on a local model, or --live with a key."""
    _refuse_ignored_options(context, brain, live)
    if context.invoked_subcommand:
        return
    _require_packages()
    if config:
        os.environ["DESK_CONFIG"] = str(config.resolve())
    if brain is Brain.model and live:
        raise typer.BadParameter("--live calls the real service, and --brain model a local model: choose one")
    names = [each for part in (sets or "").split(",") if (each := part.strip())]
    if sets is not None and not names:
        raise typer.BadParameter("--sets is empty: name sets with commas between them, or leave it out to play all")
    if name and not file_name(name):
        raise typer.BadParameter("--name becomes the name of a file: it needs a letter or a digit")
    os.environ |= {"EMULATOR_BRAIN": brain, "EMULATOR_MODEL_URL": model_url, "EMULATOR_MODEL": model}
    asked = model if brain is Brain.model else ""
    options = EvalOptions(
        names, name, folder, live, max_usd, usd_per_million, allow_research, public, at_once, yes, asked
    )
    with _terminated_like_ctrl_c(), tempfile.TemporaryDirectory(prefix="desk-eval-") as data_dir:
        _prepare(live, Path(data_dir))
        try:
            run(_evaluate(options), STOPPED_MESSAGE)
        finally:
            _clean_up(live)


def _refuse_ignored_options(context: typer.Context, brain: Brain, live: bool) -> None:
    """Refuses options that have no effect.

    Raises:
        typer.BadParameter: an option needs another one, or stands before a command.
    """
    for parameter in context.command.params:
        option, source = parameter.opts[0], context.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE":
            continue
        if context.invoked_subcommand:
            raise typer.BadParameter(f"{option} has no effect before `{context.invoked_subcommand}`: leave it out")
        if option in LIVE_OPTIONS and not live:
            raise typer.BadParameter(f"{option} has no effect without --live: add --live, or leave it out")
        if option in MODEL_OPTIONS and brain is not Brain.model:
            raise typer.BadParameter(f"{option} has no effect without --brain model: add that, or leave it out")


app.command()(deepresearch_bench)


@app.command()
def compare(
    first: Annotated[
        str, typer.Argument(metavar="FIRST", help="The run of the present version: its name or its JSON file.")
    ],
    second: Annotated[
        str,
        typer.Argument(metavar="SECOND", help="The run of the version that may replace it: its name or its JSON file."),
    ],
) -> None:
    """Compare two runs: which metrics are better, worse or differ by chance. Exit status 1 if one is worse."""
    _require_packages()
    from evals.compare import changed_cases
    from evals.compare import compare as compare_runs
    from evals.report import differences
    from evals.result import ResultError, load_run

    try:
        first_run, second_run = load_run(_result_file(first)), load_run(_result_file(second))
    except ResultError as error:
        fail(error)
    found = compare_runs(first_run, second_run)
    if not found:
        fail(ResultError(f"{first} and {second} have no case in common"))
    out.print(
        "\n".join(
            f"{which}: {escape(run.name)} ({escape(_models_text(run))})"
            for which, run in (("first", first_run), ("second", second_run))
        )
    )
    out.print(differences(found))
    for _, after in changed_cases(first_run, second_run):
        out.print(f"{'passes now' if after.passed else '[red]fails now[/]'}: {escape(after.key)}")
    if any(each.verdict == "worse" for each in found):
        raise typer.Exit(1)


def _result_file(run: str) -> Path:
    """The results file of a run, given by the file's path or the run's name."""
    return Path(run) if run.endswith(".json") else RESULTS / f"{file_name(run)}.json"


def file_name(run: str) -> str:
    """Converts the name of a run into a file name without suffix."""
    return re.sub(r"\W+", "-", run).strip("-").lower()


def _require_packages() -> None:
    if not all(map(find_spec, ("pandas", "jinja2", "scipy"))):
        fail(RuntimeError(MISSING_PACKAGES))
    # ADK 2.13 gives this warning for its whole evaluation.
    warnings.filterwarnings("ignore", r"\[EXPERIMENTAL\]", UserWarning)


def _prepare(live: bool, data_dir: Path) -> None:
    """Gives an offline run its own ledger, and its own emulator whose waits take no real time."""
    from tools.interactions import backend

    if not live:
        os.environ |= {"DESK_BACKEND": "emulator", "DESK_DATA_DIR": str(data_dir), "DESK_EMULATOR_SPEED": "inf"}
        os.environ.pop("GOOGLE_GEMINI_BASE_URL", None)
    backend.current.cache_clear()


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """Lets SIGTERM end the command as Ctrl-C does, so that its emulator is stopped too."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _clean_up(live: bool) -> None:
    from tools.interactions.local_emulator import stop_emulator
    from tools.settings import load_settings

    if not live:
        stop_emulator(load_settings())


async def _evaluate(options: EvalOptions) -> None:
    import asyncio

    from evals.budget import Budget, count_tokens
    from evals.report import page, summary
    from evals.result import Run, save_run
    from evals.runner import Player, load_criteria, models_of
    from tools.app import build_app
    from tools.files.atomic_file import write_whole
    from tools.interactions import backend
    from tools.settings import ROOT, load_settings

    sets, skipped = _selected_sets(options.sets, options.public)
    budget = Budget(options.max_usd, options.usd_per_million) if options.live else None
    if budget:
        if backend.choose(load_settings(), os.environ).kind == "emulator":  # without starting one
            raise typer.BadParameter("--live needs a key: set GEMINI_API_KEY, or the variables of Vertex AI")
        count_tokens(budget)
    criteria = "criteria_live.json" if options.live else "criteria.json"
    player = Player(build_app(), load_criteria(ROOT / "evals" / criteria))
    began = datetime.now(UTC)
    cases = await (_play_live(player, sets, options, budget, skipped) if budget else _play(player, sets, options))
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


async def _play_live(
    player: Player, sets: Sequence[EvalSet], options: EvalOptions, budget: Budget, skipped: list[str]
) -> list[Case]:
    """Plays the cases that the budget allows. Cases that expect no research run cannot start one."""
    from evals.budget import no_research, split_by_research, usd_per_run

    without_research, with_research = split_by_research(sets)
    if not options.allow_research:
        count = sum(len(each.eval_cases) for each in with_research)
        skipped += [f"{count} cases that begin a research run, since --research was not given"] if count else []
        with_research = []
    budget.usd_per_run = usd_per_run(player.root)
    _confirm_estimate(budget, [*without_research, *with_research], options.yes)
    with no_research(player.root):
        cases = await _play(player, without_research, options, budget)
    cases += await _play(player, with_research, options, budget)
    total = sum(len(each.eval_cases) for each in [*without_research, *with_research])
    if len(cases) < total:
        skipped.append(f"{total - len(cases)} cases, since the budget of ${budget.max_usd:.2f} was reached")
    return cases


def _selected_sets(names: Sequence[str], public: bool) -> tuple[list[EvalSet], list[str]]:
    """The sets to play, and messages about the sets that are left out."""
    from evals.case_files import CaseError
    from evals.set_selection import NoSuchSet, load_sets, select_sets
    from tools.settings import ROOT

    folder = Path(os.environ.get("DESK_EVAL_DATA") or ROOT.parent / "shared" / "eval-data")
    exists = folder.is_dir()
    skipped = [] if exists or not public else [f"the public samples: there is no folder {folder} (DESK_EVAL_DATA)"]
    try:
        found = load_sets(ROOT / "evals", folder if public and exists else None)
        return select_sets(found, list(dict.fromkeys(names))), skipped
    except NoSuchSet as error:
        raise typer.BadParameter(str(error)) from None
    except CaseError as error:
        fail(error)


def _confirm_estimate(budget: Budget, sets: Sequence[EvalSet], yes: bool) -> None:
    price = budget.estimate(*(case for each in sets for case in each.eval_cases))
    err.print(f"first estimate: about ${price:.2f} at most; the run stops at ${budget.max_usd:.2f}")
    if not yes:
        typer.confirm("Play them?", abort=True, err=True)


async def _play(
    player: Player, sets: Sequence[EvalSet], options: EvalOptions, budget: Budget | None = None
) -> list[Case]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("playing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=sum(len(each.eval_cases) for each in sets))
        cases = []
        async for case in player.play(sets, options.at_once, budget):
            cases.append(case)
            bar.advance(task)
    return cases


def _models_text(played: Run) -> str:
    return ", ".join(f"{agent}: {model}" for agent, model in played.models.items())
