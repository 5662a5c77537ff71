"""A web on this machine: pages of several hosts, which may be dead, endless, slow or in a private network."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tools.research.verification.limits import FetchLimits
from tools.research.verification.verifier import Verifier
from tools.web_addresses.public_http import public_client

PRIVATE = {"inside.example": "10.0.0.1", "metadata.example": "169.254.169.254", "six.example": "fd00::1"}
"""Names that lead into a private network."""
FILLING = "Here are some more words, so that the page looks like a page that people would read on the web today. " * 4


@dataclass
class Web:
    """Serves pages by host and path. What is not there is 404."""

    pages: dict[str, Any] = field(default_factory=dict)
    """Maps "host/path" to HTML, to a target of a redirect ("-> address"), to a status, or to (headers, body)."""
    asked: list[str] = field(default_factory=list)
    """Host and path of each request, without those for robots.txt."""
    headers: list[dict[str, str]] = field(default_factory=list)
    at_once: dict[str, int] = field(default_factory=dict)
    """Maximum number of requests at the same time, by host."""
    hangs: threading.Event = field(default_factory=threading.Event)
    """Set when a server has begun to keep a client waiting."""
    goes_on: threading.Event = field(default_factory=threading.Event)
    """Ends all waiting."""
    sent: int = 0
    """Bytes of endless pages that were sent."""
    port: int = 0
    looked_up: list[str] = field(default_factory=list)

    def url(self, place: str) -> str:
        """The address of "host/path"."""
        host, _, path = place.partition("/")
        return f"http://{host}:{self.port}/{path}"

    async def look_up(self, host: str) -> list[str]:
        """Resolves names: all lead here, except those in PRIVATE."""
        self.looked_up.append(host)
        return [PRIVATE.get(host, "127.0.0.1")]

    def verifier(self, **limits: float) -> Verifier:
        """A verifier that may reach this server, and nothing else on this machine."""
        client = partial(public_client, look_up=self.look_up, local=[("127.0.0.1", self.port)])
        return Verifier(
            archive_url=lambda: self.url("archive.example/available"),
            limits=FetchLimits(**limits),  # type: ignore[arg-type]
            client=client,
        )


@contextmanager
def serving() -> Iterator[Web]:
    """Runs a web."""
    web = Web()
    running: dict[str, int] = {}
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host = self.headers["host"].partition(":")[0]
            place = host + self.path
            if self.path != "/robots.txt":
                with lock:
                    web.asked.append(place)
                    web.headers.append({name.lower(): value for name, value in self.headers.items()})
            with lock:
                running[host] = running.get(host, 0) + 1
                web.at_once[host] = max(running[host], web.at_once.get(host, 0))
            with suppress(ConnectionError):
                self.answer(web.pages.get(place, web.pages.get(place.partition("?")[0], 404)))
            with lock:
                running[host] -= 1

        def answer(self, page: Any) -> None:
            if callable(page):
                page(self)
            elif isinstance(page, int):
                self.send(page, {}, b"<h1>This is an error page</h1>")
            elif isinstance(page, tuple):
                self.send(200, *page)
            elif page.startswith("-> "):
                self.send(302, {"location": page[3:]}, b"")
            else:
                self.send(200, {"content-type": "text/html; charset=utf-8"}, page.encode())

        def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web.port = server.server_port
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            web.goes_on.set()
            server.shutdown()
            thread.join()


def endless(web: Web, compressed: bool = False) -> Callable[[Any], None]:
    """A page that never ends, as fast as the client takes it; or one that grows a thousandfold."""
    data = gzip.compress(b"\0" * 20_000_000) if compressed else b"<p>And so it goes on and on.</p>" * 2_000

    def page(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/html")
        if compressed:
            handler.send_header("content-encoding", "gzip")
        handler.send_header("connection", "close")
        handler.end_headers()
        while not web.goes_on.is_set():
            handler.wfile.write(data)
            web.sent += len(data)

    return page


def silent(web: Web, first: bytes = b"") -> Callable[[Any], None]:
    """A server that sends nothing, or only the beginning of an answer."""

    def page(handler: Any) -> None:
        handler.wfile.write(first)
        handler.wfile.flush()
        web.hangs.set()
        web.goes_on.wait()
        handler.close_connection = True

    return page
