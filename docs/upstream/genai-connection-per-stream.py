"""Counts the connections that google-genai opens for consecutive streams, each of which is read to its end."""

from __future__ import annotations

import asyncio
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from threading import Thread
from typing import Any

from google import genai

STREAMS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
STREAM = b"""data: {"event_type":"step.delta","index":0,"delta":{"type":"text","text":"Hi"}}

data: {"event_type":"interaction.completed","interaction":{"id":"v1_a","status":"completed"}}

data: [DONE]

"""
connects = requests = 0


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        global connects
        super().setup()
        connects += 1

    def do_POST(self) -> None:
        global requests
        requests += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        # The last chunk comes in one write with [DONE]: the client already has this chunk when it closes the answer.
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(STREAM), STREAM))

    def log_message(self, *arguments: Any) -> None: ...


async def as_documented(client: genai.Client) -> int:
    return len([event async for event in await client.aio.interactions.create(**asked)])


async def to_the_last_chunk(client: genai.Client) -> int:
    async with client.aio.interactions.with_streaming_response.create(**asked) as response:
        return len([chunk async for chunk in response.iter_bytes()])


async def count(read: Any) -> str:
    global connects, requests
    connects = requests = 0
    client = genai.Client(api_key="any", http_options={"base_url": f"http://127.0.0.1:{server.server_port}"})
    for _ in range(STREAMS):
        assert await read(client)
    await client.aio.aclose()
    return f"{requests} streams, {connects} connection{'s' * (connects != 1)}"


asked: dict[str, Any] = {"model": "gemini-3.8-flash", "input": "Hello!", "stream": True}
os.environ["NO_PROXY"] = "127.0.0.1"
server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
print(f"google-genai {version('google-genai')}, iterated to the end: {asyncio.run(count(as_documented))}")
print(f"the same bytes, read to the last chunk: {asyncio.run(count(to_the_last_chunk))}")
