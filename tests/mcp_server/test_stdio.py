"""`desk mcp` as a process: it speaks only the protocol, needs no ADK, and loses nothing when it is killed or left."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from mcp.client.stdio import StdioServerParameters

from tests.conftest import ROOT
from tests.forks import Fork
from tests.kill.test_kill import until
from tests.mcp_server.conftest import BRIEF, INVALID, Desk
from tools.extras import install_command
from tools.research.job_states import State

WATCHED = """
import atexit, runpy, sys, tools.mcp_server.stdio
print("before the first answer:", sorted({"sqlalchemy", "google.genai"} & set(sys.modules)), file=sys.stderr)
atexit.register(lambda: print("ADK" if any(name.startswith("google.adk") for name in sys.modules) else "no ADK",
                              file=sys.stderr))
sys.argv = ["desk", "--debug", "mcp"]
runpy.run_module("tools", run_name="__main__")
"""
"""Runs `desk mcp`, and says what it has imported: at its beginning of the database, and at its end of ADK."""


class Process:
    """A server as a client starts it. Each line that it writes has to be a message of the protocol."""

    def __init__(self, log: Path, cold: Sequence[str] = ()) -> None:
        """`cold`: the command of a process that has imported nothing yet; empty: a fork runs `desk mcp`."""
        theirs, ours = os.pipe()
        here, there = os.pipe()
        self._input, self._output = os.fdopen(ours, "w"), os.fdopen(here)
        with log.open("ab") as errors, os.fdopen(theirs) as stdin, os.fdopen(there, "w") as stdout:
            env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            streams: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": errors}
            self.process = (
                subprocess.Popen(cold, cwd=ROOT, env=env, **streams)
                if cold
                else Fork("tools", "--debug", "mcp", env=env, **streams)
            )
        self._number = 0
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        self.request("initialize", hello)
        self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def write(self, message: Any) -> None:
        self._input.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self._input.flush()

    def request(self, method: str, params: Any) -> dict[str, Any]:
        """Sends a request, and returns its result or its error."""
        self._number += 1
        self.write({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while (message := self.read()).get("id") != self._number:
            pass
        return dict(message.get("result") or message["error"])

    def read(self) -> dict[str, Any]:
        """Reads the next message."""
        line = self._output.readline()
        assert line, "the server has ended"
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        found = self.request("tools/call", {"name": f"research_{tool}", "arguments": arguments})
        return dict(found.get("structuredContent") or found)

    def leave(self) -> int:
        """Closes the server's standard input, as clients do, and returns the exit status."""
        self._input.close()
        return self.process.wait(60)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        with suppress(BrokenPipeError):
            self._input.close()
        self._output.close()


@contextmanager
def started(log: Path, cold: Sequence[str] = ()) -> Iterator[Process]:
    found = Process(log, cold)
    try:
        yield found
    finally:
        found.end()


async def test_a_cold_start_answers_before_the_database_packages_and_imports_no_adk(desk: Desk, tmp_path: Path) -> None:
    """The service is loaded after the first answer: SQLAlchemy takes a quarter of the time of a cold start."""
    log = tmp_path / "log"
    with started(log, [sys.executable, "-c", WATCHED]) as server:
        server.write("{no json")
        server.write([1, 2])
        server.write({"jsonrpc": "2.0", "id": "x"})
        assert server.request("tools/call", {"name": 7})["code"] == -32602
        assert server.request("tools/call", {"name": "research_list", "arguments": "all"})["code"] == -32602
        assert server.request("nothing/here", {})["code"] == -32601
        job = server.call("start", brief=BRIEF)["job"]
        server.call("approve", job=job, max_usd=3)
        assert server.call("status", job=job, wait_seconds=45)["state"] == "completed"
        assert "The moon moves the sea." in server.call("report", job=job)["content"][0]["text"]
        assert server.leave() == 0
    told = log.read_text()
    assert told.splitlines()[0] == "before the first answer: []"
    assert told.splitlines()[-1] == "no ADK"
    assert "INFO" in told
    assert "Traceback" not in told
    assert desk.runs == 1


