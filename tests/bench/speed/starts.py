"""How long things take to start: commands, `adk run`, the first turn of a server."""

from __future__ import annotations

import os
import pty
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

import httpx

from tests.conftest import ROOT

BIN = Path(sys.executable).parent
HELLO = """
from google.adk.agents import LlmAgent
root_agent = LlmAgent(name="hello", model="gemini-3.8-flash", instruction="Be brief.")
"""


def command(*arguments: str, env: Mapping[str, str], times: int = 15) -> float:
    """Seconds of a command of `desk`, the median."""
    took = list[float]()
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([BIN / "desk", *arguments], env=env, check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def prompt(agent: Path, env: Mapping[str, str]) -> float:
    """Seconds from `adk run` to its prompt."""
    ours, theirs = pty.openpty()
    began = time.perf_counter()
    with subprocess.Popen([BIN / "adk", "run", agent], env=env, stdin=theirs, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        seen = b""
        while b"[user]:" not in seen:
            seen += os.read(ours, 4096)
        took = time.perf_counter() - began
        child.kill()
    os.close(ours)
    return took


def prompts(folder: Path, env: Mapping[str, str], times: int = 7) -> tuple[float, float]:
    """The medians of the desk and of an agent of three lines, in turns."""
    hello = folder / "hello"
    hello.mkdir()
    (hello / "__init__.py").touch()
    (hello / "agent.py").write_text(HELLO)
    (folder / "home" / ".adk").mkdir(parents=True)
    env = {**env, "HOME": str(folder / "home")}
    subprocess.run([BIN / "adk", "telemetry", "disable"], env=env, check=True, stdout=subprocess.DEVNULL)
    took = [(prompt(ROOT / "agents" / "desk", env), prompt(hello, env)) for _ in range(times)]
    ours, theirs = zip(*took, strict=True)
    return statistics.median(ours), statistics.median(theirs)


def first_turn(env: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of the first turn of a `desk serve` that says it is ready, and the median of twenty more."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    url, took = f"http://127.0.0.1:{port}", list[float]()
    serve = [BIN / "desk", "serve", "--port", str(port)]
    with (
        subprocess.Popen(serve, env=env, stderr=subprocess.DEVNULL) as child,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        while True:
            with suppress(httpx.HTTPError):
                if client.get("/readyz").status_code == 200:
                    break
            time.sleep(0.1)
        client.post("/apps/desk/users/me/sessions/s1").raise_for_status()
        message = {"role": "user", "parts": [{"text": "hello"}]}
        body = {"appName": "desk", "userId": "me", "sessionId": "s1", "newMessage": message}
        for _ in range(21):
            began = time.perf_counter()
            client.post("/run", json=body).raise_for_status()
            took.append(time.perf_counter() - began)
        child.kill()
    return took[0], statistics.median(took[1:])
