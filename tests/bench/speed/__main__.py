"""Measures both sides in one run, each in a process of its own, on one server; prints a table and draws a chart.

    make bench
    make bench ARGS="--only turn --only picture"

Packages have to be compiled, as pip leaves them; nothing else should run on the machine.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer

from tests.bench.speed import starts
from tests.bench.speed.table import Row, chart
from tests.conftest import ROOT
from tests.ledger.server import NoServer, postgresql
from tests.talk import CREATES

ROUNDS = 5
LONG = 1_000
"""Turns of the long conversation."""
MANY = 1_000
"""Researches at once."""


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


class Bench:
    """Starts servers and sides for the measurements, and collects the rows of the table."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self.folder = stack, folder
        self.rows = list[Row]()

    def server(self, speed: float | str = "inf") -> str:
        child = self._stack.enter_context(spawned("tests.bench.speed.server", str(speed), env={**os.environ}))
        assert child.stdout
        return child.stdout.readline().strip()

    def side(self, kind: str, url: str) -> Process:
        return Process(self._stack.enter_context(spawned("tests.bench.speed.side", kind, env=self.env(url))))

    def env(self, url: str) -> dict[str, str]:
        """The environment of a client of a server, with its own data folder."""
        clean = {name: value for name, value in os.environ.items() if not re.match("DESK_|GOOGLE_|GEMINI_|ADK_", name)}
        ours = {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "any", "DESK_BACKEND": "emulator"}
        data = {"DESK_DATA_DIR": tempfile.mkdtemp(dir=self.folder), "ADK_DISABLE_LOAD_DOTENV": "1"}
        data["DESK_ASK_ABOVE_USD"] = "100"  # an order starts at once, and its turn ends with the report
        return {**clean, **ours, **data, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}

    def add(self, what: str, goal: float, desk: str, plain: str, value: float, *, at_least: bool = False) -> None:
        row = Row(what, goal, desk, plain, value, at_least)
        self.rows.append(row)
        print(row.line(), flush=True)


