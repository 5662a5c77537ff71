"""Judges each row of a file once, several rows at the same time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from tools.load_control.concurrent_calls import run_each
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
    async with aclosing(run_each(lambda row: _judge(row, store, judge), rows, at_once)) as judged:
        async for row, _ in judged:
            yield row


async def _judge(row: Row, store: VerdictStore, judge: ModerationClient) -> None:
    if store.has(row):
        return
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
