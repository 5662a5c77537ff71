"""Starts the servers and sides of a measurement, and computes the table's rows from its rounds: medians and ratios."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.bench.speed.compared_servers import ComparedServer, serving
from tests.bench.speed.table import Row
from tests.conftest import ROOT


class Bench:
    """Starts servers and sides for the measurements, and collects the rows of the table."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self.folder = stack, folder
        self.rows = list[Row]()

    def server(self, speed: float | str = "inf") -> str:
        child = self._stack.enter_context(spawned("tests.bench.speed.fake_api", str(speed), env={**os.environ}))
        assert child.stdout
        return child.stdout.readline().strip()

    def side(self, kind: str, url: str) -> Process:
        return Process(
            self._stack.enter_context(spawned("tests.bench.speed.compared_process", kind, env=self.env(url)))
        )

    def served(self, name: str, url: str, sessions_url: str) -> AbstractContextManager[ComparedServer]:
        """Returns a server of one side as a context; the ledger of `desk serve` is in the same PostgreSQL database."""
        env = self.env(url)
        if sessions_url.startswith("postgresql"):
            env["DESK_DATABASE_URL"] = sessions_url
        return serving(name, env, sessions_url, Path(tempfile.mkdtemp(dir=self.folder)))

    def env(self, url: str) -> dict[str, str]:
        """The environment of a client of a server, with its own data folder."""
        clean = {name: value for name, value in os.environ.items() if not re.match("DESK_|GOOGLE_|GEMINI_|ADK_", name)}
        ours = {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "any", "DESK_BACKEND": "emulator"}
        data = {"DESK_DATA_DIR": tempfile.mkdtemp(dir=self.folder), "ADK_DISABLE_LOAD_DOTENV": "1"}
        data["DESK_ASK_ABOVE_USD"] = "100"  # an order starts at once, and its turn ends with the report
        return {**clean, **ours, **data, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}

    def add(self, what: str, goal: float, desk: str, plain: str, value: float, rounds: Sequence[float] = ()) -> None:
        self._add(Row(what, goal, desk, plain, value, rounds=rounds))

    def compare(
        self,
        what: str,
        goal: float,
        pairs: Sequence[tuple[float, float]],
        shown: Callable[[float], str],
        at_least: bool = False,
    ) -> None:
        """Adds the ratio of both sides, from pairs (desk, plain) of values that were measured one after the other."""
        ours, theirs = (shown(statistics.median(each)) for each in zip(*pairs, strict=True))
        ratios = [a / b for a, b in pairs]
        self._add(Row(what, goal, ours, theirs, statistics.median(ratios), at_least, ratios))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        print(row.line(), flush=True)


class Process:
    """A side in a child process, which is asked by lines of JSON."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def ask(self, what: str, **values: Any) -> Any:
        assert self._child.stdin and self._child.stdout
        print(json.dumps({"what": what, **values}), file=self._child.stdin, flush=True)
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self._child.args))} ended while asked for {what}")  # type: ignore[arg-type]
        return json.loads(line)


@contextmanager
def spawned(module: str, *arguments: str, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", module, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()
