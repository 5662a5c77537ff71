"""`desk eval deepresearch-bench`: runs the tasks of DeepResearch Bench as durable research jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tools.cli.arguments import writable_folder
from tools.cli.command_run import RESEARCH_STOPPED, fail, run
from tools.cli.terminal import err, out
from tools.files.atomic_file import write_whole

if TYPE_CHECKING:
    from rich.table import Table

    from evals.citation_check import Check
    from evals.deep_research_files import Task
    from tools.research.verification.checks import Verification

USER = "deepresearch-bench"
"""User id of the benchmark's jobs; each `--name` has its own session."""


def deepresearch_bench(
    tasks: Annotated[
        Path, typer.Option(metavar="FILE", help="The benchmark's query.jsonl, or a file with some of its lines.")
    ],
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Name of this benchmark run. A name that was used before continues that run."
        ),
    ] = "desk",
    folder: Annotated[
        Path,
        typer.Option(
            "--out",
            callback=writable_folder,
            metavar="DIR",
            help="Folder for the articles, e.g. the benchmark's data/test_data/raw_data.",
        ),
    ] = Path("reports/deepresearch-bench"),
    at_once: Annotated[int, typer.Option("--at-once", metavar="N", min=1, max=50, help="Research runs at a time.")] = 3,
    max_usd: Annotated[
        float,
        typer.Option("--max-cost", metavar="USD", min=0, help="Maximum USD of the benchmark run, by upper estimates."),
    ] = 10.0,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Run only this many tasks, the first ones.")
    ] = None,
    use_max: Annotated[bool, typer.Option("--max", help="Use Deep Research Max.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Pay again for failed tasks.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the price beforehand.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Fetch the cited pages, and look for the passages that cite them.")
    ] = False,
) -> None:
    """Run the tasks of DeepResearch Bench, and write the files that its RACE and FACT scripts read."""
    run(_bench(tasks, _file_name(name), folder, at_once, max_usd, limit, use_max, retry, yes, verify), RESEARCH_STOPPED)


async def _bench(
    file: Path,
    name: str,
    folder: Path,
    at_once: int,
    max_usd: float,
    limit: int | None,
    use_max: bool,
    retry: bool,
    yes: bool,
    verify: bool,
) -> None:
    import asyncio

    from evals.citation_check import check
    from evals.deep_research_bench import Bench
    from evals.deep_research_files import TasksError, read_tasks, write_articles
    from tools.interactions import backend
    from tools.research.factory import new_verifier, research
    from tools.research.job_states import State
    from tools.research.order import Order
    from tools.research.report.markdown_rendering import to_markdown
    from tools.research.report.report import Report
    from tools.research.settings import research_settings
    from tools.research.verification.checks import Verification
    from tools.researcher.run_texts import outcome

    settings = research_settings().model_copy(update={"plan_first": False})
    settings.need_storage()

    def new_order(prompt: str) -> Order:
        return settings.order(prompt, user=USER, session=name, use_max=use_max)

    try:
        tasks = read_tasks(file)[:limit]
    except TasksError as error:
        fail(error)
    bench = Bench(research(), new_order, max_usd)
    spent, price = await bench.estimate(tasks, retry)
    err.print(
        f"{len(tasks)} tasks: up to ${spent:.0f} for earlier runs, up to ${price:.0f} now; stops at ${max_usd:.0f}"
    )
    if price and not yes and backend.current().kind != "emulator":
        typer.confirm("Start them?", abort=True, err=True)

    def say(task: Task, line: str) -> None:
        err.print(f"[dim]{escape(str(task.id))}[/] {escape(line)}", soft_wrap=True)

    reports: dict[Task, Report] = {}
    checks: dict[Task, Check] = {}
    verified: dict[Task, Verification] = {}
    failed: list[str] = []
    articles = folder / f"{name}.jsonl"
    async for done in bench.run(tasks, at_once, say, retry):
        if done.report:
            reports[done.task], checks[done.task] = done.report, check(to_markdown(done.report))
            if verify:
                made = done.report.verification
                verified[done.task] = made or Verification("", await new_verifier().check(done.report))
            await asyncio.to_thread(write_articles, articles, tasks, reports)
        if not done.job:
            failed.append(f"{done.task.id}: not started: the limit of --max-cost is reached")
        elif not done.report or done.job.state is not State.COMPLETED:
            failed.append(f"{done.task.id}: {done.error or outcome(done.job)}")
    facts = {str(task.id): asdict(checks[task]) | _shares(verified.get(task)) for task in tasks if task in checks}
    await asyncio.to_thread(_write, folder / f"{name}.facts.json", json.dumps(facts, ensure_ascii=False, indent=1))
    out.print(_table(tasks, checks, verified))
    out.print(f"{articles}: {len(reports)} of {len(tasks)} articles", markup=False, soft_wrap=True)
    for line in failed:
        err.print(escape(line), soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _table(tasks: Sequence[Task], checks: Mapping[Task, Check], verified: Mapping[Task, Verification]) -> Table:
    """A table of the counts of FACT that need no model, and of the shares of verified passages and sources."""
    from rich.table import Table

    table = Table("task", "pairs", "twice", "claims", "sourced", "unsourced figures", "unused sources", "astray marks")
    for share in ("passages found", "sound sources") if verified else ():
        table.add_column(share)
    for task in tasks:
        if found := checks.get(task):
            counts = (len(found.pairs), len(found.duplicates), found.claims)
            lacks = (len(found.figures), len(found.unused), len(found.astray))
            shares = ("–" if share is None else f"{share:.0%}" for share in _shares(verified.get(task)).values())
            table.add_row(str(task.id), *map(str, counts), f"{found.coverage:.0%}", *map(str, lacks), *shares)
    return table


def _shares(verified: Verification | None) -> dict[str, float | None]:
    """The shares of the passages that were found and of the sources that are sound; empty if nothing was verified."""
    return {"found_share": verified.found_share, "sound_share": verified.sound_share} if verified else {}


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, text + "\n")


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[\w.-]+", name):
        raise typer.BadParameter(f"`{name}` becomes the name of a file: letters, digits, `.`, `-` and `_` only")
    return name
