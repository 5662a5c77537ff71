"""Measures both sides in one run, each in a process of its own, on one server; prints a table and draws a chart.

    make bench
    make bench ARGS="--only turn --only picture"

Packages have to be compiled, as pip leaves them; nothing else should run on the machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from bisect import bisect
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer

from tests.bench.speed.bench import Bench
from tests.bench.speed.command_start import BIN, median_start_s
from tests.bench.speed.compared_servers import ComparedServer
from tests.bench.speed.table import Row, chart
from tests.ledger.server import NoServer, postgresql
from tests.talk import CREATES

ROUNDS = 5
LONG = 1_000
"""Turns of the long conversation."""
MANY = 1_000
"""Researches at once."""
STREAMS = 500
"""Streams that are open at once."""
SIDES = ("desk", "plain")


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
        pairs = []
        for number in range(-1, ROUNDS):  # the first round warms up
            values = {"stream": stream, "count": 40, "name": f"{stream}{number}"}
            pairs += [(statistics.median(desk.ask("turns", **values)), statistics.median(plain.ask("turns", **values)))]
        bench.compare(f"a turn, {streamed(stream)}", 0.3, pairs[1:], ms)
    for stream in (True, False):
        values = {"stream": stream, "conversations": 32, "count": 10}
        pairs = [(desk.ask("load", **values), plain.ask("load", **values)) for _ in range(ROUNDS)]
        bench.compare(f"turns/s of 32 conversations, {streamed(stream)}", 4, pairs, "{:.0f}".format, at_least=True)


def streamed(stream: bool) -> str:
    return "streamed" if stream else "not streamed"


def served(bench: Bench) -> None:
    """Turns over HTTP: `desk serve` beside `adk api_server`, each with a database of its own on the same engine."""
    with ExitStack() as stack:
        bases: dict[str, Callable[[str], str]] = {
            "sqlite": lambda name: f"sqlite+aiosqlite:///{bench.folder}/{name}.db"
        }
        try:
            database = stack.enter_context(postgresql())
            bases["postgresql"] = lambda _: database.create_database()
        except NoServer as error:
            print(f"without PostgreSQL: {error}", file=sys.stderr)
        url = bench.server()
        for kind, new_url in bases.items():
            with ExitStack() as servers:
                desk, plain = (servers.enter_context(bench.served(name, url, new_url(name))) for name in SIDES)
                _served(bench, kind, desk, plain)
            with ExitStack() as servers:  # new ones: memory that other turns have left free would not be counted
                desk, plain = (servers.enter_context(bench.served(name, url, new_url(f"{name}2"))) for name in SIDES)
                _streams(bench, kind, desk, plain)


def _served(bench: Bench, kind: str, desk: ComparedServer, plain: ComparedServer) -> None:
    for stream in (True, False):
        pairs, cpu = [], []
        for _ in range(-1, ROUNDS):  # the first round warms up
            before = desk.cpu()
            ours = statistics.median(desk.turns(stream, 40))
            cpu += [(desk.cpu() - before) / 40]
            pairs += [(ours, statistics.median(plain.turns(stream, 40)))]
        bench.compare(f"served turn, {streamed(stream)}, {kind}", 0.3, pairs[1:], ms)
        rounds = [pair[0] * 1000 for pair in pairs[1:]]
        used = f"{ms(statistics.median(cpu[1:]))} of CPU"
        bench.add(f"served turn, {streamed(stream)}, {kind}, ms", 10, used, "", statistics.median(rounds), rounds)
    for stream in (True, False):
        pairs = [(desk.load(stream, 32, 5), plain.load(stream, 32, 5)) for _ in range(ROUNDS)]
        name = f"served turns/s of 32 conversations, {streamed(stream)}, {kind}"
        bench.compare(name, 4, pairs, "{:.0f}".format, at_least=True)
    if desk.failed or plain.failed:
        print(f"turns that failed under load: desk {desk.failed}, adk api_server {plain.failed}", file=sys.stderr)


def _streams(bench: Bench, kind: str, desk: ComparedServer, plain: ComparedServer) -> None:
    for side in (desk, plain):
        side.turns(stream=True, count=20)  # imports, tables
    # `adk api_server` has at most 100 connections to the API, so its further streams never begin.
    each = [side.open_streams(streams) / 1e6 for side, streams in ((desk, STREAMS), (plain, 90))]
    name = f"{STREAMS} users on open streams, {kind}: MB each"
    bench.add(name, 0.2, f"{each[0]:.2f} MB", f"{each[1]:.2f} MB", each[0])


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
            side = bench.side("desk", url)
            found = side.ask("long", count=LONG, **place)
            pairs = [side.ask("cycles", number=number) for number in range(ROUNDS)]
            late, early = (statistics.median(each) for each in zip(*pairs, strict=True))
            plain = bench.side("plain", bench.server())
            theirs = plain.ask(
                "grown", lengths=[10, LONG], **(place if name != "postgresql" else {**place, "kind": other})
            )
            before, after = map(statistics.median, theirs)
            ours = f"{ms(late)} ÷ {ms(early)}"
            shown = f"{ms(after)} ÷ {ms(before)} = {after / before:.1f}"
            ratios = [a / b for a, b in pairs]
            what = f"turn {LONG:,} ÷ turn 10, all specialists, {name}"
            bench.add(what, 1.25, ours, shown, statistics.median(ratios), ratios)
            sent, count = [0] * (LONG + 1), [0] * (LONG + 1)
            for request in log(url):
                if request["kind"] in CREATES:
                    at = bisect(found["began"], request["time"]) - 1
                    sent[at] += request["bytes"]
                    count[at] += 1
        _development(bench)
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


def _development(bench: Bench) -> None:
    """The length of a conversation in `adk web`, with the desk's sessions and with ADK's own."""
    url, pairs, theirs = bench.server(), [], []
    desk, plain = (bench.side(kind, url) for kind in SIDES)
    for number in range(ROUNDS):
        folder = tempfile.mkdtemp(dir=bench.folder)
        ask = {"folder": folder, "lengths": [10, LONG], "name": f"{number}"}
        early, late = map(statistics.median, desk.ask("grown", kind="adk web", **ask))
        pairs.append((late, early))
        theirs.append([*map(statistics.median, plain.ask("grown", kind="sqlite", **ask))])
    ours = " ÷ ".join(ms(statistics.median(each)) for each in zip(*pairs, strict=True))
    early, late = (statistics.median(each) for each in zip(*theirs, strict=True))
    rounds = [pair[0] / pair[1] for pair in pairs]
    shown = f"{ms(late)} ÷ {ms(early)} = {late / early:.1f}"
    bench.add(f"turn {LONG:,} ÷ turn 10, `adk web`", 1.25, ours, shown, statistics.median(rounds), rounds)


def picture(bench: Bench) -> None:
    """A large picture in a stream."""
    url = bench.server()
    sides = [bench.side(kind, url) for kind in SIDES]
    pairs = [(sides[0].ask("picture"), sides[1].ask("picture")) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    rounds = [pair[0] * 1000 for pair in pairs]
    bench.add("a picture of 4 MB blocks the loop, ms", 60, ms(ours), ms(theirs), ours * 1000, rounds)


def follow(bench: Bench) -> None:
    """CPU of a followed event."""
    url = bench.server()
    body = {"agent": "deep-research-preview-04-2026", "background": True, "store": True, "input": "many events"}
    made = httpx2.post(f"{url}/v1beta/interactions", json=body, headers={"x-goog-api-key": "any"}, trust_env=False)
    sides = [bench.side(kind, url) for kind in SIDES]
    asked = {"interaction_id": made.json()["id"], "times": 10}
    pairs = [(sides[0].ask("follow", **asked), sides[1].ask("follow", **asked)) for _ in range(ROUNDS)]
    bench.compare("following a run: CPU of an event, beside the SDK", 0.1, pairs, lambda each: f"{each * 1e6:.0f} µs")


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
    rounds = [gap * 1000 for gap in gaps]
    bench.add("reconnect after a cut: to the next event, ms", 250, ms(median), "never", median * 1000, rounds)


def start(bench: Bench) -> None:
    """Start times of commands."""
    url = bench.server()
    env = bench.env(url)
    bench.side("desk", url)  # not measured: the files that a start reads are then in memory
    subprocess.run([BIN / "desk", "research", "tides"], env=env, check=True, capture_output=True, cwd=bench.folder)
    for name, goal in (("--help", 0.4), ("jobs", 1.0)):
        took = median_start_s(name, env=env)
        bench.add(f"`desk {name}`, s", goal, ms(took), "", took)


MEASURES: dict[str, Callable[[Bench], None]] = {
    each.__name__: each for each in (turn, served, connection, length, picture, follow, many, reconnect, start)
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
