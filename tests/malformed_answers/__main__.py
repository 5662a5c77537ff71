"""`python -m tests.malformed_answers`: answers of random forms, many more than the test suite plays."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated

import typer

from tests.malformed_answers.fuzz import play_series

SERIES = 500
"""Number of answers that one process plays."""
app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    examples: Annotated[int, typer.Option(help="Number of answers.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the first random series; each further series adds one.")] = 1,
) -> None:
    """Plays random answers. Ends with a traceback and the smallest example if a promise is broken."""
    began = time.monotonic()
    series = [(min(SERIES, examples - done), seed + number) for number, done in enumerate(range(0, examples, SERIES))]
    with ProcessPoolExecutor(mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        for _ in processes.map(play_series, *zip(*series, strict=True)):
            pass
    seeds = f"seeds {seed} to {series[-1][1]}"
    print(f"{examples} forms ({seeds}): no promise broken, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    app()
