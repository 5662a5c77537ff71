"""`make replicas`: plays the load and prints a table of results. ARGS="--replicas 4 --researches 500 --kills 12"."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.ledger.server import postgresql
from tests.replicas.load import Plan, play


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for each in fields(Plan):
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=int, default=each.default)
    plan = Plan(**vars(parser.parse_args()))
    with postgresql() as server, tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(play(plan, server, Path(folder)))
    table = Table("what", "count")
    for name, value in (
        ("replicas", plan.replicas),
        ("replicas killed", found.kills),
        ("research runs ordered", found.researches),
        ("prices agreed to", found.yeses),
        ("research runs lost", found.lost),
        ("research runs with an unknown start", found.states["start_unknown"]),
        ("research runs started twice", len(found.twice)),
        ("turns of conversations", plan.conversations * plan.turns),
        ("conversations with a lost or repeated message", len(found.wrong)),
        ("requests sent again", ", ".join(f"{why} {n}" for why, n in sorted(found.retries.items()))),
        ("seconds", round(found.seconds)),
    ):
        table.add_row(name, str(value))
    Console().print(table)
    return bool(found.lost or found.twice or found.wrong)


if __name__ == "__main__":
    raise SystemExit(main())
