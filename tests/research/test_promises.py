"""What the research service promises, on the real server over real sockets."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from pathlib import Path

import pytest

from interactions_emulator.engine.request_log import fingerprint
from tests.conftest import Desk, Later
from tests.scripts import REPORT
from tools.research.api_errors import ApiError
from tools.research.job import Job, new_job
from tools.research.job_errors import UnknownJob
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.service import Research
from tools.researcher.run_texts import outcome
from tools.text.time_formats import to_minute

ORDER = Order(
    brief="Why are there tides?",
    user="ada",
    session="s1",
    agent="deep-research-preview-04-2026",
    options={"thinking_summaries": "auto"},
)
TROUBLE = ("the connection broke", "the server cannot be read", "the server reported")
LINES = [
    "Planning: What moves the sea?",
    "searching: tides moon",
    "Writing: Two sources agree.",
    "writing",
]


async def lines(service: Research, job: Job, seconds: float | None = None) -> list[str]:
    return [line async for line in service.watch(job.id, seconds)]


async def begin(desk: Desk, service: Research) -> tuple[Job, asyncio.Task[list[str]]]:
    """Starts a research run and lets it proceed to its search."""
    job, _ = await service.start(ORDER)
    watching = asyncio.create_task(lines(service, job))
    while not (await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)
    await desk.pass_time(320)
    while (await service.job(job.id)).events < 6:
        await asyncio.sleep(0.001)
    return job, watching


async def test_research_shows_its_progress_and_ends_with_a_report_with_numbered_sources(desk: Desk) -> None:
    service = desk.service()
    job, watching = await begin(desk, service)
    await desk.pass_time(2000)
    assert await watching == LINES
    job = await service.job(job.id)
    assert (job.state, job.usage.get("total_tokens", 0) > 0) == (State.COMPLETED, True)
    report = await service.report(job.id)
    assert report is not None
    assert report.title == "Tides"
    assert r'Neumond.[\[1\]](https://example.org/moon "The moon")' in report.text
    assert [source.url for source in report.sources] == [
        "https://example.org/moon",
        "https://example.org/sea",
    ]
    assert [picture.name for picture in report.pictures] == ["figure-1.png"]
    assert desk.creates == 1


async def test_a_job_is_stored_before_its_create_and_its_id_with_the_first_event(desk: Desk) -> None:
    service = desk.service()
    job, new = await service.start(ORDER)
    assert (new, job.state, job.interaction_id) == (True, State.INTENDED, None)
    while not (await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)
    assert (await service.job(job.id)).interaction_id == desk.api.interactions()[0]["id"]


async def test_a_repeated_order_joins_its_existing_job(desk: Desk) -> None:
    service, other = desk.service(), desk.service()
    job, _ = await begin(desk, service)
    same = Order(**{**ORDER.__dict__, "brief": "  why are THERE\n tides? "})
    joined, new = await other.start(same)
    assert (joined.id, new) == (job.id, False)
    watching = asyncio.create_task(lines(other, joined))
    await asyncio.sleep(0)
    await desk.pass_time(2000)
    await watching
    assert (await other.job(job.id)).state is State.COMPLETED
    assert desk.creates == 1


async def test_concurrent_starts_of_one_order_send_one_create(desk: Desk) -> None:
    services = [desk.service() for _ in range(4)]
    jobs = [job for job, _ in await asyncio.gather(*(service.start(ORDER) for service in services))]
    assert len({job.id for job in jobs}) == 1
    watching = [asyncio.create_task(lines(s, jobs[0])) for s in services]
    while not (await services[0].job(jobs[0].id)).interaction_id:
        await asyncio.sleep(0.001)
    await desk.pass_time(3000)
    await asyncio.gather(*watching)
    assert desk.creates == 1
    assert (await services[0].job(jobs[0].id)).state is State.COMPLETED


async def test_a_deliberate_repeat_is_a_new_job(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER)
    assert (await service.start_again(job)).id == job.id  # the job is still running
    await lines_while_time_passes(desk, service, job)
    again = await service.start_again(job)
    assert (again.id != job.id, again.order.attempt, again.order.brief) == (True, 2, ORDER.brief)
    joined, new = await service.start(ORDER)
    assert (joined.id, new) == (again.id, False)


@pytest.mark.parametrize(
    "fault",
    [
        *("cut_after", "cut_inside", "end_after", "garbage_after", "array_after", "error_after"),
        *("unknown_after", "repeat_after", "swap_after"),
    ],
)
@pytest.mark.parametrize("events", [1, pytest.param(4, marks=pytest.mark.nightly), 12])
async def test_no_stream_fault_repeats_a_progress_line_or_damages_the_report(
    desk: Desk, fault: str, events: int
) -> None:
    desk.api.faults({"on": "create_stream", fault: events})
    service = desk.service()
    job, _ = await service.start(ORDER)
    shown = await lines_while_time_passes(desk, service, job)
    assert [line for line in shown if not line.startswith(TROUBLE)] == [line for line in LINES if line in shown]
    report = await service.report(job.id)
    assert report is not None
    assert re.sub(r"\[\\\[\d\\\]\]\([^)]*\)", "", report.text) == REPORT + "\n![figure-1](figure-1.png)"
    assert desk.creates == 1


async def lines_while_time_passes(desk: Desk, service: Research, job: Job) -> list[str]:
    """Lets virtual time pass in steps of a minute until the research is over."""
    watching = asyncio.create_task(lines(service, job))
    while not watching.done():
        await asyncio.sleep(0.002)
        await desk.pass_time(60)
    return await watching


async def test_a_resumed_stream_that_hangs_is_replaced_by_polling(desk: Desk) -> None:
    desk.api.faults(
        {"on": "create_stream", "cut_after": 4},
        {"on": "resume", "silence_after": 2, "times": 0},
    )
    service = desk.service(silence_timeout_s=1)
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    assert (await service.job(job.id)).state is State.COMPLETED
    kinds = [request["kind"] for request in desk.api.log()["requests"]]
    assert 1 <= kinds.count("resume") <= 4


async def test_progress_is_shown_from_polling_when_streaming_fails(desk: Desk) -> None:
    desk.api.faults({"on": "create_stream", "cut_after": 2}, {"on": "resume", "silence_after": 2, "times": 0})
    service = desk.service(silence_timeout_s=0.1, first_poll_s=100, max_poll_s=100)
    job, _ = await service.start(ORDER)
    shown = await lines(service, job)
    assert [line for line in shown if not line.startswith(TROUBLE)] == LINES[:3]  # the last line came only with the end
    assert await service.ledger.lines(await service.job(job.id)) == LINES[:3]


async def test_polling_slows_down_and_obeys_retry_after(desk: Desk) -> None:
    waits: list[float] = []
    pass_time = desk.pass_time

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await pass_time(seconds)

    desk.pass_time = noted  # type: ignore[method-assign]
    desk.api.faults(
        {"on": "create_stream", "cut_after": 2},
        {"on": "resume", "status": 503, "times": 0},
        {"on": "get", "status": 429, "retry_after_ms": 70_000, "skip": 8},
    )
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines(service, job)
    polls = [r for r in desk.api.log()["requests"] if r["kind"] == "get"]
    assert 1200 / (30 * 1.5) <= len(polls) <= 1200 / (30 * 0.5) + 8  # 20 minutes, mostly polled every 30 seconds
    [asked] = [wait for wait in waits if wait > 30 * 1.5]
    assert 70 <= asked <= 70 * 1.25
    assert len(set(waits)) > 20  # jitter: many followers do not ask at once


async def test_late_usage_is_fetched_after_the_end_and_the_duration_is_measured_locally(desk: Desk) -> None:
    desk.api.faults({"on": "create_stream", "no_usage": True}, {"on": "get", "no_usage": True, "times": 2})
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    job = await service.job(job.id)
    assert job.usage["total_tokens"] > 0
    assert job.seconds == (job.finished or 0) - job.created > 0


async def test_a_failed_read_never_ends_a_research_run(desk: Desk) -> None:
    desk.api.faults(
        {"on": "create_stream", "cut_after": 3},
        {"on": "resume", "status": 503, "times": 0},
        {"on": "get", "status": 500, "times": 3},
        {"on": "get", "status": 429, "retry_after_ms": 1, "times": 3},
    )
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    assert (await service.job(job.id)).state is State.COMPLETED
    assert desk.creates == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"after_accept": True},
        {"after_accept": True, "status": 503},
        {"drop": True},
        {"status": 500},
        {"end_after": 0},
        {"hang": True},
        {"hang": True, "after_accept": True},
    ],
)
async def test_a_create_whose_outcome_is_unknown_is_not_sent_again(desk: Desk, fault: dict[str, object]) -> None:
    on = "create_stream" if "end_after" in fault else "create"
    desk.api.faults({"on": on, **fault})
    service = desk.service(create_timeout_s=1 if "hang" in fault else 60)
    job, _ = await service.start(ORDER)
    assert await lines(service, job) == []
    job = await service.job(job.id)
    assert (job.state, bool(job.error)) == (State.START_UNKNOWN, True)
    posts = [r for r in desk.api.log()["requests"] if r["method"] == "POST"]
    assert len(posts) == 1
    assert (await service.start(ORDER))[0].id == job.id
    assert await lines(service, job) == []
    assert len([r for r in desk.api.log()["requests"] if r["method"] == "POST"]) == 1


async def test_an_unknown_start_is_reported_and_repeated_only_on_request(desk: Desk) -> None:
    desk.api.faults({"on": "create", "after_accept": True})
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines(service, job)
    said = outcome(await service.job(job.id))
    assert "may be running, and billed" in said
    assert f"“start again {job.id}”" in said
    again = await service.start_again(await service.job(job.id))
    await lines_while_time_passes(desk, service, again)
    assert ((await service.job(again.id)).state, desk.creates) == (State.COMPLETED, 2)


async def test_a_create_that_started_nothing_is_sent_again_after_retry_after(desk: Desk) -> None:
    desk.api.faults({"on": "create", "status": 429, "retry_after_ms": 1, "times": 2})
    service = desk.service()
    job, _ = await service.start(ORDER)
    shown = await lines_while_time_passes(desk, service, job)
    assert shown[0].startswith("nothing was started yet, trying again in ")
    assert ((await service.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_refused_create_fails_the_job_with_the_reason(desk: Desk, status: int) -> None:
    desk.api.faults({"on": "create", "status": status})
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines(service, job)
    job = await service.job(job.id)
    assert (job.state, desk.creates) == (State.FAILED, 0)
    assert re.search(rf"nothing was started: .*{status}", job.error)
    again, new = await service.start(ORDER)
    assert (new, again.id != job.id) == (True, True)


async def test_a_read_that_gets_401_raises_an_error_and_leaves_the_job_running(desk: Desk) -> None:
    desk.api.faults({"on": "create_stream", "cut_after": 2}, {"on": "get", "status": 401})
    service = desk.service()
    job, _ = await service.start(ORDER)
    with pytest.raises(ApiError):
        await lines(service, job)
    assert (await service.job(job.id)).state is State.RUNNING


async def test_a_turn_that_is_cancelled_leaves_the_research_running(desk: Desk) -> None:
    service = desk.service()
    job, watching = await begin(desk, service)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await desk.pass_time(3000)
    await lines(service, job)
    assert ((await service.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_a_turn_ends_after_its_time_limit_while_the_research_continues(desk: Desk) -> None:
    service = desk.service()
    job, watching = await begin(desk, service)
    assert (await lines(service, job, seconds=0.01))[:2] == LINES[:2]
    assert (await service.job(job.id)).state is State.RUNNING
    watching.cancel()


async def test_another_process_resumes_the_job_after_the_last_event_seen(desk: Desk) -> None:
    first = desk.service()
    job, _ = await begin(desk, first)
    await first.close()
    second = desk.service()
    shown = await lines_while_time_passes(desk, second, job)
    assert shown == ["Writing: Two sources agree.", "writing"]
    assert ((await second.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_a_start_whose_process_died_becomes_start_unknown(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.ledger.add(new_job(ORDER, 0))
    await service.ledger.change(job.id, {State.INTENDED}, now=0, state=State.STARTING)
    await service.ledger.take_lease(job.id, "dead", now=0, seconds=10)
    await lines(service, job)
    assert ((await service.job(job.id)).state, desk.creates) == (State.START_UNKNOWN, 0)


async def test_cancel_ends_the_research_at_the_server_and_stops_all_requests(desk: Desk) -> None:
    service = desk.service()
    job, watching = await begin(desk, service)
    job = await service.cancel(job.id)
    await watching
    assert (job.state, desk.api.interactions()[0]["status"]) == (State.CANCELLED, "cancelled")
    calls = len(desk.api.log()["requests"])
    assert (await service.cancel(job.id)).state is State.CANCELLED
    assert await lines(service, job) == []
    assert len(desk.api.log()["requests"]) == calls


@pytest.mark.parametrize("fault", [{"status": 501}, {"status": 503}, {"status": 401}, {"drop": True}], ids=str)
async def test_a_failed_cancel_is_reported_and_can_be_repeated(desk: Desk, fault: dict[str, object]) -> None:
    desk.api.faults({"on": "cancel", **fault})
    service = desk.service()
    job, watching = await begin(desk, service)
    with pytest.raises(ApiError, match="could not be cancelled and goes on"):
        await service.cancel(job.id)
    assert (await service.job(job.id)).state is State.RUNNING
    assert (desk.api.interactions()[0]["status"], watching.done()) == ("in_progress", False)
    assert (await service.cancel(job.id)).state is State.CANCELLED
    assert desk.api.interactions()[0]["status"] == "cancelled"
    await watching


@pytest.mark.parametrize("status", [404, 400])
@pytest.mark.parametrize("read", [{}, {"on": "get", "status": 503}], ids=["readable", "unreadable"])
async def test_a_refused_cancel_is_reported_and_the_run_is_no_longer_followed(
    desk: Desk, status: int, read: dict[str, object]
) -> None:
    desk.api.faults({"on": "cancel", "status": status}, *([read] if read else []))
    service = desk.service()
    job, watching = await begin(desk, service)
    job = await service.cancel(job.id)
    assert (job.state, "would not cancel" in job.error) == (State.CANCELLED, True)
    assert not service._tasks.is_running(job.id)  # following stops at once, not only when the lease is renewed
    await watching
    calls = len(desk.api.log()["requests"])
    await desk.pass_time(3000)
    assert await lines(service, job) == []
    assert len(desk.api.log()["requests"]) == calls


async def test_a_cancel_after_the_run_has_completed_keeps_the_report(desk: Desk) -> None:
    service = desk.service()
    job, watching = await begin(desk, service)
    watching.cancel()
    await service.close()
    await desk.pass_time(3000)
    desk.api.faults({"on": "cancel", "status": 400})
    late = desk.service()
    assert (await late.cancel(job.id)).state is State.COMPLETED
    assert await late.report(job.id) is not None


async def test_a_cancel_on_one_replica_stops_all_requests_of_the_replica_that_follows(desk: Desk, later: Later) -> None:
    following, cancelling = desk.service(), desk.service()
    desk.api.faults({"on": "cancel", "status": 404})  # so that the stream continues
    job, watching = await begin(desk, following)
    assert (await cancelling.cancel(job.id)).state is State.CANCELLED
    later(4)  # when the follower renews its lease
    await asyncio.wait_for(watching, 60)
    calls = len(desk.api.log()["requests"])
    await desk.pass_time(3000)
    assert len(desk.api.log()["requests"]) == calls


async def test_a_run_without_news_becomes_stalled_and_shows_the_facts_and_the_choices(desk: Desk) -> None:
    desk.api.faults({"on": "stream", "end_after": 1, "times": 0})
    service = desk.service(stall_after_s=30, silence_timeout_s=0.1)
    job, _ = await service.start(ORDER)
    await lines(service, job)
    job = await service.job(job.id)
    assert job.state is State.STALLED
    ordered = to_minute(job.created)
    assert re.search(
        rf"no news for 1 minutes, since .* UTC; it was ordered at {ordered}; .* in_progress, with [01] steps", job.error
    )
    said = outcome(job)
    assert [choice in said for choice in ("keep waiting", f"cancel {job.id}", f"start again {job.id}")] == [True] * 3
    desk.api.faults()
    await desk.pass_time(3000)
    await lines(service, job)
    assert ((await service.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_a_run_whose_resource_changes_is_not_called_stalled(desk: Desk) -> None:
    desk.api.faults({"on": "stream", "end_after": 1, "times": 0})
    service = desk.service(stall_after_s=610, silence_timeout_s=0.1)  # less than the research takes
    job, _ = await service.start(ORDER)
    await lines(service, job)
    assert (await service.job(job.id)).state is State.COMPLETED


async def test_a_read_that_hangs_times_out_and_is_retried(desk: Desk) -> None:
    desk.api.faults({"on": "create_stream", "cut_after": 3}, {"on": "get", "hang": True})
    service = desk.service(timeout_s=0.2)
    job, _ = await service.start(ORDER)
    shown = await lines_while_time_passes(desk, service, job)
    assert "the server cannot be read; the research goes on, trying again" in shown
    assert (await service.job(job.id)).state is State.COMPLETED


async def test_a_run_whose_process_died_is_finished_in_the_background(desk: Desk) -> None:
    first = desk.service()
    job, _ = await begin(desk, first)
    await first.close()
    await desk.pass_time(3000)
    second = desk.service()
    assert [taken.id for taken in await second.resume()] == [job.id]
    while (await second.job(job.id)).state is State.RUNNING:
        await asyncio.sleep(0.001)
    assert ((await second.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)
    assert await second.resume() == []


async def test_an_unsent_order_of_a_dead_process_is_sent_once_but_not_after_an_hour(desk: Desk) -> None:
    now = [time.time()]
    here, there = desk.service(clock=lambda: now[0]), desk.service(clock=lambda: now[0])
    job = new_job(ORDER, now[0])
    await here.ledger.add(job)
    assert await here.resume() == []  # another process may be sending it right now
    now[0] += 3_700
    assert await here.resume() == []
    now[0] -= 3_600
    taken = [found.id for service in (here, there) for found in await service.resume()]
    assert job.id in taken
    while (await here.job(job.id)).state is not State.RUNNING:
        await asyncio.sleep(0.001)
    await desk.pass_time(3000)
    while (await here.job(job.id)).state is State.RUNNING:
        await asyncio.sleep(0.001)
    assert ((await here.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_the_error_for_an_unknown_job_names_it(desk: Desk) -> None:
    with pytest.raises(UnknownJob, match="job_nothere1"):
        await desk.service().job("job_nothere1")


def bytes_of(folder: Path, files: str) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob(files))


@pytest.mark.parametrize("refused", [False, True])
async def test_no_api_key_reaches_the_log_or_the_ledger(
    desk: Desk, refused: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = "AIzaSy-a-key-that-nobody-may-read-123456"
    caplog.set_level(logging.DEBUG)
    if refused:
        desk.api.faults({"on": "create", "status": 401})
    service = desk.service(key=key)
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    assert (await service.job(job.id)).state is (State.FAILED if refused else State.COMPLETED)
    assert {request["key"] for request in desk.api.log()["requests"]} == {fingerprint(key)}  # the key was used
    await service.close()
    written = bytes_of(tmp_path, "ledger.db*")
    assert ORDER.brief.encode() in written
    assert key.encode() not in written
    assert desk.api.url in caplog.text
    assert key not in caplog.text
