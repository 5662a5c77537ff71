"""Rows that cannot be read as a job: an error names them, and all other jobs stay usable."""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.ledger.conftest import Open, used
from tests.ledger.test_contract import ORDER, job_of
from tools.research import rows
from tools.research.job import FollowUpAnswer, Job, Plan, new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.rows import UnreadableJob, row_of
from tools.research.spending import Used
from tools.settings import load_settings

DEEP = "[" * 100_000
BAD: list[tuple[str, Any, str]] = [
    ("state", "paused", "`state` is 'paused', which is not known here"),
    ("options", "{", "`options` is not JSON"),
    ("options", "[]", "`options` is not a JSON object"),
    ("options", DEEP, "`options` is not JSON"),
    ("inputs", "{}", "`inputs` is not a JSON list"),
    ("inputs", "[5]", "`inputs` is not a JSON list of objects"),
    ("usage", "null", "`usage` is not a JSON object"),
    ("plan", "[]", "`plan` is not a JSON object"),
    ("plan", "{}", "missing 2 required"),
    ("plan", '{"text": 5, "interaction_id": "v1_a"}', "`plan` has an unknown or wrong `text`"),
    ("plan", '{"text": "", "interaction_id": "", "earlier": [5]}', "`plan` has an `earlier` that is no list of texts"),
    ("follow_ups", '[{"question": "?", "text": "!", "interaction_id": "v1_a", "mood": ""}]', "wrong `mood`"),
    ("created", 1e300, "`created` is 1e+300, out of bounds"),
    ("created", float("inf"), "`created` is inf, out of bounds"),
    ("cost", float("inf"), "`cost` is inf, out of bounds"),
    ("finished", -1.0, "`finished` is -1.0, out of bounds"),
]
ONLY_SQLITE: list[tuple[str, Any, str]] = [
    ("created", "soon", "`created` is not a number"),
    ("cost", "much", "`cost` is not a number"),
    ("attempt", "first", "`attempt` is not a whole number"),
    ("events", 1.5, "`events` is not a whole number"),
    ("brief", b"bytes", "`brief` is not a text"),
    ("options", b"{}", "`options` is not a text"),
]


async def write(url: str, job: Job, column: str, value: Any) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        change = text(f'UPDATE research_jobs SET "{column}" = :value WHERE id = :id')
        await connection.execute(change, {"value": value, "id": job.id})
    await engine.dispose()


@pytest.mark.parametrize(("column", "value", "wrong"), BAD + ONLY_SQLITE)
def test_the_error_for_an_invalid_row_is_short_and_names_the_job_and_the_fault(
    column: str, value: Any, wrong: str
) -> None:
    with pytest.raises(UnreadableJob) as refusal:
        rows.job_of({**FULL, column: value})
    assert str(refusal.value).startswith(f"{FULL['id']} cannot be read from the ledger (")
    assert wrong in refusal.value.wrong
    assert len(str(refusal.value)) < 300


