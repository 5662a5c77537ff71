"""`desk eval`: play evaluation sets, compare two runs, run DeepResearch Bench."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from evals.budget import MAX_USD, USD_PER_MILLION
from evals.deep_research_cli import deepresearch_bench
from evals.result import RESULTS, ResultError, Run, file_name, load_run, result_file
from tools.cli.arguments import writable_folder
from tools.cli.command_run import fail, run
from tools.cli.terminal import out

if TYPE_CHECKING:
    from collections.abc import Iterator


app = typer.Typer(help="Evaluate the desk, and compare prompts and models.", invoke_without_command=True)

MISSING_PACKAGES = "evaluations need packages that are not installed: pip install 'research-desk[eval]'"
STOPPED_MESSAGE = "Stopped. No results were saved."


LIVE_OPTIONS = ("--max-cost", "--price", "--research", "--yes")
MODEL_OPTIONS = ("--model-url", "--model")


class Brain(StrEnum):
    """The kind of brain that answers on the emulator."""

    rules = "rules"
    model = "model"


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
    ] = MAX_USD,
    usd_per_million: Annotated[
        float, typer.Option("--price", metavar="USD", min=0, help="USD per million tokens, for the budget.")
    ] = USD_PER_MILLION,
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
    from evals.evaluation import EvalOptions, clean_up, prepare
    from evals.evaluation import evaluate as evaluate_sets

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
        prepare(live, Path(data_dir))
        try:
            run(evaluate_sets(options), STOPPED_MESSAGE)
        finally:
            clean_up(live)


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

    try:
        first_run, second_run = load_run(result_file(first)), load_run(result_file(second))
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


def _require_packages() -> None:
    if not all(map(find_spec, ("pandas", "jinja2", "scipy"))):
        fail(RuntimeError(MISSING_PACKAGES))
    # ADK 2.13 gives this warning for its whole evaluation.
    warnings.filterwarnings("ignore", r"\[EXPERIMENTAL\]", UserWarning)


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """Lets SIGTERM end the command as Ctrl-C does, so that its emulator is stopped too."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _models_text(played: Run) -> str:
    return ", ".join(f"{agent}: {model}" for agent, model in played.models.items())
