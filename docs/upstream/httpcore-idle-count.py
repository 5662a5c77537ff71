"""Counts how often httpcore checks its connections during one request, for several numbers of open connections."""

from __future__ import annotations

import asyncio
import sys

import httpcore

KEPT = [int(each) for each in sys.argv[1:]] or [1, 10, 32, 100]
looks = 0
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
is_idle = httpcore.AsyncHTTPConnection.is_idle


def counted(connection: httpcore.AsyncHTTPConnection) -> bool:
    global looks
    looks += 1
    return is_idle(connection)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            asked.release()
            await go.wait()
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        writer.close()


async def main() -> None:
    global looks
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    for kept in KEPT:
        async with httpcore.AsyncConnectionPool(max_connections=None, max_keepalive_connections=None) as pool:
            go.clear()
            asking = [asyncio.create_task(pool.request("GET", url)) for _ in range(kept)]
            for _ in asking:
                await asked.acquire()
            go.set()
            await asyncio.gather(*asking)
            looks = 0
            await pool.request("GET", url)
            await asked.acquire()
            print(f"{len(pool.connections)} connections kept: one request looks {looks} times whether one is idle")


asked, go = asyncio.Semaphore(0), asyncio.Event()
httpcore.AsyncHTTPConnection.is_idle = counted  # type: ignore[method-assign]
asyncio.run(main())
