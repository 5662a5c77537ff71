"""Malformed answers as seen in the field: there is one create, the end is reported, and no report is lost."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.malformed_answers.fuzz import play_many
from tests.malformed_answers.play import AGENT, Place, check, place
from tests.malformed_answers.server import (
    CREATED,
    DONE,
    EVENT_STREAM,
    JSON,
    NAME,
    REPORT,
    RUNNING,
    Reply,
    form_server,
    sent_as_events,
    sent_as_json,
)
from tools.interactions import http_answer
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError
from tools.research.follow_up import NoAnswer, UnknownModel
from tools.research.job_states import State
from tools.research.order import Order
from tools.researcher.run_texts import outcome

PAGE = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
HTML = ("content-type", "text/html; charset=utf-8")
ODD_FIRST = ["ping", [], {"error": "text"}, {"interaction": {"status": "in_progress"}}, 5, None, {"interaction": "x"}]


@pytest.fixture
async def where(tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path) as found:
        yield found


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 X"]
)
@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/x", "/elsewhere", "::", "http://[", ""])
async def test_a_create_follows_no_redirect(where: Place, status: str, target: str, closed_port: int) -> None:
    where.server.play(create=[Reply(status, (("location", target.format(port=closed_port)),))])
    job = await check(where, "tides")
    assert job.state is State.START_UNKNOWN
    assert [line for line, _ in where.server.requests if line.startswith("POST")] == ["POST /v1beta/interactions"]


@pytest.mark.parametrize("call", ["create", "stream", "read"])
async def test_the_api_key_is_sent_to_no_other_server(where: Place, call: str) -> None:
    async with form_server() as other:
        away = Reply("307 Temporary Redirect", (("location", f"{other.url}/v1beta/interactions/{NAME}"),))
        where.server.play(**{call: [away, sent_as_json(DONE)]})
        await check(where, "tides")
        assert other.requests == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(headers=(HTML,), body=PAGE),
        Reply("204 No Content"),
        Reply(),
        Reply(headers=(JSON,), body=b"{"),
        Reply(headers=(JSON,), body=b"[" * 100_000),
        Reply(headers=(EVENT_STREAM,), body=b": ping\n\n"),
        Reply("202 Accepted", (("content-type", "application/octet-stream"),), b"\x00\xff" * 999),
        Reply("201 Created", (("location", "/v1beta/operations/7"),)),
        Reply(headers=(JSON, ("content-encoding", "gzip")), body=b"no gzip"),
        Reply(headers=(("content-length", "50"),), body=b"{}"),
        sent_as_json({"error": {"code": 500, "message": "later"}}),
    ],
)
async def test_a_create_answer_without_an_interaction_id_leaves_the_start_unknown(where: Place, reply: Reply) -> None:
    where.server.play(create=[reply])
    assert (await check(where, "tides")).state is State.START_UNKNOWN


@pytest.mark.parametrize(
    "reply",
    [
        sent_as_json(RUNNING),
        sent_as_json({"id": NAME}),
        sent_as_json(RUNNING, "201 Created"),
        Reply(headers=(HTML,), body=b' {"id": "v1_form", "status": "in_progress"}'),
        Reply("201 Created", (("location", f"https://example.org/v1beta/interactions/{NAME}?alt=json"),)),
        Reply("202 Accepted", (("location", f"/v1beta/interactions/{NAME}"), JSON), b"{}"),
        Reply("201 Created", (("location", f"/v1beta/interactions/{NAME}"), ("content-length", "99")), b"data: p"),
        Reply(headers=(EVENT_STREAM,), body=sent_as_events(CREATED).body.rstrip()),
        Reply(body=sent_as_events(CREATED).body),
        Reply(headers=(HTML,), body=sent_as_events(CREATED).body),
    ],
)
async def test_the_interaction_id_is_found_in_json_events_or_the_location_header(where: Place, reply: Reply) -> None:
    where.server.play(create=[reply])
    job = await check(where, "tides", report=REPORT)
    assert (job.state, job.interaction_id) == (State.COMPLETED, NAME)


@pytest.mark.parametrize("odd", [*ODD_FIRST, b"data: ping\n\n", b"data: \xff\xfe\n\n", b'data: {"a":\n\n'])
async def test_malformed_events_before_the_interaction_id_are_skipped(where: Place, odd: Any) -> None:
    where.server.play(create=[sent_as_events(odd, odd, CREATED)])
    job = await check(where, "tides", report=REPORT)
    assert (job.state, job.interaction_id) == (State.COMPLETED, NAME)


async def test_a_numeric_interaction_id_is_stored_as_text(where: Place) -> None:
    where.server.play(create=[sent_as_events({**CREATED, "interaction": {"id": 12, "status": "in_progress"}})])
    job = await check(where, "tides")
    assert (job.interaction_id, job.state) == ("12", State.EXPIRED)


@pytest.mark.parametrize("id_", ["a/../../v1beta/interactions", "a?b=c#d", "ü\u0000\ud800", " ", "%2f"])
async def test_an_interaction_id_with_special_characters_stays_one_path_segment(where: Place, id_: str) -> None:
    where.server.play(create=[sent_as_json({"id": id_, "status": "in_progress"})])
    await check(where, "tides")
    assert all(line.count("/") == 3 for line, _ in where.server.requests[1:])


async def test_an_interaction_id_that_is_too_long_is_ignored(where: Place) -> None:
    where.server.play(create=[sent_as_json({"id": "a" * 2_000, "status": "in_progress"})])
    assert (await check(where, "tides")).state is State.START_UNKNOWN


@pytest.mark.parametrize("wait", ["86400", "inf", "nan", "-5", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "²", "soon"])
@pytest.mark.parametrize("header", ["retry-after", "retry-after-ms"])
async def test_retry_after_delays_a_read_by_at_most_five_minutes(where: Place, wait: str, header: str) -> None:
    later = Reply("503 Service Unavailable", ((header, wait),))
    where.server.play(stream=[later], read=[later, later, sent_as_json(DONE)])
    assert (await check(where, "tides", report=REPORT)).state is State.COMPLETED
    assert max(where.waits) <= 450  # five minutes, and a half for the jitter of polling


@pytest.mark.parametrize("reply", [Reply(headers=(HTML,), body=PAGE), Reply("204 No Content"), Reply("302 Found")])
async def test_a_read_without_an_interaction_is_retried_like_a_503(where: Place, reply: Reply) -> None:
    where.server.play(stream=[reply], read=[*[reply] * 5, sent_as_json(DONE)])
    assert (await check(where, "tides", report=REPORT)).state is State.COMPLETED


def output(*texts: Any) -> dict[str, Any]:
    return {"type": "model_output", "content": [{"type": "text", "text": text} for text in texts]}


THOUGHT = {"type": "thought", "summary": [{"type": "text", "text": "Hm."}]}
SEARCH = {"type": "google_search_call", "id": "s", "arguments": {"queries": ["tides"]}}


@pytest.mark.parametrize("between", [THOUGHT, SEARCH, {"type": "hologram"}, {}])
async def test_a_report_contains_all_of_its_outputs(where: Place, between: dict[str, Any]) -> None:
    steps = [{"type": "user_input", "content": []}, output("# Tides\n\nFirst."), between, output("Done. Let me know…")]
    where.server.play(read=[sent_as_json({**DONE, "steps": steps})])
    job = await check(where, "tides", report="First.")
    found = await where.service.report(job.id)
    assert found is not None
    assert (found.title, "Let me know" in found.text) == ("Tides", True)


@pytest.mark.parametrize(
    "odd",
    [
        {"errors": 5, "usage": [1]},
        {"errors": ["one", {"code": 3}], "usage": None},
        {"usage": {"total_tokens": "7", "x": [1]}},
        {"steps": [5, None, output(REPORT)]},
        {"steps": output(REPORT)},
        {"steps": [{"type": "model_output", "content": {"type": "text", "text": REPORT}}]},
        {"steps": [{"type": "model_output", "content": REPORT}]},
        {"steps": [{"type": "model_output", "content": [REPORT, 5, None]}]},
    ],
)
async def test_readable_parts_of_a_malformed_finished_interaction_are_kept(where: Place, odd: dict[str, Any]) -> None:
    where.server.play(read=[sent_as_json({**DONE, **odd})])
    assert (await check(where, "tides", report="The moon moves the sea.")).state is State.COMPLETED


@pytest.mark.parametrize(
    "text",
    [
        "| a |\n|---|\n| " + " " * 200_000 + " |\n",
        "[" * 60_000,
        "`" * 40_000,
        "[](" * 30_000,
        "**a " * 30_000,
        "<" * 60_000,
        "> " * 30_000,
        "[1] " * 30_000,
        "![x](" * 20_000,
    ],
)
async def test_no_report_blocks_the_event_loop(where: Place, text: str) -> None:
    where.server.play(read=[sent_as_json({**DONE, "steps": [output(f"# Tides\n\n{text}\n\nThe end.")]})])
    job = await where.research("tides")
    found = await where.service.report(job.id)
    assert found is not None
    assert (job.state, found.text.endswith("The end.")) == (State.COMPLETED, True)
    assert where.heart.held <= where.max_held_s


async def test_unsafe_characters_of_a_report_are_replaced_when_it_is_read(where: Place) -> None:
    where.server.play(read=[sent_as_json({**DONE, "steps": [output("# Ti\0des\n\nThe \ud800moon\x1b[2J.")]})])
    job = await check(where, "tides", report="The \ufffdmoon?[2J.")
    assert job.state is State.COMPLETED


@pytest.mark.parametrize("words", ["no model gemini-2.5-flsh", "not found"])
async def test_the_error_for_an_unknown_follow_up_model_names_the_key_and_the_nearest_model(
    where: Place, words: str
) -> None:
    gone = sent_as_json({"error": {"code": "not_found", "message": words}}, "404 Not Found")
    where.server.play(create=[sent_as_events(CREATED), gone])
    job = await check(where, "tides")
    with pytest.raises(UnknownModel, match=r"follow_up_model: gemini-2\.5-flsh.*did you mean `gemini-2\.5-flash`"):
        await where.service.follow_ups.ask_once(job.id, "Why?", "gemini-2.5-flsh")


async def test_a_follow_up_answer_in_several_interactions_is_joined(where: Place) -> None:
    parts = [
        sent_as_json(
            {"id": "a1", "status": "requires_continuation", "continuation_token": "t", "steps": [output("One.")]}
        ),
        sent_as_json({"id": "a2", "status": "completed", "steps": [output("Two.")]}),
    ]
    where.server.play(create=[sent_as_events(CREATED), *parts])
    job = await check(where, "tides")
    assert await where.service.follow_ups.ask_once(job.id, "Why?", "gemini-3.8-flash") == "One.\n\nTwo."
    [answer] = (await where.service.job(job.id)).follow_ups
    assert (answer.interaction_id, answer.earlier) == ("a2", ("a1",))


async def test_an_answer_without_text_is_reported_and_never_paid_for_again(where: Place) -> None:
    silent = sent_as_json({"id": "a1", "status": "completed", "steps": [output(" ")]})
    where.server.play(create=[sent_as_events(CREATED), silent, sent_as_json({**DONE, "id": "a2"})])
    job = await check(where, "tides")
    for _ in range(2):
        with pytest.raises(NoAnswer, match=r"has answered nothing .* ask in other words"):
            await where.service.follow_ups.ask_once(job.id, "Why?", "gemini-3.8-flash")
    assert [entry.kind for entry in await where.service.ledger.spending()] == ["run", "question"]


async def test_an_endless_continuation_is_stopped(where: Place) -> None:
    part = sent_as_json(
        {"id": "a1", "status": "requires_continuation", "continuation_token": "t", "steps": [output("A.")]}
    )
    where.server.play(create=[sent_as_events(CREATED), part])
    job = await check(where, "tides")
    await where.service.follow_ups.ask_once(job.id, "Why?", "gemini-3.8-flash")
    assert len((await where.service.job(job.id)).follow_ups) == 1


@pytest.mark.parametrize("reply", [Reply("204 No Content"), Reply("202 Accepted"), Reply(headers=(JSON,), body=b"{}")])
async def test_any_2xx_answer_to_cancel_or_delete_counts_as_success(where: Place, reply: Reply) -> None:
    where.server.play(create=[sent_as_json(RUNNING)], read=[sent_as_json(RUNNING)], answer=[reply])
    job, _ = await where.service.start(Order(brief="tides", user="ada", session="s", agent=AGENT))
    while not (await where.service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)
    assert (await where.service.cancel(job.id)).state is State.CANCELLED
    assert "deleted at the server" in (await where.service.forget(job.id))[0]


@pytest.mark.parametrize("status, costs", [("403 Forbidden", False), ("200 OK", True)])
async def test_the_note_that_a_repeat_costs_again_appears_only_if_something_was_started(
    where: Place, status: str, costs: bool
) -> None:
    failed = sent_as_json({**DONE, "status": "failed", "errors": ["no"]})
    where.server.play(create=[Reply(status, body=sent_as_events(CREATED).body)], read=[failed])
    job = await where.research("tides")
    assert (job.state, "costs again" in outcome(job)) == (State.FAILED, costs)


async def test_secrets_in_an_error_of_the_server_are_masked() -> None:
    async with form_server() as server:
        url = server.url.replace("http://", "http://bob:pass%20word1@")
        transport = Transport(gemini_endpoint(url, "the-key-of-2026"))
        client = InteractionsClient(lambda: transport)
        said = "bad key the-key-of-2026 for bob:pass%20word1 or pass word1"
        for answer in (
            sent_as_json({"error": {"message": said}}, "400 Bad Request"),
            Reply("500 Oops", body=said.encode()),
            sent_as_json({"error": {"message": said}}),
        ):
            server.play(read=[answer])
            with pytest.raises(ApiError) as raised:
                await client.get(NAME)
            assert "bad key" in str(raised.value)
            assert "2026" not in str(raised.value) and "word1" not in str(raised.value)
        await transport.aclose()


async def test_a_long_error_message_of_the_server_is_truncated(where: Place) -> None:
    where.server.play(create=[sent_as_json({"error": {"message": "no " * 99_999}}, "400 Bad Request")])
    job = await check(where, "tides")
    assert (job.state, len(job.error) < 3_000) == (State.FAILED, True)


async def test_a_stream_with_an_endless_line_is_abandoned(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_answer, "MAX_BYTES", 10_000)
    where.server.play(create=[Reply(headers=(EVENT_STREAM,), body=b"data: " + b"a" * 200_000)])
    assert (await check(where, "tides")).state is State.START_UNKNOWN


def test_random_answers_never_pay_twice_end_silently_or_lose_a_report(tmp_path: Path) -> None:
    play_many(tmp_path, examples=15, number=1)  # the first of those that `make faults` plays


@pytest.mark.nightly
def test_the_fuzz_command_plays_the_requested_number_of_answers() -> None:
    command = [sys.executable, "-m", "tests.malformed_answers", "--examples", "20", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "20 forms (seeds 7 to 7): no promise broken" in done.stdout, done.stderr