@contextmanager
def spawned(module: str, *arguments: str, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", module, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


def log(url: str) -> list[dict[str, Any]]:
    """Requests that a server got."""
    found: list[dict[str, Any]] = httpx2.get(f"{url}/_emulator/log", timeout=60, trust_env=False).json()["requests"]
    return found


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def turn(bench: Bench) -> None:
    """Turns of small talk, in one conversation after the other and in many at once."""
    url = bench.server()
    plain, desk = bench.side("plain", url), bench.side("desk", url)
    for stream in (True, False):
        took: list[tuple[float, float]] = []
        for number in range(-1, ROUNDS):  # the first round warms up
            pair = [
                statistics.median(side.ask("turns", stream=stream, count=40, name=f"{stream}{number}"))
                for side in (desk, plain)
            ]
            took += [(pair[0], pair[1])] if number >= 0 else []
        ours, theirs = (statistics.median(each) for each in zip(*took, strict=True))
        ratio = statistics.median(a / b for a, b in took)
        bench.add(f"a turn, {'' if stream else 'not '}streamed", 0.3, ms(ours), ms(theirs), ratio)
    for stream in (True, False):
        speeds = []
        for _ in range(3):
            values = {"stream": stream, "conversations": 32, "count": 10}
            speeds.append((desk.ask("load", **values), plain.ask("load", **values)))
        ours, theirs = (statistics.median(each) for each in zip(*speeds, strict=True))
        ratio = statistics.median(a / b for a, b in speeds)
        name = f"turns/s of 32 conversations, {'' if stream else 'not '}streamed"
        bench.add(name, 4, f"{ours:.0f}", f"{theirs:.0f}", ratio, at_least=True)


def connection(bench: Bench) -> None:
    """Connections of 20 streamed turns."""
    opened = []
    for kind in ("desk", "plain"):
        url = bench.server()
        bench.side(kind, url).ask("turns", stream=True, count=20, name="c")
        opened.append(len({request["connection"] for request in log(url) if request["kind"] in CREATES}))
    bench.add("connections of 20 streamed turns", 1, str(opened[0]), str(opened[1]), opened[0])


def length(bench: Bench) -> None:
    """A conversation of a thousand turns over all specialists, and what each turn sent."""
    with ExitStack() as stack:
        kinds = ["memory", "sqlite"]
        try:
            kinds.append(stack.enter_context(postgresql()).create_database())
            other = stack.enter_context(postgresql()).create_database()
        except NoServer as error:
            print(f"without PostgreSQL: {error}", file=sys.stderr)
        for kind in kinds:
            url, name = bench.server(), kind.partition("+")[0]
            place = {"kind": kind, "folder": tempfile.mkdtemp(dir=bench.folder)}
            found = bench.side("desk", url).ask("long", count=LONG, **place)
            early, late = (of_places(found["took"], range(*span)) for span in ((10, 60), (LONG - 50, LONG)))
            plain = bench.side("plain", bench.server())
            theirs = plain.ask(
                "grown", lengths=[10, LONG], **(place if name != "postgresql" else {**place, "kind": other})
            )
            before, after = map(statistics.median, theirs)
            ours = f"{ms(late / 10)} ÷ {ms(early / 10)}"
            shown = f"{ms(after)} ÷ {ms(before)} = {after / before:.1f}"
            bench.add(f"turn {LONG:,} ÷ turn 10, all specialists, {name}", 1.25, ours, shown, late / early)
            sent, count = [0] * (LONG + 1), [0] * (LONG + 1)
            for request in log(url):
                if request["kind"] in CREATES:
                    at = bisect(found["began"], request["time"]) - 1
                    sent[at] += request["bytes"]
                    count[at] += 1
        bench.add(
            f"bytes sent, turn {LONG:,} ÷ turn 2",
            1.05,
            f"{sent[LONG - 1]:,} ÷ {sent[1]:,}",
            "",
            sent[LONG - 1] / sent[1],
        )
        bench.add("calls of a model: small talk", 1, str(count[1]), "1", count[1])
        bench.add("calls of a model: routed (search)", 2, str(count[3]), "", count[3])
        bench.add("calls of a model: routed, with a tool", 3, str(count[2]), "", count[2])


def of_places(took: Sequence[float], numbers: range) -> float:
    """Seconds of one cycle of the conversation: the medians of what is said at each place of it."""
    return sum(statistics.median(took[n] for n in numbers if n % 10 == place) for place in range(10))


def picture(bench: Bench) -> None:
    """A large picture in a stream."""
    waits = []
    for kind in ("desk", "plain"):
        side = bench.side(kind, bench.server())
        waits.append(statistics.median(side.ask("picture") for _ in range(ROUNDS)))
    bench.add("a picture of 4 MB blocks the loop, ms", 60, ms(waits[0]), ms(waits[1]), waits[0] * 1000)


def follow(bench: Bench) -> None:
    """CPU of a followed event."""
    url = bench.server()
    body = {"agent": "deep-research-preview-04-2026", "background": True, "store": True, "input": "many events"}
    made = httpx2.post(f"{url}/v1beta/interactions", json=body, headers={"x-goog-api-key": "any"}, trust_env=False)
    found = []
    for kind in ("desk", "plain"):
        side = bench.side(kind, url)
        asked = {"interaction_id": made.json()["id"], "times": 10}
        found.append(statistics.median(side.ask("follow", **asked) for _ in range(3)))
    ours, theirs = (f"{each * 1e6:.0f} µs" for each in found)
    bench.add("following a run: CPU of an event", 0.1, ours, f"{theirs} (SDK)", found[0] / found[1])


def many(bench: Bench) -> None:
    """Many researches at once in one process."""
    found = bench.side("desk", bench.server(0)).ask("many", count=MANY)
    each = (found["peak"] - found["report"]) / 1e6
    shown = f"{MANY:,} complete, {found['open']:,} connections, {found['seconds']:.0f} s"
    bench.add(f"{MANY:,} runs at once: MB each beyond its report", 0.1, shown, "100 at a time", each)


def reconnect(bench: Bench) -> None:
    """From a cut to the next event."""
    gaps = bench.side("desk", bench.server()).ask("reconnect", times=15)
    median = statistics.median(gaps)
    bench.add("reconnect after a cut: to the next event, ms", 250, ms(median), "never", median * 1000)


def start(bench: Bench) -> None:
    """Start times of commands."""
    url = bench.server()
    env = bench.env(url)
    bench.side("desk", url)  # not measured: the files that a start reads are then in memory
    subprocess.run(
        [starts.BIN / "desk", "research", "tides"], env=env, check=True, capture_output=True, cwd=bench.folder
    )
    for name, goal in (("--help", 0.4), ("jobs", 1.0)):
        took = starts.command(name, env=env)
        bench.add(f"`desk {name}`, s", goal, ms(took), "", took)


MEASURES: dict[str, Callable[[Bench], None]] = {
    each.__name__: each for each in (turn, connection, length, picture, follow, many, reconnect, start)
}


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"Measure only this: {', '.join(MEASURES)}; may be repeated.")
    ] = None,
    picture_file: Annotated[Path, typer.Option("--chart", help="File of the chart.")] = Path("build/bench.svg"),
) -> None:
    """Measure, print a table, draw a chart. Exit status 1 if a goal is not met."""
    print("| what | goal | desk | plain ADK or SDK | ratio or figure |\n|---|---:|---:|---:|---:|")
    rows = list[Row]()
    for name in only or MEASURES:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            bench = Bench(stack, folder)
            MEASURES[name](bench)
            rows += bench.rows
    picture_file.parent.mkdir(parents=True, exist_ok=True)
    chart(rows, picture_file)
    raise typer.Exit(int(not all(row.met for row in rows)))


if __name__ == "__main__":
    typer.run(main)
