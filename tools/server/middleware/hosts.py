"""Which host names and web pages a server answers to.

A page of another site reaches a server on the user's machine in two ways: under a name that it lets point there (DNS
rebinding), and by a request from another origin that a browser sends without asking first. ADK's own rules decide.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from google.adk.cli.api_server import _is_dns_rebinding_request, _is_request_origin_allowed
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.server.error_handlers import error_response

HEALTH = frozenset({"/healthz", "/readyz"})
"""Asked by whatever name or address the machine has, and the same for everybody."""
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class HostCheck:
    """ASGI middleware that refuses foreign hosts and origins.

    Args:
        hosts: names under which the server is reached, besides loopback; None: every name will do.
        origins: of web pages that may use it, besides its own.
    """

    app: ASGIApp
    hosts: Collection[str] | None
    origins: Collection[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        hosts = None if self.hosts is None or scope["path"] in HEALTH else frozenset(self.hosts)
        if _is_dns_rebinding_request(scope, _LOOPBACK, hosts):
            told = "this server is not known under that host name: add the name to DESK_ALLOWED_HOSTS"
            await error_response(403, told)(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")
        if origin is not None and not _is_request_origin_allowed(origin, scope, [*self.origins], None, True):
            told = "pages of that origin may not use this server: add the origin to DESK_ALLOWED_ORIGINS"
            await error_response(403, told)(scope, receive, send)
            return
        # ADK's application would look at the origin again, without knowing which are allowed
        headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
        await self.app({**scope, "headers": headers}, receive, send)
