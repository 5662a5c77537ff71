"""Starts commands at once, as forks of a process that has imported everything.

The forks are real processes, which can be signalled and killed. Each saves three seconds of imports. Run as a
module, this is the process that forks; its argument is the path of the socket on which it listens.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
IMPORTED = (
    *("tools.app", "tools.cli.app", "tools.server.app", "google.genai.interactions"),
    *("google.adk.cli.fast_api", "google.adk.cli.cli_tools_click", "uvicorn.protocols.http.httptools_impl"),
)
STREAMS = 3
"""Input, output and errors."""
SHARED = "TEST_FORKS_SOCKET"
"""Variable with the socket of the process that forks for all workers of a test run."""


class Fork:
    """`python -m module …` in the project's folder, as `subprocess.Popen` would start it."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: IO[Any] | int = subprocess.DEVNULL,
        stdout: IO[Any] | int = subprocess.DEVNULL,
        stderr: IO[Any] | int = subprocess.DEVNULL,
    ) -> None:
        """Args:
        env: the environment, by default the current one.
        stdin, stdout, stderr: a file or its number.
        """
        wish = json.dumps([module, arguments, dict(os.environ if env is None else env)]).encode()
        self._guardian = socket.socket(socket.AF_UNIX)
        self._guardian.connect(str(_server()))
        with Path(os.devnull).open("r+b", buffering=0) as nothing:
            files = [nothing if file == subprocess.DEVNULL else file for file in (stdin, stdout, stderr)]
            numbers = [file if isinstance(file, int) else file.fileno() for file in files]
            socket.send_fds(self._guardian, [b"%d\n" % len(wish)], numbers)
            self._guardian.sendall(wish)
            self._news = self._guardian.makefile("r")
            self.pid = int(self._news.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, or the negative number of the signal that killed it; None while it runs."""
        ended = self.returncode is None and select.select([self._guardian], [], [], 0)[0]
        return self.wait() if ended else self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end, and returns the same as `poll`.

        Raises:
            TimeoutError: the process still runs after so many seconds.
        """
        if self.returncode is None:
            if not select.select([self._guardian], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} lives on")
            self.returncode = int(self._news.readline())
            self._news.close()
            self._guardian.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a fork to its end, and returns its status and output."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = Fork(module, *arguments, stdout=out, stderr=err).wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([module, *arguments], code, out.read(), err.read())


def share() -> None:
    """Lets the processes that this one starts use its process that forks, instead of one for each of them."""
    os.environ[SHARED] = str(_server())


@cache
def _server() -> Path:
    """The socket of the process that forks, which ends with this process or, if it is shared, with the one above."""
    if shared := os.environ.get(SHARED):
        return Path(shared)
    path = Path(tempfile.mkdtemp(prefix="forks-")) / "socket"
    atexit.register(shutil.rmtree, path.parent)
    command = [sys.executable, "-m", "tests.forks", str(path)]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin and server.stdout
    assert server.stdout.readline() == b"ready\n"
    atexit.register(server.communicate)
    return path


def serve(path: str) -> tuple[str, list[str]]:
    """Forks for each connection, until the process that started this one ends.

    Returns:
        In each requested process: its module and arguments.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            readable = select.select([listener, sys.stdin], [], [])[0]
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass  # a guardian whose process has ended
            if sys.stdin in readable:
                os._exit(0)
            _import_everything()
            connection = listener.accept()[0]
            if os.fork() == 0:
                listener.close()
                return _guard(connection)
            connection.close()


@cache
def _import_everything() -> None:
    gc.disable()
    for name in IMPORTED:
        import_module(name)
    gc.freeze()


def _guard(connection: socket.socket) -> tuple[str, list[str]]:
    """Forks again, and reports the child's id and status. Returns in the child."""
    head, files, _, _ = socket.recv_fds(connection, 1, STREAMS)
    received = connection.makefile("rb")
    module, arguments, env = json.loads(received.read(int(head + received.readline())))
    if pid := os.fork():
        connection.sendall(b"%d\n" % pid)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    received.close()
    connection.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    gc.enable()
    return module, arguments


if __name__ == "__main__":
    name, rest = serve(sys.argv[1])
    sys.argv[1:] = rest
    runpy.run_module(name, run_name="__main__", alter_sys=True)
