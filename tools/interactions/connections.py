"""Connections to one server, each a transport of its own, so that a request costs the same however many there are.

httpcore 1.0 looks at all connections of a pool for each idle one of them, whenever a request begins or ends
(`_async/connection_pool.py:294`): with 32 conversations that is a third of their CPU time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

MOST_IDLE = 100
"""Connections that are kept for later."""
EXPIRY = 30.0
"""Seconds for which an idle one is kept."""


class Connections(httpx.AsyncBaseTransport):
    """A transport that takes the connection which was idle last, or opens one."""

    def __init__(self) -> None:
        self._certificates = httpx.create_ssl_context()
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection = self._idle.pop() if self._idle else self._new()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._idle.append(connection)  # what it was connected to is closed already
            raise
        response.stream = _Stream(cast(httpx.AsyncByteStream, response.stream), self, connection)
        return response

    async def rest(self, connection: httpx.AsyncHTTPTransport) -> None:
        """Takes back a connection whose answer is over."""
        if self._closed or len(self._idle) >= MOST_IDLE:
            await connection.aclose()
        else:
            self._idle.append(connection)

    async def aclose(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=self._certificates, limits=httpx.Limits(keepalive_expiry=EXPIRY))


class _Stream(httpx.AsyncByteStream):
    def __init__(
        self, inner: httpx.AsyncByteStream, connections: Connections, connection: httpx.AsyncHTTPTransport
    ) -> None:
        self._inner, self._connections, self._connection = inner, connections, connection
        self._over = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
        if not self._over:
            self._over = True
            await self._connections.rest(self._connection)


def connections(address: str | None) -> Connections | None:
    """Connections to a server; None where a proxy is between, which httpx knows how to take.

    Args:
        address: of the server; None: not known here.
    """
    if getproxies() and not (address and proxy_bypass(urlsplit(address).hostname or "")):
        return None
    return Connections()
