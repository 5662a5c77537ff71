"""Streams one large event through google-genai: how long that takes, and how many lines of Python each byte costs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from types import FrameType
from typing import Any

import httpx
from google import genai
from google.genai._gaos.utils import eventstreaming

SIZES = [int(size) for size in sys.argv[1:]] or [1_000_000, 4_000_000]
PARSERS = (eventstreaming.stream_events.__code__, eventstreaming.stream_events_async.__code__)
lines = 0


def event(size: int) -> bytes:
    """An event with a picture of about `size` bytes, as the API sends it."""
    delta = {"type": "image", "mime_type": "image/png", "data": "iVBORw0K" * (size // 8)}
    return b"data: %s\n\n" % json.dumps({"event_type": "step.delta", "index": 0, "delta": delta}).encode()


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(event(int(self.path.partition("?")[0].rpartition("/")[2])) + b"data: [DONE]\n\n")

    def log_message(self, *arguments: Any) -> None: ...


def count(frame: FrameType, kind: str, _: Any) -> Any:
    global lines
    lines += kind == "line"
    return count if frame.f_code in PARSERS else None


async def by_the_sdk(size: int) -> None:
    async for _ in await client.aio.interactions.get(str(size), stream=True):
        pass


async def by_lines(size: int) -> None:
    """Read the same stream with httpx and json only, split at line ends."""
    async with http.stream("GET", f"{url}/{size}") as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                json.loads(line[6:])


async def milliseconds(read: Any, size: int) -> float:
    began = time.perf_counter()
    await read(size)
    return (time.perf_counter() - began) * 1000


async def longest_wait(read: Any, size: int) -> float:
    """The longest time in milliseconds that another task of the event loop waits for its turn."""
    reading = asyncio.create_task(read(size))
    longest = 0.0
    while not reading.done():
        longest = max(longest, await milliseconds(asyncio.sleep, 0))
    return longest


async def main() -> None:
    await by_the_sdk(1)  # not counted: the first call imports modules
    sys.settrace(count)
    await by_the_sdk(2_000)
    sys.settrace(None)
    print(f"google-genai {version('google-genai')}: {lines / len(event(2_000)):.1f} lines of Python for each byte")
    for size in SIZES:
        parts = []
        for name, read in (("google-genai", by_the_sdk), ("httpx and json", by_lines)):
            whole, wait = await milliseconds(read, size), await longest_wait(read, size)
            parts.append(f"{name} {whole:,.0f} ms, of which up to {wait:.0f} ms at a time")
        print(f"an event of {len(event(size)):,} bytes: {'; '.join(parts)}")


os.environ["NO_PROXY"] = "127.0.0.1"
server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
client = genai.Client(api_key="any", http_options={"base_url": url})
http = httpx.AsyncClient()
asyncio.run(main())
