"""`desk diff`: shows what is new, gone and changed from one report to another."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from tools.cli.arguments import AsJson
from tools.cli.command_run import run
from tools.cli.terminal import err, print_json, show_markdown

Earlier = Annotated[str, typer.Argument(metavar="EARLIER", help="Id of the run with the earlier report.")]
Later = Annotated[str, typer.Argument(metavar="LATER", help="Id of the run with the later report.")]


def diff(
    earlier: Earlier,
    later: Later,
    reworded: Annotated[
        bool, typer.Option("--reworded", help="List statements that are only worded differently, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare two reports: show the statements and sources that are new, gone or changed."""
    run(_diff(earlier, later, reworded, as_json))


async def _diff(earlier: str, later: str, reworded: bool, as_json: bool) -> None:
    from tools.research.comparison import compare
    from tools.research.comparison_text import to_markdown
    from tools.research.factory import research
    from tools.research.report.languages import is_other_language, language_of

    (_, before), (_, after) = [await research().finished(job_id, "to compare") for job_id in (earlier, later)]
    found = await asyncio.to_thread(compare, before, after)
    if is_other_language(language_of(before.text), language_of(after.text)):
        err.print("The reports are in different languages: only their sources and figures can be compared.")
    if as_json:
        print_json({"earlier": earlier, "later": later, **asdict(found)})
    else:
        show_markdown(to_markdown(found, reworded=reworded))
