"""Receivers of notices on real sockets, and configurations that name them."""

from __future__ import annotations

import json
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.conftest import ROOT
from tests.serve.conftest import listening

SECRET = "whsec_" + "c2VjcmV0" * 4
HOOK_SECRET, HOOK_PATH = "HOOK_SECRET", "HOOK_PATH"
PATH = "path-told-to-nobody"
"""A part of the receiver's address that comes from the environment."""


@dataclass
class Receiver:
    """Takes notices over HTTP: signed webhooks, and those of Apprise's `json://`."""

    url: str = ""
    status: int = 200
    answer: bytes = b""
    asked: list[str] = field(default_factory=list)
    """The path of each request."""
    webhooks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Id and body of each webhook whose signature is right."""
    others: list[dict[str, Any]] = field(default_factory=list)
    """The body of each other message."""
    hangs: threading.Event | None = None
    """If set: requests are answered only after this event."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.asked.append(self.path)
            if found.hangs:
                found.hangs.wait()
            if "webhook-id" in headers:
                Webhook(SECRET).verify(body, headers)
                found.webhooks.append((headers["webhook-id"], json.loads(body)))
            else:
                found.others.append(json.loads(body))
            self.send_response(found.status)
            self.send_header("location", f"{found.url}/elsewhere")
            self.send_header("content-length", str(len(found.answer)))
            self.end_headers()
            self.wfile.write(found.answer)

        def log_message(self, *arguments: Any) -> None:
            pass

    with listening(Handler) as found.url:
        yield found
        if found.hangs:
            found.hangs.set()


@pytest.fixture
def letters() -> Iterator[tuple[int, list[str]]]:
    """The port of a mail server on this machine, and the mails that it got."""
    got: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 desk\r\n")
            while line := self.rfile.readline().upper():
                if line.startswith(b"DATA"):
                    self.wfile.write(b"354 go\r\n")
                    got.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")
                if line.startswith(b"QUIT"):
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1], got
        server.shutdown()


Configure = Callable[[str], Path]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Makes a configuration whose researcher has these lines of YAML, and uses it. Returns the researcher's file."""

    def write(notify: str) -> Path:
        folder = tmp_path / "configs"
        shutil.copytree(ROOT / "configs", folder, dirs_exist_ok=True)
        file = folder / "researcher.yaml"
        file.write_text((ROOT / "configs" / "researcher.yaml").read_text() + notify)
        monkeypatch.setenv("DESK_CONFIG", str(folder / "desk.yaml"))
        return file

    monkeypatch.setenv(HOOK_SECRET, SECRET)
    monkeypatch.setenv(HOOK_PATH, PATH)
    return write


def hook(receiver: Receiver, name: str = "hook", more: str = "") -> str:
    """An entry of `notify:` for signed webhooks to a receiver on this machine."""
    address = f"url: {receiver.url}/${{{HOOK_PATH}}}\n    secret: ${{{HOOK_SECRET}}}"
    return f"  {name}:\n    {address}\n    private: true\n{more}"
