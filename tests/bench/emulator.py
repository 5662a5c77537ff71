"""Compares the speed of the emulator with @copilotkit/aimock, on one machine in one run: `make bench-emulator`.

Both serve one scripted answer from a process of their own; the client is raw HTTP over kept connections. Rounds are
interleaved and the median is shown, with the slowest and the fastest round. The CPU that a server takes for an answer
depends less than its rate on what else the machine does. Further rows show how the emulator grows: with long chains,
open streams and documents (`--documents 100000`). Needs Linux, for its `/proc`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
import yaml

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Turn
from interactions_emulator.control import Control
from interactions_emulator.corpus.index import Corpus
from tests.scripts import research_brain

HERE = Path(__file__).parent
TEXTS = {
    "hello": "The moon pulls the sea and the tide follows. " * 36,
    "report": "The moon pulls the sea and the tide follows. " * 360,
}
SECONDS, ROUNDS, CONNECTIONS = 2.0, 5, 16
STREAMS = 1_000
LINKS = 10_000
RESEARCH = [entry.step for entry in research_brain(Turn("", True, (), 0))]
STORED = 10_000


@dataclass
class Count:
    """The number of answers and events that came back."""

    answers: int = 0
    events: int = 0


class Peer:
    """A raw client of one address."""

    def __init__(self, url: str) -> None:
        self.host, port = url.removeprefix("http://").rsplit(":", 1)
        self.port = int(port)

    async def ask(self, question: bytes, until: Callable[[], bool], count: Count) -> None:
        """Send a body again and again over one connection."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=2**24)
        head = f"POST /v1beta/interactions HTTP/1.1\r\nhost: {self.host}\r\nx-goog-api-key: any\r\n"
        request = f"{head}content-type: application/json\r\ncontent-length: {len(question)}\r\n\r\n".encode() + question
        while not until():
            writer.write(request)
            body = await answer(reader)
            count.events += body.count(b"data:")
            count.answers += 1
        writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer, which must be a success. Chunks are not taken apart, as aimock sends one for each event."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(head.decode())
    length = re.search(rb"content-length: (\d+)", head)
    if length:
        return await reader.readexactly(int(length[1]))
    return await reader.readuntil(b"\r\n0\r\n\r\n")


async def rate(server: Server, question: str, stream: bool) -> tuple[float, float]:
    """Answers in a second, and microseconds of CPU of the server for one. Both stream pieces of 80 characters."""
    body = json.dumps({"model": "gemini-3.8-flash", "input": question, "stream": stream}).encode()
    count, began, cpu = Count(), time.monotonic(), server.cpu_seconds()
    end = began + SECONDS
    peers = [Peer(server.url).ask(body, lambda: time.monotonic() > end, count) for _ in range(CONNECTIONS)]
    await asyncio.gather(*peers)
    return count.answers / (time.monotonic() - began), (server.cpu_seconds() - cpu) / count.answers * 1e6


def answered(count: Count) -> Callable[[], bool]:
    """Return a function that says whether an answer has come."""
    return lambda: count.answers > 0


async def follow(server: Server) -> tuple[float, float]:
    """Start and follow research runs at once, each on its own connection, in a server whose time stands still.

    Returns the real seconds until all are done, and the kilobytes that the server holds for an open stream.
    """
    body = {"agent": "deep-research-preview-04-2026", "background": True, "stream": True, "input": "tides"}
    counts = [Count() for _ in range(STREAMS)]
    began, before, control = time.monotonic(), server.resident(), Control(int(server.url.rpartition(":")[2]))
    sent = json.dumps(body).encode()
    peers = [asyncio.create_task(Peer(server.url).ask(sent, answered(count), count)) for count in counts]
    while (await asyncio.to_thread(control.log))["creates"] < STREAMS:
        await asyncio.sleep(0.05)
    held = (server.resident() - before) / STREAMS / 1000
    await asyncio.to_thread(control.advance, 10_000)
    await asyncio.gather(*peers)
    assert len({count.events for count in counts}) == 1  # no stream lacks an event
    return time.monotonic() - began, held