def test_whatever_a_client_sends_gets_an_error_of_the_protocol_and_the_session_goes_on(
    desk: Desk, tmp_path: Path
) -> None:
    with started(tmp_path / "log") as server:
        for name, (line, code, id_) in INVALID.items():
            server.write(line)
            server.write({"jsonrpc": "2.0", "id": "next", "method": "ping"})
            message = server.read()
            assert "error" in message, name
            assert (name, message["error"]["code"], message["id"]) == (name, code, id_)
            assert server.read()["id"] == "next"
            assert message["error"]["message"].count(".") == 1  # one sentence, with the version
            server.write("")  # an empty line is no message
        assert "tools" in server.request("tools/list", {})
        assert server.leave() == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_an_invalid_parameter_of_the_protocol_is_named(desk: Desk, tmp_path: Path) -> None:
    with started(tmp_path / "log") as server:
        for method, params, words in (
            (
                "tools/call",
                {"name": "research_list", "arguments": "{}"},
                "`params.arguments` of tools/call: Input should",
            ),
            ("tools/call", {}, "`params.name` of tools/call: Field required"),
            ("resources/read", {"uri": 5}, "`params.uri` of resources/read: Input should be a valid string"),
        ):
            error = server.request(method, params)
            assert (error["code"], error["message"][: len(words)]) == (-32602, words)


@pytest.mark.parametrize("left_by", ["SIGKILL", "SIGTERM", pytest.param("closed input", marks=pytest.mark.nightly)])
async def test_the_next_process_brings_home_what_a_killed_or_left_one_has_started(
    desk: Desk, tmp_path: Path, environment: Path, left_by: str
) -> None:
    desk.api.set_speed(0)
    log = tmp_path / "log"
    with started(log) as first:
        job = first.call("start", brief=BRIEF)["job"]
        first.call("approve", job=job, max_usd=3)
        until(lambda: desk.runs)
        desk.api.advance(70)
        assert first.call("status", job=job, wait_seconds=0)["job"] == job
        if left_by == "closed input":
            assert first.leave() == 0
        elif left_by == "SIGTERM":
            first.process.send_signal(signal.SIGTERM)
            assert first.process.wait(60) == 128 + signal.SIGTERM
        if left_by != "SIGKILL":
            assert lease(environment) is None  # the next process need not wait for it to expire
    with sqlite3.connect(environment / "ledger.db") as ledger:  # as if the killed process's lease had expired
        ledger.execute("UPDATE research_jobs SET lease_until = 0")
    desk.api.set_speed(math.inf)
    with started(log) as second:  # nobody asks for the job
        until(lambda: state(environment) == State.COMPLETED)
        assert second.call("start", brief=BRIEF)["job"] == job
        assert "The moon moves the sea." in second.call("report", job=job)["content"][0]["text"]
    assert desk.runs == 1


def lease(data: Path) -> Any:
    return row(data, "owner")


def state(data: Path) -> Any:
    return row(data, "state")


def row(data: Path, column: str) -> Any:
    with sqlite3.connect(data / "ledger.db") as ledger:
        return ledger.execute(f"SELECT {column} FROM research_jobs").fetchone()[0]


@pytest.mark.nightly
async def test_adks_own_mcp_toolset_drives_a_run_to_its_report(desk: Desk) -> None:
    arguments = ["-m", "tools", "mcp"]
    server = StdioServerParameters(command=sys.executable, args=arguments, cwd=ROOT, env=dict(os.environ))
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=server, timeout=60))
    try:
        tools = {tool.name: tool for tool in await toolset.get_tools()}

        async def call(name: str, **arguments: Any) -> Any:
            context: Any = None
            return await tools[name].run_async(args=arguments, tool_context=context)

        started_ = (await call("research_start", brief=BRIEF))["structuredContent"]
        await call("research_approve", job=started_["job"], max_usd=3)
        ended = await call("research_status", job=started_["job"], wait_seconds=45)
        assert ended["structuredContent"]["state"] == "completed"
        shown = (await call("research_report", job=started_["job"]))["content"][0]["text"]
        assert re.search(r"The moon moves the sea\.", shown)
    finally:
        await toolset.close()
    assert desk.runs == 1


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    missing = (
        "import sys; sys.modules['mcp'] = None; sys.argv = ['desk', 'mcp']; from tools.cli.main import main; main()"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", missing], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: desk mcp needs one more package: {install_command('mcp')}\n"
