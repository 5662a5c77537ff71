"""Opens 101 streams at a time with google-genai: the last one waits, without an error, until another one ends."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any

from google import genai

WAIT = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
EVENT = b'data: {"event_type":"interaction.status_update","interaction_id":"v1_a","status":"in_progress"}\n\n'
connects = 0


class Server(BaseHTTPRequestHandler):
    """Answers with one event and leaves the stream open."""

    def do_GET(self) -> None:
        global connects
        connects += 1
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(EVENT)
        threading.Event().wait()

    def log_message(self, *arguments: Any) -> None: ...


async def main(url: str) -> None:
    client = genai.Client(api_key="any", http_options={"base_url": url})

    async def follow() -> Any:
        stream = await client.aio.interactions.get("v1_a", stream=True)
        await anext(stream)
        return stream

    streams = [await follow() for _ in range(100)]
    last = asyncio.create_task(follow())
    done, _ = await asyncio.wait([last], timeout=WAIT)
    heard = "was answered" if done else f"heard nothing in {WAIT:g} s, and no error"
    print(f"google-genai {version('google-genai')}: {connects} connections for 101 streams; the 101st {heard}")
    await streams.pop().close()
    streams.append(await last)
    print(f"after one of the others was closed, it was answered: {connects} connections in all")
    for stream in streams:
        await stream.close()


os.environ["NO_PROXY"] = "127.0.0.1"
server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
asyncio.run(main(f"http://127.0.0.1:{server.server_port}"))
