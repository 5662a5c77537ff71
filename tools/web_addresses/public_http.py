"""HTTP requests that reach public addresses only, also when a host name changes its address.

A host name is resolved once, all its addresses are checked, and the connection goes to one that was checked. So a name
that leads into a private network is refused however it is spelled, and it cannot change between check and use (DNS
rebinding). The certificate is checked for the name. Proxies of the environment are not used: they would resolve again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from tools.errors import DeskError
from tools.web_addresses.public_address import is_public

LookUp = Callable[[str], Awaitable[list[str]]]
_THREADS = ThreadPoolExecutor(8, "look up")
"""A name server that never answers keeps a thread for up to a minute. Other work has other threads."""


class NotPublic(DeskError):
    """A host must not be reached. The message continues a sentence that begins with its name."""


async def look_up(host: str) -> list[str]:
    """Resolves a host name to its IP addresses.

    Raises:
        OSError: the name has no address.
    """
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_THREADS, lambda: socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM))
    return [str(address[0]) for *_, address in found]


async def public_ip(host: str, look_up: LookUp = look_up, local: Collection[str] = ()) -> str:
    """Returns an IP address of a host to connect to.

    Args:
        local: IP addresses that are allowed although they are not public.

    Raises:
        NotPublic: the host has no address, or one that is neither public nor in `local`.
    """
    try:
        addresses = await look_up(host)
    except (OSError, UnicodeError):  # UnicodeError: the name is not a domain name
        addresses = []
    if not addresses:
        raise NotPublic("has no address")
    for address in addresses:
        if address not in local and not is_public(f"https://{f'[{address}]' if ':' in address else address}/"):
            raise NotPublic("is in a private network")
    return addresses[0]


def public_client(look_up: LookUp = look_up, local: Collection[tuple[str, int]] = ()) -> httpx2.AsyncClient:
    """Returns a client that reaches public addresses only, and keeps no cookies; arguments as in `PublicTransport`."""
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx2.AsyncClient(transport=PublicTransport(look_up, local), cookies=no_cookies)


class PublicTransport(httpx2.AsyncBaseTransport):
    """A transport for `httpx2.AsyncClient` that connects to public addresses only.

    Each request is checked, so also each redirect. A request to another address raises `NotPublic`.
    """

    def __init__(self, look_up: LookUp = look_up, local: Collection[tuple[str, int]] = ()) -> None:
        """Args:
        look_up: resolves a host name.
        local: IP addresses and ports on this machine that may be reached too, for tests.
        """
        self._look_up, self._local = look_up, local
        # httpx2 keeps connections by IP address: a reused one would skip the certificate check of another host.
        self._inner = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_keepalive_connections=0), trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request to the address that was checked."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        local = [address for address, open_port in self._local if open_port == port]
        if not is_public(str(url)) and not (url.host in local and not url.userinfo):
            raise NotPublic("is not a public web address")
        address = await public_ip(url.host, self._look_up, local)
        return await self._inner.handle_async_request(
            httpx2.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": url.host},
            )
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._inner.aclose()
