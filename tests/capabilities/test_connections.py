"""Connections are used again, opened as many as it takes, and none outlives its client; a proxy is not gone around."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tools.interactions import connections
from tools.interactions.connections import Connections


class Server:
    """Answers every request in two pieces, the second one when it is told to."""

    def __init__(self) -> None:
        self.opened = self.open = 0
        self.go = asyncio.Event()
        self.asked = asyncio.Semaphore(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        try:
            while b"\r\n" in await reader.readuntil(b"\r\n\r\n"):
                self.asked.release()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na")
                await self.go.wait()
                writer.write(b"b")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    async with await asyncio.start_server(found.serve, "127.0.0.1", 0) as listening:
        found.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        yield found


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=Connections(), timeout=10) as found:
        yield found


async def text(client: httpx.AsyncClient, server: Server) -> str:
    return (await client.get(server.url)).text  # type: ignore[attr-defined]


async def test_one_after_the_other_take_one_connection(client: httpx.AsyncClient, server: Server) -> None:
    server.go.set()
    assert [await text(client, server) for _ in range(5)] == ["ab"] * 5
    assert server.opened == 1


async def test_none_waits_for_another(client: httpx.AsyncClient, server: Server) -> None:
    asking = [asyncio.create_task(text(client, server)) for _ in range(150)]
    for _ in asking:
        await server.asked.acquire()
    assert server.opened == 150
    server.go.set()
    assert await asyncio.gather(*asking) == ["ab"] * 150
    await text(client, server)
    assert server.opened == 150


async def test_no_more_than_some_are_kept_and_none_after_the_client_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_IDLE", 2)
    transport = Connections()
    async with httpx.AsyncClient(transport=transport, timeout=10) as client:
        server.go.set()
        await asyncio.gather(*(text(client, server) for _ in range(6)))
        assert len(transport._idle) == 2
    assert transport._idle == []
    while server.open:
        await asyncio.sleep(0)


async def test_what_was_broken_off_is_not_used_again(client: httpx.AsyncClient, server: Server) -> None:
    async with client.stream("GET", server.url) as answer:  # type: ignore[attr-defined]
        assert await anext(answer.aiter_raw()) == b"a"
    asking = asyncio.create_task(text(client, server))
    await server.asked.acquire()
    await server.asked.acquire()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    server.go.set()
    assert await text(client, server) == "ab"
    assert server.opened == 3


@pytest.mark.parametrize(
    ("address", "proxied"),
    [("http://127.0.0.1:1", False), ("https://generativelanguage.googleapis.com", True), (None, True)],
)
def test_where_a_proxy_is_between_it_is_taken(address: str | None, proxied: bool) -> None:
    assert (connections.connections(address) is None) is proxied


def test_without_a_proxy_none_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name)
    assert connections.connections(None)
