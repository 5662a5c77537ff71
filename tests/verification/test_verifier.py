"""What is wrong with a source is named, and no server can harm, delay or deceive the machine that checks it."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import tracemalloc
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from tests.conftest import Later
from tests.research.resources import finished, url_citation
from tests.verification.web import FILLING, Web, endless, silent
from tools.research.report.reading import read_report
from tools.research.report.report import Report
from tools.research.verification import verifier
from tools.research.verification.checks import SourceCheck
from tools.research.verification.limits import MAX_PDF_TEXT_CHARS, MAX_PDF_TITLE_CHARS
from tools.research.verification.matching import Page
from tools.research.verification.pdf_worker import pdf_text
from tools.web_addresses.public_http import look_up

FACT = "The barrage of La Rance has 24 turbines and a peak rating of 240 megawatts."
PAGE = f"<title>La Rance</title><h1>La Rance</h1><p>{FACT}</p><p>{FILLING}</p>"


def report(*urls: str, read: Any = ()) -> Report:
    """A report in which a sentence cites each address.

    Args:
        read: the addresses that the run's steps name.
    """
    steps = [{"type": "url_context_result", "call_id": "c", "result": [{"url": u, "status": "success"}]} for u in read]
    block = f"{FACT}\n\n"
    cited = [url_citation(url, "A", 0, number * len(block) + len(FACT)) for number, url in enumerate(urls)]
    return read_report(finished(*steps, [{"type": "text", "text": block * len(urls), "annotations": cited}]))


def pdf(text: str) -> bytes:
    """A PDF of one line."""
    content = f"BT /F 12 Tf 10 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 8] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % each for each in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n0\n%%EOF\n"


async def check(web: Web, *places: str, **limits: float) -> list[SourceCheck]:
    """The checks of a report that cites these places of the web, or complete addresses."""
    urls = [place if "//" in place else web.url(place) for place in places]
    return list(await web.verifier(**limits).check(report(*urls)))


async def test_a_dead_redirected_duplicated_unsupported_and_misquoted_source_is_each_named(web: Web) -> None:
    copy = "http://web.archive.org/web/2020/http://gone.example/"
    web.pages = {
        "alive.example/": PAGE,
        "gone.example/": 404,
        "moved.example/": f"-> {web.url('new.example/place')}",
        "twice.example/a": f'<link rel="canonical" href="/main?utm_source=b">{PAGE}',
        "twice.example/main": PAGE,
        "unknown.example/": PAGE,
        "misquoted.example/": PAGE.replace("240", "420"),
        "other.example/": f"<p>{FILLING}</p>",
        "soft.example/": f"<title>Page not found | Soft</title><p>{FILLING}</p>",
        "pages.example/": f"<title>404 Not Found, a novel</title><p>{FACT} {FILLING}</p>",
    }
    places = list(web.pages)
    urls = {place: web.url(place) for place in places}
    web.pages |= {
        "new.example/place": PAGE,
        "archive.example/available": ({}, b'{"archived_snapshots": {"closest": {"url": "%s"}}}' % copy.encode()),
    }
    read = [url for place, url in urls.items() if place != "unknown.example/"]
    checks = dict(zip(places, await web.verifier().check(report(*urls.values(), read=read)), strict=True))
    assert {place: (check.verdict, check.remarks) for place, check in checks.items()} == {
        "alive.example/": ("found", []),
        "gone.example/": ("not reachable", ["status 404", f"archived at {copy}"]),
        "moved.example/": ("found", [f"redirected to {web.url('new.example/place')}"]),
        "twice.example/a": ("found", []),
        "twice.example/main": ("found", ["same page as 4"]),
        "unknown.example/": ("found", ["unsupported by the run"]),
        "misquoted.example/": ("misquoted", ["240 MW is not there"]),
        "other.example/": ("not found", []),
        "soft.example/": ("not reachable", ["its title says that there is no such page", f"archived at {copy}"]),
        "pages.example/": ("found", []),
    }
    assert checks["moved.example/"].final_url == web.url("new.example/place")
    assert (checks["alive.example/"].title, checks["alive.example/"].status) == ("La Rance", 200)
    doubtful = [place for place, check in checks.items() if check.doubtful]
    assert doubtful == ["gone.example/", "unknown.example/", "misquoted.example/", "other.example/", "soft.example/"]


async def test_only_dead_public_pages_are_named_to_the_archive_and_only_if_it_is_allowed(web: Web) -> None:
    web.pages = {"alive.example/": PAGE, "busy.example/": 503, "gone.example/": 410}
    places = [*web.pages, "inside.example/"]
    await check(web, *places)
    assert [place for place in web.asked if place.startswith("archive")] == [
        f"archive.example/available?url=http%3A%2F%2Fgone.example%3A{web.port}%2F"
    ]


@pytest.mark.parametrize("copy", ["http://evil.example/", "javascript://web.archive.org/%0aalert(1)", "http://[", 1])
async def test_only_a_web_page_of_the_archive_is_shown_as_the_copy_of_a_page(web: Web, copy: object) -> None:
    answer = json.dumps({"archived_snapshots": {"closest": {"url": copy}}}).encode()
    web.pages = {"gone.example/": 410, "archive.example/available": ({}, answer)}
    assert [check.archived_url for check in await check(web, "gone.example/")] == [""]


async def test_pages_that_refuse_programs_are_never_called_dead(web: Web) -> None:
    web.pages = {f"paid.example/{status}": status for status in (401, 403, 429, 503)}
    assert {(check.verdict, check.doubtful) for check in await check(web, *web.pages)} == {("cannot be told", False)}


async def test_what_robots_txt_forbids_is_not_fetched(web: Web) -> None:
    rules = b"User-agent: *\nDisallow: /private\n\nUser-agent: research-desk\nDisallow: /ours"
    web.pages = {
        "a.example/robots.txt": ({"content-type": "text/plain"}, rules),
        "a.example/private": PAGE,
        "a.example/ours": PAGE,
        "b.example/": f"-> {web.url('a.example/ours')}",
        "broken.example/robots.txt": 500,
        "broken.example/": PAGE,
        "c.example/robots.txt": ({}, b"User-agent: *\nAllow: /\nDisallow: /search\nAllow: /search/help"),
        "c.example/search": PAGE,
        "c.example/search/help": PAGE,
        "sly.example/robots.txt": "-> http://inside.example/",
        "sly.example/": PAGE,
    }
    may, may_not = ["a.example/private", "c.example/search/help"], ["a.example/ours", "b.example/", "broken.example/"]
    may_not += ["c.example/search", "sly.example/"]
    checks = await check(web, *may, *may_not)
    assert [check.problem for check in checks] == [*[""] * 2, *["robots.txt forbids to read it"] * 5]
    assert not any(check.dead for check in checks)
    assert sorted(web.asked) == ["a.example/private", "b.example/", "c.example/search/help"]


@pytest.mark.parametrize(
    "private",
    [
        *("http://127.0.0.1:PORT/", "http://localhost/", "http://127.1:80/", "http://2130706433/", "http://0x7f.1/"),
        *("http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://10.0.0.1/", "http://169.254.169.254/latest/"),
        *("http://metadata.google.internal/", "http://user:secret@b.example:WEB/", "http://inside.example:PORT/"),
        *("http://metadata.example/", "http://six.example/", "http://１２７.0.0.1:PORT/", "http://127。0。0。1/"),
    ],
)
async def test_a_private_address_is_never_requested_neither_as_source_nor_after_a_redirect(
    web: Web, private: str
) -> None:
    other = socket.create_server(("127.0.0.1", 0))  # a service of this machine, which the verifier may not reach
    port = other.getsockname()[1]
    private = private.replace("PORT", str(port)).replace("WEB", str(web.port))
    web.pages = {"a.example/": f"-> {private}".encode().decode("latin-1")}
    other.setblocking(False)
    checks = await check(web, private, "a.example/")
    assert [check.verdict for check in checks] == ["not reachable"] * 2
    pages, archive = ([p for p in web.asked if p.startswith("archive") is asked] for asked in (False, True))
    assert pages == ["a.example/"]
    assert all("a.example" in place for place in archive), "the archive is not told of private addresses"
    with pytest.raises(BlockingIOError):
        other.accept()
    other.close()


async def test_the_connection_goes_to_the_address_that_was_checked(web: Web) -> None:
    web.pages = {"a.example/": PAGE}
    (found,) = await check(web, "a.example/")
    assert found.verdict == "found"
    assert web.looked_up == ["a.example"] * 2, "one look-up for each request: robots.txt and the page"
    assert web.headers[0]["host"] == f"a.example:{web.port}"


async def test_no_cookie_and_no_credential_is_sent(web: Web) -> None:
    web.pages = {
        "a.example/1": ({"set-cookie": "a=b", "content-type": "text/html"}, PAGE.encode()),
        "a.example/2": f"-> {web.url('a.example/1')}",
    }
    await check(web, "a.example/1", "a.example/2", "a.example/1")
    assert len(web.headers) == 3
    assert {name for headers in web.headers for name in headers} == {
        *("host", "connection", "user-agent", "accept", "accept-encoding")
    }
    assert web.headers[0]["user-agent"].startswith("research-desk ")


async def test_a_redirect_loop_ends_and_is_named(web: Web) -> None:
    web.pages = {"a.example/": f"-> {web.url('b.example/')}", "b.example/": f"-> {web.url('a.example/')}"}
    (found,) = await check(web, "a.example/", max_redirects=5)
    assert (found.verdict, found.problem) == ("not reachable", "too many redirects")
    assert len([place for place in web.asked if not place.startswith("archive")]) == 6


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_page_of_gigabytes_is_cut_and_what_is_missing_is_not_called_not_found(
    web: Web, compressed: bool
) -> None:
    web.pages = {"a.example/": endless(web, compressed)}
    if compressed:
        tracemalloc.start()
    (found,) = await check(web, "a.example/", max_bytes=300_000)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert (found.verdict, found.remarks) == ("cannot be told", ["not in the part of the page that was read"])
    assert web.sent < 50_000_000  # what the operating system's buffers take


@pytest.mark.parametrize(
    "first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<p>Tid"]
)
async def test_a_server_that_never_answers_or_drips_costs_bounded_time(web: Web, first: bytes, later: Later) -> None:
    web.pages = {"a.example/": silent(web, first), "archive.example/available": 404}
    checking = asyncio.create_task(check(web, "a.example/", request_s=20, total_s=1_000))
    await asyncio.to_thread(web.hangs.wait)
    later(21)
    (found,) = await checking
    assert (found.verdict, found.problem) == ("not reachable", "no answer in 20 s")


async def test_all_sources_together_take_at_most_the_total_time(web: Web, later: Later) -> None:
    web.pages = {"a.example/1": silent(web), "a.example/2": PAGE, "b.example/": PAGE}
    verifier, done = web.verifier(request_s=1_000, total_s=60), asyncio.Event()
    checking = asyncio.create_task(verifier.check(report(*map(web.url, web.pages)), lambda line: done.set()))
    await asyncio.to_thread(web.hangs.wait)
    await done.wait()
    later(61)
    assert [check.problem for check in await checking] == ["not checked in time", "not checked in time", ""]


async def test_one_request_at_a_time_goes_to_a_host(web: Web) -> None:
    web.pages = {f"{host}.example/{number}": PAGE for host in "ab" for number in range(6)}
    web.pages |= {f"a.example/{number}": silent(web) for number in range(6)}
    verifier, others = web.verifier(), asyncio.Semaphore(0)
    checking = asyncio.create_task(verifier.check(report(*map(web.url, web.pages)), lambda line: others.release()))
    await asyncio.to_thread(web.hangs.wait)
    for _ in range(6):
        await others.acquire()
    assert sum(place.startswith("a.example") for place in web.asked) == 1
    web.goes_on.set()
    await checking
    assert (web.at_once["a.example"], web.at_once["b.example"]) == (1, 1)
    assert web.looked_up.count("b.example") == 1 + 6, "robots.txt is read once for each host"


async def test_a_server_that_refuses_connections_or_breaks_off_is_not_reachable(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    verifier = web.verifier()
    web.pages = {
        "a.example/": lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"),
        "b.example/": ({"content-encoding": "gzip"}, b"no gzip"),
        "c.example/": "-> http://[broken",
    }
    checks = await verifier.check(report(*map(web.url, web.pages), f"http://127.0.0.1:{port}/"))
    assert {check.verdict for check in checks} == {"not reachable"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html; charset=utf-8", FACT.replace("barrage", "bärrage").encode("latin-1")),
        ("text/html; charset=iso-8859-1", FACT.replace("barrage", "bärrage").encode()),
        ("text/html; charset=shift_jis", b"<meta charset=utf-8>" + FACT.replace("barrage", "bärrage").encode()),
        ("text/html; charset=punycode", FACT.replace("barrage", "bärrage").encode("cp1252")),
        ("text/html", FACT.replace("barrage", "bärrage").encode("utf-16")),
        ("text/html", b"<meta charset='koi8-r'>" + FACT.encode("koi8-r")),
        ("text/plain", f"\ufeff{FACT}".encode()),
        ("text/plain", FACT.replace(" ", "\n").replace("barrage", "bar-\nrage").encode()),
        ("application/pdf", pdf(FACT)),
        ("text/markdown", f"* {FACT.replace('240', '**240**')}".encode()),
        ("", f"<p>{FACT}".encode()),
        ("application/xhtml+xml", f"<p>{FACT.replace('barrage', 'bar&shy;rage')}</p>".encode()),
        ("text/html", f"<p>{FACT.replace('240', '<b>24</b>0')}".encode()),
        ("text/html", f"<nav>menu{FACT}".encode()),
        ("text/html", f"<p title='{'&#' + '9' * 5_000};'>&#{'9' * 5_000}; {FACT}".encode()),
    ],
)
async def test_a_passage_is_found_whatever_the_page_says_of_its_form(web: Web, content_type: str, body: bytes) -> None:
    web.pages = {"a.example/": ({"content-type": content_type}, body)}
    assert [check.verdict for check in await check(web, "a.example/")] == ["found"]


@pytest.mark.parametrize(
    "page",
    [
        f"<script>{FACT}</script>{FILLING}",
        f"<!-- {FACT} -->{FILLING}",
        f"<nav>{FACT}</nav>{FILLING}",
        f'<p title="{FACT}">{FILLING}',
    ],
)
async def test_what_readers_do_not_see_is_not_found(web: Web, page: str) -> None:
    web.pages = {"a.example/": page}
    assert [check.verdict for check in await check(web, "a.example/")] == ["not found"]


@pytest.mark.parametrize("kind", ["application/pdf", "image/png", "application/octet-stream"])
async def test_a_file_that_is_no_text_is_never_called_not_found(web: Web, kind: str) -> None:
    web.pages = {"a.example/": ({"content-type": kind}, b"%PDF-1.7")}
    assert [check.verdict for check in await check(web, "a.example/")] == ["cannot be told"]


async def test_pages_are_compared_by_two_threads_of_their_own(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, checked = set[str](), verifier._checked

    def noted(*arguments: Any) -> SourceCheck:
        threads.add(threading.current_thread().name)
        return checked(*arguments)

    monkeypatch.setattr(verifier, "_checked", noted)
    web.pages = {f"{name}.example/": PAGE for name in "abcdef"}
    assert {check.verdict for check in await check(web, *web.pages)} == {"found"}
    assert threads <= {"check source_0", "check source_1"}


async def test_a_compressed_page_is_read(web: Web) -> None:
    headers = {"content-type": "text/html", "content-encoding": "gzip"}
    web.pages = {"a.example/": (headers, gzip.compress(PAGE.encode()))}
    assert [check.verdict for check in await check(web, "a.example/")] == ["found"]


def test_a_search_that_names_no_pages_leaves_open_what_the_run_supports() -> None:
    search = {
        "type": "google_search_result",
        "call_id": "g",
        "result": [{"search_suggestions": "<a href='http://a.b'>"}],
    }
    read = {"type": "url_context_result", "call_id": "c", "result": [{"url": "HTTP://A.example/x/?utm_source=y#z"}]}
    failed = {"type": "url_context_result", "call_id": "c", "result": [{"url": "http://b.example", "status": "error"}]}
    assert read_report(finished(search, read)).run_pages is None
    assert read_report(finished(failed, read)).run_pages == ("https://a.example/x",)
    assert read_report(finished()).run_pages is None


def test_of_a_pdf_with_very_much_text_only_the_beginning_is_read() -> None:
    writer = PdfWriter()
    text, font = DecodedStreamObject(), DictionaryObject()
    text.set_data(b"BT /F1 12 Tf (%s) Tj ET" % (b"a" * 50_000))
    contents = writer._add_object(text.flate_encode())
    for key, value in (("Type", "Font"), ("Subtype", "Type1"), ("BaseFont", "Helvetica")):
        font[NameObject(f"/{key}")] = NameObject(f"/{value}")
    fonts = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})})
    for _ in range(40):
        page = writer.add_blank_page(600, 800)
        page[NameObject("/Contents")], page[NameObject("/Resources")] = contents, fonts
    writer.add_metadata({"/Title": "b" * 100_000})
    data = BytesIO()
    writer.write(data)
    title, read = pdf_text(data.getvalue())
    assert (len(data.getvalue()) < 200_000, len(title), len(read)) == (True, MAX_PDF_TITLE_CHARS, MAX_PDF_TEXT_CHARS)
    assert Page(read).truncated


async def test_name_servers_that_never_answer_delay_no_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def getaddrinfo(*arguments: Any, **named: Any) -> list[Any]:
        answers.wait()
        return [(0, 0, 0, "", ("93.184.216.34", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    looking_up = [asyncio.create_task(look_up(f"{n}.example")) for n in range(100)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(300):
            assert await asyncio.to_thread(str, "other work") == "other work"
    finally:
        answers.set()
    assert await asyncio.gather(*looking_up) == [["93.184.216.34"]] * 100
