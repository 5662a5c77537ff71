"""Serves MCP over streamable HTTP, without sessions: each request may go to another replica.

The server in front checks who calls, and the Host and Origin headers. A client of MCP 2026-07-28 is asked for the
person's yes by `InputRequiredResult`, which needs no session. An older client cannot be asked within a request without
a session: it gets the question in the result, and calls `research_approve`.
"""

from __future__ import annotations

from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.routing import Route

from tools.mcp_server.server import Admit, Context, build_server

MCP_PATH = "/mcp"


class McpHttp:
    """The route of MCP. Enter `manager.run()` while the application runs."""

    def __init__(self, screen: Any, admit: Admit, max_body: int) -> None:
        """Args:
        screen, admit: see `build_server`.
        max_body: maximum bytes of a request body.
        """
        self.manager = StreamableHTTPSessionManager(
            build_server(_user, screen, admit),
            stateless=True,
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # the server checks
            max_request_body_size=max_body,
        )
        # Without sessions there is nothing to GET or to DELETE.
        self.route = Route(MCP_PATH, StreamableHTTPASGIApp(self.manager), methods=["POST"])


def _user(context: Context) -> str:
    """The user's id, as set by the gateway."""
    request: Request = context.request
    return str(request.user.username)
