"""Restricts A2A push notifications to public addresses, also when a host name changes its address.

The SDK's own check (`a2a/utils/push_url_validator.py`, 1.3) resolves a host name, and its sender resolves the name
again, perhaps to another address. Here the connection goes to the address that was checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from a2a.utils.errors import InvalidParamsError

from tools.server.timeouts import PUSH_TIMEOUT_S
from tools.web_addresses.public_address import is_public
from tools.web_addresses.public_http import LookUp, NotPublic, look_up, public_ip

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class PushAddresses:
    """Decides which addresses may get notifications.

    Args:
        this_machine: whether programs on this machine may get notifications, over HTTP. Only for a server on loopback.
    """

    this_machine: bool = False
    look_up: LookUp = look_up

    async def address(self, url: httpx.URL) -> str:
        """Returns the IP address to connect to, or the name of this machine.

        Raises:
            InvalidParamsError: the address is not allowed; the message says why.
        """
        if self.this_machine and url.scheme == "http" and url.host in _THIS_MACHINE:
            return url.host
        if url.scheme != "https" or not is_public(str(url)):
            raise InvalidParamsError("A push notification goes to a public https:// address only.")
        try:
            return await public_ip(url.host, self.look_up)
        except NotPublic as error:
            raise InvalidParamsError(f"The host {url.host} of the push notification {error}.") from None

    async def validate(self, url: str) -> bool:
        """The SDK's `push_url_validator`: returns True if notifications may be sent to the address.

        Raises:
            InvalidParamsError: the address is not allowed; the message says why.
        """
        try:
            await self.address(httpx.URL(url))
        except httpx.InvalidURL:
            raise InvalidParamsError("The URL of the push notification is not a valid URL.") from None
        return True

    def client(self) -> httpx.AsyncClient:
        """An HTTP client that reaches only allowed addresses. It follows no redirects and reads only the status."""
        # httpx keeps connections by IP address: a reused one would skip the certificate check of another host.
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.AsyncClient(transport=_Transport(self, limits=limits), timeout=PUSH_TIMEOUT_S)


class _Transport(httpx.AsyncHTTPTransport):
    def __init__(self, receivers: PushAddresses, limits: httpx.Limits) -> None:
        super().__init__(limits=limits)
        self._receivers = receivers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, address = request.url.host, await self._receivers.address(request.url)
        request.extensions = {**request.extensions, "sni_hostname": host}  # verify the certificate of the host
        request.url = request.url.copy_with(host=address)
        response = await super().handle_async_request(request)
        await response.aclose()
        return httpx.Response(response.status_code)
