"""The two servers that are compared over HTTP, `desk serve` and `adk api_server`, and a light client of both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.bench.followers import resident
from tests.bench.speed.fake_api import SMALL_TALK
from tests.ports import free_port

PLAIN_AGENT = """\
from google.adk.agents import LlmAgent
from google.adk.models import Gemini

root_agent = LlmAgent(
    name="plain", model=Gemini(model="gemini-3.8-flash", use_interactions_api=True), instruction="Be brief."
)
"""
BIN = Path(sys.executable).parent
START_TIMEOUT_S = 180.0
CONVERSATION = 10
"""Turns of one conversation, after which the next one begins."""


@dataclass
class ComparedServer:
    """A running server of either side."""

    name: str
    """`desk` or `plain`, which is also the name of its agent."""
    port: int
    pid: int
    failed: int = 0
    """Turns of `load` that were not answered."""

    def cpu(self) -> float:
        """CPU seconds of the server and of its workers since their start."""
        ticks = sum(sum(map(int, _stat(pid)[11:13])) for pid in self.processes())
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes of memory that the server and its workers hold."""
        return sum(map(resident, self.processes()))

    def processes(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def turns(self, stream: bool, count: int, user: str = "ada") -> list[float]:
        """Seconds of each of `count` turns of small talk, over one connection."""
        took = list[float]()
        with self.connection() as connection:
            for number in range(count):
                if number % CONVERSATION == 0:
                    session = self.conversation(user)
                began = time.perf_counter()
                self.ask(connection, user, session, stream)
                took.append(time.perf_counter() - began)
        return took

    def load(self, stream: bool, conversations: int, count: int) -> float:
        """Answered turns per second of conversations side by side, each of another user.

        A failed turn does not count: `adk api_server` fails at some when SQLite is locked.
        """
        with ThreadPoolExecutor(conversations) as pool, ExitStack() as stack:
            users = [f"u{number}" for number in range(conversations)]
            connections = [stack.enter_context(self.connection()) for _ in users]
            sessions = list(pool.map(self.conversation, users))

            def converse(connection: HTTPConnection, user: str, session: str) -> int:
                return sum(self.try_ask(connection, user, session, stream) for _ in range(count))

            began = time.perf_counter()
            answered = sum(pool.map(converse, connections, users, sessions))
            self.failed += conversations * count - answered
            return answered / (time.perf_counter() - began)

    def open_streams(self, count: int) -> float:
        """Bytes of memory of each of `count` streams whose turns do not end, each of another user."""
        with ExitStack() as stack:
            connections = [stack.enter_context(self.connection()) for _ in range(count)]
            users = [f"open{number}" for number in range(count)]
            sessions = list(map(self.conversation, users))
            before = self.memory()
            for connection, user, session in zip(connections, users, sessions, strict=True):
                self.send(connection, user, session, stream=True, text="hello, unfinished")
            answers = [connection.getresponse() for connection in connections]
            for answer in answers:
                assert answer.status == 200
                assert answer.readline().startswith(b"data: ")
            return (self.memory() - before) / count

    def connection(self) -> closing[HTTPConnection]:
        """A connection as a context, which opens at its first request."""
        return closing(HTTPConnection("127.0.0.1", self.port, timeout=60))

    def conversation(self, user: str) -> str:
        """Creates a conversation and returns its id. Uses a connection of its own: the server closes idle ones."""
        with self.connection() as connection:
            connection.request("POST", f"/apps/{self.name}/users/{user}/sessions", b"{}", _JSON)
            found: str = json.loads(_read(connection))["id"]
        return found

    def ask(self, connection: HTTPConnection, user: str, session: str, stream: bool) -> None:
        """Runs one turn of small talk."""
        self.send(connection, user, session, stream, "hello")
        body = _read(connection)
        events = [json.loads(line[6:]) for line in body.split(b"\n\n") if line] if stream else json.loads(body)
        parts = events[-1].get("content", {}).get("parts", ())
        assert "".join(part["text"] for part in parts) == SMALL_TALK, events[-1]

    def try_ask(self, connection: HTTPConnection, user: str, session: str, stream: bool) -> bool:
        """Runs one turn; returns whether it was answered."""
        try:
            self.ask(connection, user, session, stream)
        except (AssertionError, OSError, HTTPException):
            connection.close()
            return False
        return True

    def send(self, connection: HTTPConnection, user: str, session: str, stream: bool, text: str) -> None:
        message = {"role": "user", "parts": [{"text": text}]}
        body = {"appName": self.name, "userId": user, "sessionId": session, "newMessage": message, "streaming": stream}
        connection.request("POST", "/run_sse" if stream else "/run", json.dumps(body).encode(), _JSON)


_JSON = {"Content-Type": "application/json"}


def _read(connection: HTTPConnection) -> bytes:
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    return body


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name of the process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@contextmanager
def serving(
    name: str, env: Mapping[str, str], sessions_url: str, folder: Path, *arguments: str
) -> Iterator[ComparedServer]:
    """Runs a server of one side, with conversations in the database at `sessions_url`, until the context ends."""
    port = free_port()
    limits = {"DESK_TURNS_PER_MINUTE": "1000000", "DESK_TURNS_AT_ONCE": "1000", "DESK_SESSIONS_PER_USER": "100000"}
    limits["DESK_MEGABYTES_PER_USER"] = "100000"
    if name == "desk":
        command = [str(BIN / "python"), "-m", "tools", "serve", "--port", str(port), *arguments]
        env = {**env, **limits, "DESK_SESSIONS_URL": sessions_url}
    else:
        agent = folder / "agents" / name
        agent.mkdir(parents=True, exist_ok=True)
        (agent / "agent.py").write_text(PLAIN_AGENT)
        command = [str(BIN / "adk"), "api_server", "--port", str(port), "--session_service_uri", sessions_url]
        command += ["--log_level", "warning", str(folder / "agents")]
    log = folder / f"{name}.log"
    with log.open("ab") as out, subprocess.Popen(command, env=env, stdout=out, stderr=out) as child:
        try:
            _wait(port, child, log)
            yield ComparedServer(name, port, child.pid)
        finally:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(10)
            child.kill()


def _wait(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and child.poll() is None:
        with suppress(OSError):
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/list-apps")
            _read(connection)
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {log.read_text()}")