async def test_invalid_rows_are_skipped_and_logged_once_without_affecting_other_jobs(
    url: str, open_ledger: Open, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, wrong = open_ledger(), BAD if url.startswith("postgresql") else BAD + ONLY_SQLITE
    good, *bad = [
        replace(job_of(f"brief {number}", created=9, state=State.RUNNING), interaction_id=f"v1_{number}")
        for number in range(len(wrong) + 1)
    ]
    for job in (good, *bad):
        await ledger.add(job)
    for job, (column, value, _) in zip(bad, wrong, strict=True):
        await write(url, job, column, value)
    listed = {job.id for job, (column, *_) in zip(bad, wrong, strict=True) if column == "inputs"}  # not read for a list
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            for jobs in (await ledger.find(), await ledger.find_orphaned("", 20, {State.RUNNING}, 20)):
                assert [job for job in jobs if job.id not in listed] == [good]
            assert await ledger.find_by_interaction("v1_1") is None
    assert sorted(line.split()[0] for line in caplog.messages) == sorted(job.id for job in bad if job.id not in listed)
    for job, (_, _, words) in zip(bad, wrong, strict=True):
        with pytest.raises(UnreadableJob, match=job.id) as refusal:
            await ledger.get(job.id)
        assert words in str(refusal.value)
    assert await ledger.get(good.id) == good
    assert {each.job_id for each in await ledger.unreadable()} == {job.id for job in bad}
    assert (await ledger.count_by_state())[State.RUNNING] == len(bad)  # all but the row with the unknown state
    for job in bad:
        await ledger.delete(job.id)
    assert await ledger.unreadable() == []


async def test_invalid_rows_do_not_count_toward_the_limit_of_find(url: str, open_ledger: Open) -> None:
    ledger = open_ledger()
    jobs = [job_of(f"brief {number}", created=number) for number in range(12)]
    for job in jobs:
        await ledger.add(job)
    for job in jobs[3:]:
        await write(url, job, "state", "paused")
    assert await ledger.find(limit=2) == [jobs[2], jobs[1]]
    assert await ledger.find(limit=5) == [jobs[2], jobs[1], jobs[0]]
    assert await ledger.find(limit=0) == []


async def test_a_change_to_an_invalid_row_is_stored(url: str, open_ledger: Open) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(job_of("tides", state=State.STARTING))
    await write(url, job, "options", "{")
    with pytest.raises(UnreadableJob, match=job.id):
        await ledger.change(job.id, {State.STARTING}, 1, state=State.RUNNING, interaction_id="v1_paid")
    await write(url, job, "options", "{}")
    found = await ledger.get(job.id)
    assert found is not None
    assert (found.state, found.interaction_id) == (State.RUNNING, "v1_paid")


async def test_invalid_prices_and_times_of_jobs_are_ignored_by_limits(url: str, open_ledger: Open) -> None:
    ledger = open_ledger()
    jobs = [replace(job_of(f"brief {number}", created=5), cost=2.0) for number in range(4)]
    for job in jobs:
        await ledger.add(job)
    await write(url, jobs[0], "cost", float("inf"))
    await write(url, jobs[1], "created", float("inf"))
    if url.startswith("sqlite"):
        await write(url, jobs[2], "created", "soon")
    else:
        await write(url, jobs[2], "cost", float("nan"))
    assert await used(ledger, 5) == Used(running=1, creates=1, usd=2.0)


async def test_adding_the_order_of_an_invalid_row_raises_an_error_that_names_the_job(
    url: str, open_ledger: Open
) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(new_job(ORDER, 0))
    await write(url, job, "state", "paused")
    with pytest.raises(UnreadableJob, match=job.id):
        await ledger.add(new_job(ORDER, 1))


async def test_invalid_utf8_in_a_row_is_replaced_and_the_rest_is_kept() -> None:
    ledger = Ledger(load_settings().ledger_url)
    first, _ = [(await ledger.add(job_of(brief, created=created)))[0] for created, brief in enumerate("ab")]
    with sqlite3.connect(load_settings().ledger_file) as connection:
        connection.execute("UPDATE research_jobs SET brief = CAST(x'66fc72' AS TEXT) WHERE id = ?", (first.id,))
    assert [job.order.brief for job in await ledger.find()] == ["b", "f\ufffdr"]
    await ledger.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "earlier", "x"]), inner),
    max_leaves=5,
)
VALUES = st.none() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=5) | JSON.map(json.dumps)
FULL = row_of(
    replace(
        new_job(Order("b", "ada", "s", "deep-research", {"a": 1}, ({"type": "image"},)), 5, State.COMPLETED),
        plan=Plan("1.", "v1_p"),
        follow_ups=(FollowUpAnswer("?", "!", "v1_a", ("v1_b",)),),
    )
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(sorted(FULL)), VALUES, min_size=1, max_size=3))
def test_any_row_is_read_as_a_job_or_raises_unreadable_job(values: dict[str, Any]) -> None:
    try:
        job = rows.job_of({**FULL, **values})
    except UnreadableJob as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert rows.job_of(row_of(job)) == job
