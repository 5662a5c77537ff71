"""Redirect links are resolved only on request, in parallel, once, and with requests to Google only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from interactions_emulator.brain.protocol import Brain, TimedStep, Turn
from tests.conftest import Desk
from tests.research.resources import short, text_part
from tests.research.test_promises import ORDER, lines_while_time_passes
from tools.interactions.citation_marks import Source
from tools.research.job_errors import NotFinished
from tools.research.report.redirect_links import MAX_CONCURRENT_REQUESTS
from tools.web_addresses.public_address import is_public

GOOGLE = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/"
TARGETS = {
    "moon": "https://example.org/moon",
    "luna": "https://example.org/moon",
    "router": "http://192.168.0.1/admin",
    "script": "javascript:alert(1)",
    **{f"page{n}": f"https://example.org/{n}" for n in range(MAX_CONCURRENT_REQUESTS - 4)},
}


class Google:
    """The redirect server. It answers only when as many requests have arrived as the client may send at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.together = threading.Barrier(MAX_CONCURRENT_REQUESTS)
        asked, together = self.asked, self.together

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                asked.append(name)
                with suppress(threading.BrokenBarrierError):
                    together.wait(timeout=10)
                self.send_response(302 if TARGETS.get(name) else 404)
                self.send_header("location", TARGETS.get(name, ""))
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Logs nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def http(self) -> httpx2.AsyncClient:
        """A client that sends requests for Google to this server and fails for every other host."""

        async def reroute(request: httpx2.Request) -> None:
            assert request.url.host == "vertexaisearch.cloud.google.com"
            request.url = httpx2.URL(f"http://127.0.0.1:{self.server.server_port}{request.url.path}")

        return httpx2.AsyncClient(event_hooks={"request": [reroute]}, follow_redirects=True)


@pytest.fixture
def google() -> Iterator[Google]:
    google = Google()
    yield google
    google.server.shutdown()
    google.server.server_close()


@pytest.fixture
def brain() -> Brain:
    """A report that cites a redirect for each word of TARGETS, and a page for one more word."""

    def cite(turn: Turn) -> Iterator[TimedStep]:
        text = "# Tides\n\nBy the sea, " + ", ".join(TARGETS) + "."
        part = text_part(text, ("sea", "https://example.org/sea"), *((name, GOOGLE + name) for name in TARGETS))
        yield TimedStep(60, {"type": "model_output", "content": [part]})

    return cite


async def test_redirects_are_resolved_on_request_in_parallel_and_once(desk: Desk, google: Google) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER)
    with pytest.raises(NotFinished):
        await service.resolve_links(job.id, google.http())
    await lines_while_time_passes(desk, service, job)
    before = await service.report(job.id)
    assert before is not None
    assert [source.url for source in before.sources[1:3]] == [GOOGLE + "moon", GOOGLE + "luna"]
    assert google.asked == []

    report = await service.resolve_links(job.id, google.http())
    assert sorted(google.asked) == sorted(TARGETS)
    assert short(report.text).startswith("# Tides\n\nBy the sea{1}, moon{2}, luna{2}, router{3}, script{4}, page0{5}")
    assert report.sources[:4] == (
        Source(1, "SEA", "https://example.org/sea"),
        Source(2, "MOON", "https://example.org/moon"),
        Source(3, "ROUTER", GOOGLE + "router"),  # leads into a private network: stays as it is
        Source(4, "SCRIPT", GOOGLE + "script"),
    )
    assert (await desk.service().report(job.id)) == report


async def test_resolved_redirects_are_not_requested_again(desk: Desk, google: Google) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    await service.resolve_links(job.id, google.http())
    google.asked.clear()
    google.together.abort()  # only two requests follow, too few for the barrier
    await service.resolve_links(job.id, google.http())
    assert sorted(google.asked) == ["router", "script"]


PUBLIC_HOSTS = [
    "EXAMPLE.org.",
    "example.org:8443",
    "münchen.de",
    "例え。jp",
    "a-b.c_d.example.com",
    "8.8.8.8",
    "internal.com",
]
PRIVATE_HOSTS = [
    *("127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "00000177.1", "0", "1.1", "127.0.0.1.", "example.1"),
    *(
        "localhost.",
        "LOCALHOST",
        "printer.LOCAL.",
        "metadata.google.internal.",
        "METADATA.google.Internal",
        "a.home.arpa",
    ),
    *("[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
    *("[2001:0:7f00:1::1]", "[fe80::1%25eth0]", "[2606:2800:21f::1%25x]", "100.64.0.1", "224.0.0.1", "255.255.255.255"),
    *(
        "127%2e0%2e0%2e1",
        "127。0。0。1",
        "１２７.0.0.1",
        "localhost。",
        "metadata．google．internal",
        "ⓛocalhost.localdomain",
    ),
    *("user@example.org", "example.org@127.0.0.1", "user:pw@10.0.0.1", "example.org\\\\@127.0.0.1", "exa\tmple.org"),
    *(
        "local\u00adhost.localdomain",
        "a..b",
        ".org",
        "example.org..",
        "example.org:99999",
        "example.org:x",
        "exa mple.org",
    ),
]


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://example.org/a?b=c", True),
        ("http://93.184.215.14/", True),
        ("https://[2606:2800:21f::1]/", True),
        ("http://127.0.0.1:8000/", False),
        ("http://10.1.2.3/", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("http://[::1]/", False),
        ("http://[fd00::1]/", False),
        ("http://localhost/", False),
        ("http://printer.local/", False),
        ("http://metadata.google.internal/", False),
        *((f"http://{host}/x", True) for host in PUBLIC_HOSTS),
        *((f"http://{host}/x", False) for host in PRIVATE_HOSTS),
        ("HTTPS://EXAMPLE.org?a@b", True),
        ("http:example.org", False),
        ("http:///example.org", False),
        ("ftp://example.org/", False),
        ("//example.org/", False),
        ("http://[broken", False),
        ("", False),
    ],
)
def test_is_public_accepts_web_addresses_and_rejects_private_networks(url: str, public: bool) -> None:
    assert is_public(url) is public
