"""The paths of the page, which may be below a path of its server, and those that need no user."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

BOARD_PATH = re.compile(r"/|/research(?:/.*)?")
"""Matches the paths of the page."""
_PUBLIC_PATH = re.compile(r"/research/(?:static|shared)/.*")
"""Matches the paths of style and script, and of share links, which are signed."""
NOBODY = ""
"""The user of a public request, who owns no research run."""
STATIC_PATH = "/research/static"
"""Path of the style and the script. A browser may cache them, but asks each time whether they have changed."""


def root(request: Request) -> str:
    """Returns the path under which the page is; empty on `desk serve`."""
    return str(request.scope.get("root_path", ""))


def redirect_to(request: Request, path: str) -> Response:
    """Redirects a browser to a page, after it has sent a form."""
    return RedirectResponse(f"{root(request)}{path}", 303)


def is_public(scope: Scope) -> bool:
    """Whether a request needs no user: it reads what everybody may read, and has no form."""
    return scope["method"] in ("GET", "HEAD") and _PUBLIC_PATH.fullmatch(scope["path"]) is not None
