"""Compares the speed of the emulator with @copilotkit/aimock, on one machine in one run: `make bench-emulator`.

ARGS=--large measures a chain of 10,000 interactions and an index of 100,000 documents.

Both serve one scripted answer from a process of their own; the client is raw HTTP over kept connections. Rounds are
interleaved and the median is shown, with the slowest and the fastest round.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop
import yaml

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from interactions_emulator.corpus.index import Corpus
from tests.scripts import research_brain

HERE = Path(__file__).parent
TEXTS = {
    "hello": "The moon pulls the sea and the tide follows. " * 36,
    "report": "The moon pulls the sea and the tide follows. " * 360,
}
SECONDS, ROUNDS, CONNECTIONS = 2.0, 5, 16
RESEARCHES = 1_000
RESEARCH = [entry.step for entry in research_brain(Turn("", True, (), 0))]
STORED = 10_000
CHAIN = 10_000
"""Interactions of a chain."""
DOCUMENTS = 1_000
LARGE = 100_000
"""Documents of the large index: one paragraph each."""


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
    """Read one answer, which must be a success."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(head.decode())
    length = re.search(rb"content-length: (\d+)", head)
    if length:
        return await reader.readexactly(int(length[1]))
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size + 2))
    await reader.readexactly(2)
    return b"".join(parts)


async def rate(url: str, question: str, stream: bool) -> float:
    """Answers in a second. Both servers stream them in pieces of 80 characters."""
    body = json.dumps({"model": "gemini-3.8-flash", "input": question, "stream": stream}).encode()
    count, began = Count(), time.monotonic()
    end = began + SECONDS
    await asyncio.gather(*(Peer(url).ask(body, lambda: time.monotonic() > end, count) for _ in range(CONNECTIONS)))
    return count.answers / (time.monotonic() - began)


def answered_once(count: Count) -> bool:
    return count.answers == 1


async def follow(url: str, api: Emulator) -> float:
    """Start and follow research runs at once, each on its own connection; return real seconds until all are done."""
    body = {"agent": "deep-research-preview-04-2026", "background": True, "stream": True, "input": "tides"}
    counts = [Count() for _ in range(RESEARCHES)]
    began = time.monotonic()
    sent = json.dumps(body).encode()
    peers = [asyncio.create_task(Peer(url).ask(sent, partial(answered_once, count), count)) for count in counts]
    while (await asyncio.to_thread(api.log))["creates"] < RESEARCHES:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(api.advance, 10_000)
    await asyncio.gather(*peers)
    assert len({count.events for count in counts}) == 1
    return time.monotonic() - began


async def chain(url: str) -> list[float]:
    """Continue one chain from its first interaction; return the seconds of each answer."""
    reader, writer = await asyncio.open_connection(
        url.removeprefix("http://").split(":")[0], int(url.rpartition(":")[2])
    )
    seconds, previous = list[float](), None
    for _ in range(CHAIN):
        body = {"model": "gemini-3.8-flash", "input": "hello"} | (
            {"previous_interaction_id": previous} if previous else {}
        )
        sent = json.dumps(body).encode()
        head = f"POST /v1beta/interactions HTTP/1.1\r\nhost: x\r\nx-goog-api-key: any\r\ncontent-length: {len(sent)}"
        began = time.perf_counter()
        writer.write(f"{head}\r\n\r\n".encode() + sent)
        previous = json.loads(await answer(reader))["id"]
        seconds.append(time.perf_counter() - began)
    writer.close()
    return seconds


def large(folder: Path) -> None:
    """A chain of 10,000 interactions, 1,000 open streams, and an index of 100,000 documents."""
    said = [TimedStep(0, {"type": "model_output", "content": [{"type": "text", "text": "So it is."}]})]
    with Emulator(brain=lambda turn: said, speed=0) as api:
        seconds = uvloop.run(chain(api.url))
        first, last = (statistics.median(part) * 1000 for part in (seconds[:100], seconds[-100:]))
        row(f"an answer, first and last hundred of a chain of {CHAIN:,}, ms", f"{first:.2f}, {last:.2f}")
    documents = folder / "large"
    documents.mkdir()
    for number in range(LARGE):
        text = f"Ship {number} left harbour {number % 977} on a spring tide, and carried {number % 31} crates of salt."
        (documents / f"{number}.md").write_text(f"# Voyage {number}\n\n{text}\n")
    index = folder / "large.db"
    for name in ("read and indexed", "opened again"):
        began = time.perf_counter()
        corpus = Corpus.open(documents, index)
        assert len(corpus) == LARGE
        row(f"{LARGE:,} documents {name}, s", f"{time.perf_counter() - began:.1f}")
    row("size of that index, MB", f"{index.stat().st_size / 1e6:.0f}")
    for name, query in (("rare words", "ship 4711 harbour"), ("words of all documents", "spring tide salt crates")):
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            assert corpus.search(query)
            times.append(time.perf_counter() - began)
        row(f"a query of it, {name}, ms", f"{statistics.median(times) * 1000:.0f}")


