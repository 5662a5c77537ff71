"""Addresses within the page, which may be below a path of its server."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response


def root(request: Request) -> str:
    """Returns the path under which the page is; empty on `desk serve`."""
    return str(request.scope.get("root_path", ""))


def redirect_to(request: Request, path: str) -> Response:
    """Redirects a browser to a page, after it has sent a form."""
    return RedirectResponse(f"{root(request)}{path}", 303)
