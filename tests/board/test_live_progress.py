"""Live progress: every line once, also after a broken connection, and only to its owner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.board.conftest import Site, until
from tools.board.live_progress import Cursor, parse_cursor, progress, run_of
from tools.board.timeouts import MAX_STREAM_S
from tools.research.job import Job, new_job
from tools.research.job_changes import JobChanges
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import LOCAL_USER, Order

LINES = ["Planning: What moves the sea?", "searching: tides moon", "Writing: Two sources agree."]


def read(site: Site, url: str, number: int, last: str = "") -> list[tuple[str, str, str]]:
    """Reads so many events from a stream, or all of them up to its end: id, type and data."""
    headers = {"Last-Event-ID": last} if last else {}
    found = []
    with site.client.stream("GET", url, headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for event in events(stream.iter_lines()):
            found.append(event)
            if len(found) == number:
                break
    return found


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    given: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        given[name] = value
        if not line:
            if "data" in given:
                yield given.get("id", ""), given["event"], json.loads(given["data"])
            given = {}


def test_a_broken_stream_continues_after_the_last_line_that_the_browser_has(site: Site) -> None:
    path = site.start()
    url = f"{path}/events"
    site.api.advance(310)
    first = [event for event in read(site, url, 3) if event[1] == "line"]
    assert [text for _, _, text in first] == LINES[:2]
    site.api.advance(600)
    job = site.job(path)
    until(lambda: len(site.on_loop(lambda service: service.ledger.lines(job))) == 3)
    [third] = [event for event in read(site, url, 2, first[-1][0]) if event[1] == "line"]
    assert third[2] == LINES[2]
    assert [event[2] for event in read(site, f"{url}?after={first[0][0]}", 3) if event[1] == "line"] == LINES[1:]
    kinds = [event[1] for event in read(site, url, 4, "0123456789ab.7")]
    assert kinds == ["reset", "line", "line", "line"]  # the id is that of another interaction
    site.finish(path)
    assert [event[1] for event in read(site, url, 9, third[0])] == ["end"]


@pytest.mark.parametrize("text", ["", "x", "0123456789ab", "0123456789ab.-1", "0123456789ab.9999999999", "<b>.1"])
def test_an_id_that_is_none_of_ours_counts_as_no_id(text: str) -> None:
    assert parse_cursor(text) is None
    assert parse_cursor("0123456789ab.12") == Cursor("0123456789ab", 12)


async def test_a_silent_stream_sends_a_comment_every_15_seconds_and_ends_in_time(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    job = new_job(Order("tides", LOCAL_USER, "s", "deep-research"), 0, State.RUNNING)
    await ledger.add(job)
    now, pings = [0.0], list[float]()

    async def wait(job: Job, seconds: float) -> None:
        now[0] += seconds

    async for event in progress(ledger, wait, job.id, Cursor(run_of(job), 0), clock=lambda: now[0]):
        if event == ": ping\n\n":
            pings.append(now[0])
    assert pings == [float(n) for n in range(15, int(MAX_STREAM_S), 15)]
    assert now[0] == MAX_STREAM_S
    await ledger.close()


async def test_the_stream_of_a_deleted_job_ends(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    wait = JobChanges(ledger).wait
    assert [event async for event in progress(ledger, wait, "job_22222222", None)][-1].startswith("event: end")
    await ledger.close()


def test_a_user_has_a_limited_number_of_live_pages(site: Site) -> None:
    path = site.start()
    opened = [site.client.stream("GET", f"{path}/events") for _ in range(9)]
    statuses = [stream.__enter__().status_code for stream in opened]
    for stream in opened:
        stream.__exit__(None, None, None)
    assert statuses == [200] * 8 + [429]
    until(lambda: site.client.get(path).status_code == 200)
