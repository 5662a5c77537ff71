"""Judges each row of a file once, several rows at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from tools.moderation.input_file import Row
from tools.moderation.judge import ModerationClient, NotModerated
from tools.moderation.verdict import Verdict
from tools.moderation.verdict_store import VerdictStore

FATAL_CODES = ("HTTP_400", "HTTP_401", "HTTP_403", "HTTP_404")
"""Errors that would occur for every row: they end the batch."""


async def judge_rows(
    rows: Iterator[Row], store: VerdictStore, judge: ModerationClient, at_once: int
) -> AsyncIterator[Row]:
    """Yields each row when its outcome is in `store`. A row whose verdict is already there is not judged again.

    Raises:
        NotModerated: no row can be judged with the current settings.
        FileProblem: the rest of the rows cannot be read.
    """
    waiting, done = set[asyncio.Task[Row]](), set[asyncio.Task[Row]]()
    try:
        for row in rows:
            if store.has(row):
                yield row
                continue
            waiting.add(asyncio.create_task(_judge(row, store, judge)))
            if len(waiting) < at_once:
                continue
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
        for finished in asyncio.as_completed(waiting):
            yield await finished
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, *done, return_exceptions=True)


async def _judge(row: Row, store: VerdictStore, judge: ModerationClient) -> Row:
    outcome: Verdict | NotModerated | None = None
    if row.problem:
        outcome = NotModerated("BAD_ROW", row.problem)
    elif row.text.strip():
        try:
            outcome = (await judge.judge(row.text)).verdict
        except NotModerated as error:
            if error.code in FATAL_CODES:
                raise
            outcome = error
    store.write(row, outcome)
    return row
