"""Checks the Host and Origin headers of requests, by ADK's own rules, and lets pages of other origins in (CORS).

A page of another site can reach a server on the user's machine in two ways: by DNS rebinding (a host name that is made
to point to that machine), and by a cross-origin request that the browser sends without a preflight.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from google.adk.cli.api_server import _is_dns_rebinding_request, _is_request_origin_allowed
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.server.error_handlers import json_error
from tools.server.paths import HEALTH_PATHS

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class HostCheck:
    """ASGI middleware that refuses foreign hosts and origins.

    Args:
        hosts: allowed host names besides loopback; None allows all names.
        origins: allowed origins of web pages besides the server's own.
    """

    app: ASGIApp
    hosts: Collection[str] | None
    origins: Collection[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        hosts = None if self.hosts is None or scope["path"] in HEALTH_PATHS else frozenset(self.hosts)
        if _is_dns_rebinding_request(scope, _LOOPBACK, hosts):
            told = "this server is not known under that host name: add the name to DESK_ALLOWED_HOSTS"
            await json_error(403, told)(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")
        if origin is not None and not _is_request_origin_allowed(origin, scope, [*self.origins], None, True):
            told = "pages of that origin may not use this server: add the origin to DESK_ALLOWED_ORIGINS"
            await json_error(403, told)(scope, receive, send)
            return
        # ADK's application would check the origin again, and does not know `origins`
        headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
        await self.app({**scope, "headers": headers}, receive, send)


MCP_HEADERS = ("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name")
"""Headers of an MCP request (2026-07-28)."""


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Answers CORS preflights before authentication, and lets pages of these origins read all responses."""
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", *MCP_HEADERS],
        expose_headers=["Retry-After", "WWW-Authenticate"],
    )