async def chain(server: Server) -> tuple[list[float], float]:
    """Continue one chain of interactions.

    Returns the microseconds of CPU of a create in each tenth of the chain, and the kilobytes that an interaction holds.
    """
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**24)
    last: dict[str, str] = {}
    costs: list[float] = []
    before = server.resident()
    for _ in range(10):
        cpu = server.cpu_seconds()
        for _ in range(LINKS // 10):
            body = json.dumps({"model": "gemini-3.8-flash", "input": "short"} | last)
            head = f"POST /v1beta/interactions HTTP/1.1\r\nhost: {host}\r\nx-goog-api-key: any\r\n"
            writer.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
            last = {"previous_interaction_id": json.loads(await answer(reader))["id"]}
        costs.append((server.cpu_seconds() - cpu) / (LINKS // 10) * 1e6)
    writer.close()
    return costs, (server.resident() - before) / LINKS / 1000


@dataclass
class Server:
    """A server in a process of its own."""

    pid: int
    url: str

    def resident(self) -> int:
        """Bytes of memory that the process holds."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]

    def cpu_seconds(self) -> float:
        """Seconds of CPU that the process has taken."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def process(*command: str) -> Iterator[Server]:
    """Run a server."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]) as child:
        assert child.stdout
        try:
            yield Server(child.pid, re.search(r"http://[\w.]+:\d+", child.stdout.readline())[0])  # type: ignore[index]
        finally:
            child.kill()


def row(name: str, ours: str, theirs: str = "", ratio: str = "") -> None:
    print(f"| {name} | {ours} | {theirs} | {ratio} |", flush=True)


def emulator(scenarios: Path, *options: str) -> AbstractContextManager[Server]:
    """The emulator as a process."""
    return process(sys.executable, "-m", "interactions_emulator", "--scenarios", str(scenarios), *options)


def compare(scenarios: Path) -> None:
    """Answers a second of both servers, and their CPU for an answer."""
    with (
        emulator(scenarios) as ours,
        process("node", str(HERE / "aimock.mjs"), json.dumps(TEXTS)) as theirs,
    ):
        for question, text in TEXTS.items():
            for name, stream in (("answers", False), ("streamed answers", True)):
                for server in (ours, theirs):  # warm up
                    uvloop.run(rate(server, question, stream))
                rounds = [
                    [uvloop.run(rate(server, question, stream)) for server in (ours, theirs)] for _ in range(ROUNDS)
                ]
                rates, costs = ([[pair[number] for pair in both] for both in rounds] for number in (0, 1))
                what = f"{name}, {len(text):,} characters"
                ratio = statistics.median(of_ours / of_theirs for of_ours, of_theirs in rates)
                mine, other = map(spread, zip(*rates, strict=True))
                row(f"{what}: a second", mine, other, f"{ratio:.2f}")
                ratio = statistics.median(of_theirs / of_ours for of_ours, of_theirs in costs)
                mine, other = map(spread, zip(*costs, strict=True))
                row(f"{what}: µs of CPU for one", mine, other, f"{ratio:.2f}")


def spread(values: Sequence[float]) -> str:
    """The median, and in brackets the lowest and the highest value."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}–{max(values):,.0f})"


def memory(server: Server) -> None:
    """What stored answers hold."""
    count, before = Count(), server.resident()
    body = json.dumps({"model": "gemini-3.8-flash", "input": "hello"}).encode()
    uvloop.run(Peer(server.url).ask(body, lambda: count.answers == STORED, count))
    full = server.resident()
    uvloop.run(Peer(server.url).ask(body, lambda: count.answers == 2 * STORED, count))
    each = (full - before) / STORED / 1000
    row(f"memory of a stored answer of {len(TEXTS['hello']):,} characters, KB", f"{each:.1f}")
    row(f"memory after {STORED:,} more, which push out the oldest, MB", f"{(server.resident() - full) / 1e6:+.1f}")


def index(folder: Path, documents: int) -> None:
    """The time to index documents and to search them, where every passage has a word of the query."""
    (folder / "documents").mkdir()
    for number in range(documents):
        text = "\n\n".join(f"Paragraph {n} of {number} speaks of the sea and of the ships." * 3 for n in range(10))
        (folder / "documents" / f"{number}.md").write_text(f"# Document {number}\n\n{text}")
    for name in ("read and indexed", "opened again"):
        began = time.process_time()
        corpus = Corpus.open(folder / "documents", folder / "index.db")
        assert len(corpus) == documents
        row(f"{documents:,} documents {name}, s of CPU", f"{time.process_time() - began:.2f}")
    row(f"index of {documents:,} documents on disk, MB", f"{(folder / 'index.db').stat().st_size / 1e6:.0f}")
    searches = {
        "a search for a word of one document": str(documents // 2),
        "for words of all passages": "ships on the sea",
    }
    for name, query in searches.items():
        began = time.process_time()
        assert corpus.search(query)
        row(f"{name}, ms of CPU", f"{(time.process_time() - began) * 1000:.1f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--documents", type=int, default=1_000, help="number of documents to index (default: 1,000)")
    documents = options.parse_args().documents
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenarios = folder / "scenarios.yaml"
        said = [
            {"match": {"text": f"^{question}$", "model": ".*"}, "text": text}
            for question, text in {**TEXTS, "short": "The moon pulls the sea."}.items()
        ]
        scenarios.write_text(yaml.safe_dump([*said, {"match": {"agent": ".*"}, "wait": 60, "steps": RESEARCH}]))
        print("| what | emulator | aimock | ratio |\n|---|---:|---:|---:|")
        compare(scenarios)
        began = time.perf_counter()
        with Emulator(brain=lambda turn: [], speed=0):
            row("start in this process, ms", f"{(time.perf_counter() - began) * 1000:.0f}")
        with emulator(scenarios, "--speed", "0") as server:
            seconds, held = uvloop.run(follow(server))
            row(f"{STREAMS:,} research runs followed at once, s", f"{seconds:.1f}")
            row("memory of each open stream and its run, KB", f"{held:.0f}")
        with emulator(scenarios) as server:
            costs, held = uvloop.run(chain(server))
            row(f"a chain of {LINKS:,}: µs of CPU of a create in the first tenth", f"{costs[0]:,.0f}")
            row("in the last tenth", f"{costs[-1]:,.0f}", "", f"{costs[-1] / costs[0]:.1f}")
            row("memory of each interaction of the chain, KB", f"{held:.1f}")
        with emulator(scenarios) as server:
            memory(server)
        index(folder, documents)


if __name__ == "__main__":
    main()
