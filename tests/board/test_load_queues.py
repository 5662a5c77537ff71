"""Reports may be large, and to render them is work: nobody's requests keep others waiting or fill the memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from socket import create_connection, socket

import pytest
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.types import Message

from tests.board.conftest import Site, link_in, propose, until
from tests.conftest import Later
from tests.overlaps import Overlaps
from tools.board import base
from tools.board.limits import MAX_LOADED, MAX_REQUESTS, MIN_BYTES_PER_S, PIECE_BYTES
from tools.board.load_queues import LoadQueues
from tools.board.piecewise_sending import PiecewiseSending
from tools.research.job import Job
from tools.research.ledger import Ledger
from tools.research.schedules.store import ScheduleStore


async def test_a_reader_has_one_report_in_memory_and_all_readers_together_a_few() -> None:
    limits, done = LoadQueues(), asyncio.Event()
    loaded = list[str]()

    async def load(reader: str) -> None:
        async with limits.loading(reader):
            loaded.append(reader)
            await done.wait()

    flood = [asyncio.create_task(load("")) for _ in range(30)]
    others = [asyncio.create_task(load(f"user {number}")) for number in range(MAX_LOADED)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert loaded == ["", *(f"user {number}" for number in range(MAX_LOADED - 1))]
    done.set()
    await asyncio.gather(*flood, *others)
    assert len(loaded) == 30 + MAX_LOADED


async def test_requests_of_a_reader_are_limited_and_give_their_place_back() -> None:
    limits = LoadQueues()
    for _ in range(2):
        with ExitStack() as requests:
            for _ in range(MAX_REQUESTS):
                requests.enter_context(limits.request("ada"))
            with pytest.raises(HTTPException) as refused, limits.request("ada"):
                pass
            assert refused.value.status_code == 429
            with limits.request("bob"):
                pass


async def test_a_cancelled_request_gives_its_turn_back() -> None:
    limits = LoadQueues()
    async with limits.loading("ada"):
        waiting = asyncio.create_task(limits.loading("ada").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5), limits.loading("ada"):
        pass


def test_a_user_who_asks_for_a_report_many_times_at_once_has_it_in_memory_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site.start()
    site.finish(path)
    link = link_in(site.send(site.page(path), "share", days="1").text)
    loaded, most, report, render = set[object](), list[int](), Ledger.report, base.render_fragments

    async def counted_report(ledger: Ledger, job_id: str) -> str | None:
        loaded.add(asyncio.current_task())
        most.append(len(loaded))
        return await report(ledger, job_id)

    async def counted_render(*arguments: object) -> list[str]:
        try:
            return await render(*arguments)  # type: ignore[arg-type]
        finally:
            loaded.discard(asyncio.current_task())

    monkeypatch.setattr(Ledger, "report", counted_report)
    monkeypatch.setattr(base, "render_fragments", counted_render)
    for url in (path, link):
        with ThreadPoolExecutor(6) as threads:
            assert {*threads.map(lambda url: site.client.get(url).status_code, [url] * 6)} == {200}
    assert len(most) == 12
    assert max(most) == 1


@pytest.mark.parametrize("place", ["/", "/research/schedules", "a run", "a schedule"])
def test_a_user_who_opens_a_page_many_times_at_once_has_its_list_or_its_files_in_memory_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = {"a run": site.order, "a schedule": lambda: propose(site)}.get(place, lambda: place)()
    overlaps = Overlaps(50, lambda values: values.get("with_files") is not False)
    for owner, name in ((Ledger, "find"), (Ledger, "get"), (ScheduleStore, "of_user")):
        monkeypatch.setattr(owner, name, overlaps.counted(getattr(owner, name)))
    with ThreadPoolExecutor(6) as threads:
        assert {*threads.map(lambda path: site.client.get(path).status_code, [path] * 6)} == {200}
    assert (len(overlaps.running), max(overlaps.running)) == (6, 1)


def test_neither_a_share_link_nor_a_live_page_nor_a_form_reads_the_files_of_an_order(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site.start()
    site.finish(path)
    share = site.send(site.page(path), "share", days="1")
    link, form = share.text.partition(' value="http')[2].partition('"')[0], site.page(f"{path}/delete")
    read, get = list[object](), Ledger.get

    async def seen(ledger: Ledger, job_id: str, *, with_files: bool = True) -> Job | None:
        read.append(with_files)
        return await get(ledger, job_id, with_files=with_files)

    monkeypatch.setattr(Ledger, "get", seen)
    for url in (f"http{link}", *(f"{path}{end}" for end in ("/events", "/delete", "/report.md"))):
        assert site.client.get(url).status_code == 200, url
    assert site.send(form, "delete", seen="").status_code == 409
    assert {*read} == {False}


def test_a_report_is_not_rendered_for_a_client_that_has_left(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = site.start()
    site.finish(path)
    begun, go_on, render = list[int](), threading.Event(), base.render_fragments

    async def slow_render(*arguments: object) -> list[str]:
        begun.append(1)
        await asyncio.to_thread(go_on.wait)
        return await render(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(base, "render_fragments", slow_render)
    with ExitStack() as connections:
        for _ in range(5):
            connections.enter_context(begin_request(site, path))
        until(lambda: begun)
    site.client.get("/")  # the server reads it after the ends of the connections
    go_on.set()
    assert site.client.get(path).status_code == 200
    assert len(begun) == 2


async def test_a_client_that_does_not_read_is_cut_off_and_its_place_is_free_again() -> None:
    ended, sent = list[str](), list[int]()

    async def page(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        scope["state"]["until_sent"].callback(lambda: ended.append("ended"))
        await Response(b"x" * 10 * PIECE_BYTES)(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def stuck(message: Message) -> None:
        sent.append(len(message.get("body", b"")))
        if len(sent) == 3:
            await asyncio.Event().wait()

    sending = PiecewiseSending(page, max_wait_s=0.01)
    scope = {"type": "http", "method": "GET", "state": {"abort": lambda: ended.append("cut off")}}
    await asyncio.wait_for(sending(scope, receive, stuck), 10)
    assert (sent, ended) == ([0, PIECE_BYTES, PIECE_BYTES], ["cut off", "ended"])


@pytest.mark.parametrize(("bytes_per_s", "is_cut_off"), [(2_000, True), (2 * MIN_BYTES_PER_S, False)])
async def test_a_client_that_takes_a_little_each_minute_is_cut_off(
    later: Later, bytes_per_s: int, is_cut_off: bool
) -> None:
    ended, sent = list[str](), list[int]()

    async def page(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        await Response(b"x" * 100 * PIECE_BYTES)(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def drip(message: Message) -> None:
        size = len(message.get("body", b""))
        later(size / bytes_per_s)
        for _ in range(5):  # lets timers end
            await asyncio.sleep(0)
        sent.append(size)

    scope = {"type": "http", "method": "GET", "state": {"abort": lambda: ended.append("cut off")}}
    await asyncio.wait_for(PiecewiseSending(page)(scope, receive, drip), 10_000)
    assert (len(sent) < 10, sum(sent) < 100 * PIECE_BYTES, ended == ["cut off"]) == (is_cut_off,) * 3


async def test_a_stream_makes_no_event_ahead_of_its_reader_and_ends_when_nobody_reads() -> None:
    made, ended = list[int](), list[str]()

    async def events() -> AsyncIterator[str]:
        for number in range(1_000):
            made.append(number)
            yield f"data: {number}\n\n"

    async def page(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        scope["state"]["until_sent"].callback(lambda: ended.append("ended"))
        await StreamingResponse(events(), media_type="text/event-stream")(scope, receive, send)

    async def receive() -> Message:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def stuck(message: Message) -> None:
        if len(made) == 3:
            await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "state": {"abort": lambda: ended.append("cut off")}}
    await asyncio.wait_for(PiecewiseSending(page, max_wait_s=0.01)(scope, receive, stuck), 10)
    assert (made, ended) == ([0, 1, 2], ["cut off", "ended"])


def test_a_reader_who_takes_nothing_keeps_a_place_only_while_the_answer_is_sent(site: Site) -> None:
    path = site.start()
    site.finish(path)
    with ExitStack() as connections:
        for _ in range(MAX_REQUESTS):
            connections.enter_context(begin_request(site, path))
    until(lambda: site.client.get(path).status_code == 200)


def begin_request(site: Site, path: str) -> socket:
    """Sends a request, and reads nothing."""
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in site.client.cookies.jar)
    connection = create_connection((site.access.host, site.access.port))
    host = f"{site.access.host}:{site.access.port}"
    head = f"GET {site.access.path}{path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"
    connection.sendall(head.encode())
    return connection
