"""Serves MCP over streamable HTTP, without sessions: each request may go to another replica.

The server in front checks who calls, and the Host and Origin headers. A client of MCP 2026-07-28 is asked for the
person's yes by `InputRequiredResult`, which needs no session. An older client cannot be asked within a request without
a session: it gets the question in the result, and calls `research_approve`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from tools.mcp_server.invalid_messages import error_for
from tools.mcp_server.server import CallLimit, Context, build_server

if TYPE_CHECKING:
    from tools.research.screening import TextScreener


class McpHttp:
    """The route of MCP. Enter `manager.run()` while the application runs."""

    def __init__(self, path: str, screen: TextScreener | None, limit: CallLimit, max_body: int) -> None:
        """Args:
        path: path of the route.
        screen, limit: see `build_server`.
        max_body: maximum bytes of a request body.
        """
        self.manager = StreamableHTTPSessionManager(
            build_server(_user, screen, limit),
            stateless=True,
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # the server checks
            max_request_body_size=max_body,
        )
        # Without sessions there is nothing to GET or to DELETE.
        self.route = Route(path, _Checked(self.manager), methods=["POST"])


class _Checked:
    """ASGI application that refuses bodies that are not JSON-RPC messages; the SDK 2.3 would show pydantic's report."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        if error := error_for(body):
            await JSONResponse(error.model_dump(exclude_unset=True), 400)(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": body}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self._manager.handle_request(scope, replay, send)


def _user(context: Context) -> str:
    """The user's id, as set by the gateway."""
    assert isinstance(context.request, Request)
    return str(context.request.user.username)