@contextmanager
def process(*command: str) -> Iterator[tuple[int, str]]:
    """Run a server; yield its process id and address."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]) as child:
        assert child.stdout
        try:
            yield child.pid, re.search(r"http://[\w.]+:\d+", child.stdout.readline())[0]  # type: ignore[index]
        finally:
            child.kill()


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]


def row(name: str, ours: str, theirs: str = "", ratio: str = "") -> None:
    print(f"| {name} | {ours} | {theirs} | {ratio} |", flush=True)


def compare(scenarios: Path) -> None:
    """Answers and events a second of both."""
    with (
        process(sys.executable, "-m", "interactions_emulator", "--scenarios", str(scenarios)) as (_, ours),
        process("node", str(HERE / "aimock.mjs"), json.dumps(TEXTS)) as (_, theirs),
    ):
        for question, text in TEXTS.items():
            for name, stream in (("answers/s", False), ("streamed answers/s", True)):
                for url in (ours, theirs):  # warm up
                    uvloop.run(rate(url, question, stream))
                rounds = [[uvloop.run(rate(url, question, stream)) for url in (ours, theirs)] for _ in range(ROUNDS)]
                seen = zip(*rounds, strict=True)
                mine, other = (f"{statistics.median(r):,.0f} ({min(r):,.0f}–{max(r):,.0f})" for r in seen)
                ratio = statistics.median(of_ours / of_theirs for of_ours, of_theirs in rounds)
                row(f"{name}, {len(text):,} characters", mine, other, f"{ratio:.2f}")


def main() -> None:
    if "--large" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            print("| what | emulator | | |\n|---|---:|---:|---:|")
            large(Path(folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        scenarios = Path(folder, "scenarios.yaml")
        said = [
            {"match": {"text": question, "model": ".*"}, "steps": [{"type": "model_output", "content": [content]}]}
            for question, content in ((question, {"type": "text", "text": text}) for question, text in TEXTS.items())
        ]
        scenarios.write_text(yaml.safe_dump([*said, {"match": {"agent": ".*"}, "wait": 60, "steps": RESEARCH}]))
        print("| what | emulator | aimock | ratio |\n|---|---:|---:|---:|")
        compare(scenarios)
        began = time.perf_counter()
        with Emulator(brain=lambda turn: [], speed=0):
            row("start in this process, ms", f"{(time.perf_counter() - began) * 1000:.0f}")
        with Emulator(scenarios=scenarios, speed=0) as api:
            row(f"{RESEARCHES} research runs followed at once, s", f"{uvloop.run(follow(api.url, api)):.1f}")
        with process(sys.executable, "-m", "interactions_emulator", "--scenarios", str(scenarios)) as (pid, url):
            before = resident(pid)
            count = Count()
            body = json.dumps({"model": "gemini-3.8-flash", "input": "hello"}).encode()
            uvloop.run(Peer(url).ask(body, lambda: count.answers == STORED, count))
            full = resident(pid)
            uvloop.run(Peer(url).ask(body, lambda: count.answers == 2 * STORED, count))
            row(
                f"memory of a stored answer of {len(TEXTS['hello']):,} characters, KB",
                f"{(full - before) / STORED / 1000:.1f}",
            )
            row(f"memory after {STORED:,} more, which push out the oldest, MB", f"{(resident(pid) - full) / 1e6:+.1f}")
        documents = Path(folder, "documents")
        documents.mkdir()
        for number in range(DOCUMENTS):
            text = "\n\n".join(f"Paragraph {n} of {number} speaks of the sea and of the ships." * 3 for n in range(10))
            (documents / f"{number}.md").write_text(f"# Document {number}\n\n{text}")
        for name in ("read and indexed", "opened again"):
            began = time.perf_counter()
            assert len(Corpus.open(documents, Path(folder, "index.db"))) == DOCUMENTS
            row(f"{DOCUMENTS:,} documents {name}, s", f"{time.perf_counter() - began:.2f}")


if __name__ == "__main__":
    main()
