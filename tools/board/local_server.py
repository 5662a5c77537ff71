"""Serves the page for one person on their own machine.

Other users of the machine and web pages in the person's browser can reach the port too. So the page is shown only to
a browser that was opened at the start address, which has a secret (as in Jupyter), and only under one loopback address,
new each time: what another program has left in the browser for its own address (service workers, cached files,
cookies) has no effect there.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from errno import EADDRNOTAVAIL
from html import escape
from ipaddress import IPv4Address
from pathlib import Path
from socket import AF_INET, SO_REUSEADDR, SOL_SOCKET, socket
from urllib.parse import parse_qs

from starlette.authentication import SimpleUser
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.board.app import board_app
from tools.board.base import Board
from tools.board.paths import NOBODY, is_public
from tools.board.piecewise_sending import PiecewiseSending
from tools.files.private_files import create_private_folder
from tools.interactions import backend
from tools.research.background import background_work
from tools.research.factory import close, research
from tools.research.order import LOCAL_USER


@dataclass(frozen=True)
class LocalAccess:
    """ASGI middleware that lets in only a browser that has the secret of the start address.

    Other local servers have the same host name, whoever runs them, and a browser sends a cookie to every port of a
    host. So the page is below a path that no other server knows, and the cookie is for this path only.
    """

    app: ASGIApp
    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    _cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    path: str = field(default_factory=lambda: f"/{secrets.token_urlsafe(16)}")
    """The path below which the page is."""

    @property
    def start_address(self) -> str:
        """The address that opens the page. It has the secret."""
        return f"http://{self.host}:{self.port}/?token={self.token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        own = scope["path"].startswith(f"{self.path}/")
        known = own and self._has_cookie(Headers(scope=scope))
        answer = self._answer(scope, known)
        if answer is None:
            where = {"user": SimpleUser(LOCAL_USER if known else NOBODY), "root_path": self.path if own else ""}
            await PiecewiseSending(self.app)({**scope, **where}, receive, send)
        else:
            await answer(scope, receive, send)

    @property
    def _cookie_name(self) -> str:
        return f"desk_board_{self.port}"

    def _has_cookie(self, headers: Headers) -> bool:
        """Whether one of the cookies is right: another local server can add one of the same name."""
        given = [cookie.strip() for line in headers.getlist("cookie") for cookie in line.split(";")]
        return any(_same(cookie, f"{self._cookie_name}={self._cookie}") for cookie in given)

    def _answer(self, scope: Scope, known: bool) -> Response | None:
        """Returns the answer to a request that may not pass, or that brings the secret; None if it may pass.

        Args:
            known: whether the path is the page's, and the browser has the cookie.
        """
        if Headers(scope=scope).getlist("host") != [f"{self.host}:{self.port}"]:
            return _plain("This page is at the address that `desk board` has printed, and nowhere else.")
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and _same(given, self.token):
            headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
            answer = RedirectResponse(f"{self.path}/", 303, headers)
            # Lax: with Strict, a browser that comes from the file of `opening_file` would not send it to the list.
            answer.set_cookie(self._cookie_name, self._cookie, path=self.path, httponly=True, samesite="lax")
            return answer
        if known or is_public(scope):
            return None
        return _plain("Open the address that `desk board` has printed when it started: it has a secret part.")


def local_app(at: socket) -> LocalAccess:
    """Returns the page of this machine's user, for a server at that socket."""
    return LocalAccess(board_app(Board()), *at.getsockname())


@asynccontextmanager
async def background_research() -> AsyncIterator[None]:
    """Continues the research runs of the ledger, and sends their notices, while the page is served."""
    await asyncio.to_thread(backend.current)  # it may start the emulator, which takes a second
    research()
    try:
        async with background_work():
            yield
    finally:
        await close()


def listen(port: int, host: str = "") -> socket:
    """Returns a socket that listens on loopback.

    Args:
        port: 0 for any free port.
        host: a loopback address; empty: a random one, or 127.0.0.1 where the system has no other (macOS).

    Raises:
        OSError: the port is taken, or there is no such address.
    """
    found = socket(AF_INET)
    found.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    try:
        try:
            found.bind((host or _random_loopback(), port))
        except OSError as error:
            if host or error.errno != EADDRNOTAVAIL:
                raise
            found.bind(("127.0.0.1", port))
        found.listen()  # at once: until then, another program can take the port, and would get the secret address
    except OSError:
        found.close()
        raise
    return found


def _random_loopback() -> str:
    return str(IPv4Address("127.1.0.0") + secrets.randbelow(2**23))


@contextmanager
def opening_file(folder: Path, address: str) -> Iterator[Path]:
    """Writes a file that leads a browser to an address, and deletes it at the end.

    A browser that was started with the address itself would show the secret to every user of the machine, in the list
    of processes. Only this user can read the file.
    """
    create_private_folder(folder)
    path = folder / f"board-{os.getpid()}.html"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(
            f'<!doctype html><title>Research Desk</title><meta http-equiv="refresh" content="0; url={escape(address)}">'
        )
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _plain(text: str) -> Response:
    return PlainTextResponse(text, 403, {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
