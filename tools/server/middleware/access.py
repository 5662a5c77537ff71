"""Decides whether a request may use a path: who its user is, and whether the path is the user's own."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from tools.app import APP_NAME
from tools.server.error_handlers import json_error
from tools.server.jwks_cache import JwksUnavailable
from tools.server.middleware.authentication import Authenticator, Unauthorized
from tools.server.middleware.rate_limit import RateLimited
from tools.server.paths import SERVED

ME = "me"
"""Alias that a client may write for its own user in a path or a body."""
OTHER_USER = "this belongs to another user"
"""Error for a request that names another user than its own."""


async def authorize(scope: Scope, authenticate: Authenticator | None) -> tuple[str | None, re.Match[str]] | Response:
    """Returns the user of a request, and its path as `SERVED` matches it; or the answer that refuses the request.

    The user is None if `authenticate` is None: the server then trusts the user that the request names.
    """
    path = SERVED.fullmatch(scope["path"])
    try:
        user = await authenticate(Headers(scope=scope)) if authenticate else None
    except Unauthorized as refused:
        return json_error(401, str(refused), {"WWW-Authenticate": "Bearer"})
    except JwksUnavailable:
        return json_error(503, "the issuer's keys cannot be read now", {"Retry-After": "5"})
    if path is None:
        return json_error(404, "there is nothing here")
    if is_other_user(user, path["user"] or ""):
        return json_error(403, OTHER_USER)
    return user, path


def is_other_user(user: str | None, named: str) -> bool:
    """Whether a request names another user than its own. An empty name is the request's own user."""
    return user is not None and named not in ("", ME, user)


def own_path(scope: Scope, path: re.Match[str], user: str | None) -> Scope:
    """Returns the scope of a request with its user's id in the path, where a client may have written `ME`."""
    if user is None or not path["user"]:
        return scope
    own = f"/apps/{APP_NAME}/users/{user}/{path['rest']}"
    return {**scope, "path": own, "raw_path": quote(own).encode()}


def page_refusal(error: Unauthorized | JwksUnavailable | RateLimited) -> Response:
    """Returns the answer to a browser that may not use the page of research runs, or not now."""
    if isinstance(error, Unauthorized):
        why = f"This page needs a proxy in front of the server that signs you in (docs/board.md): {error}."
        return PlainTextResponse(why, 401, {"WWW-Authenticate": "Bearer"})
    if isinstance(error, RateLimited):
        retry = {"Retry-After": str(error.retry_after_s or 1)}
        return PlainTextResponse(f"You sent {error}. Nothing was done: try it again.", 429, retry)
    return PlainTextResponse("The issuer's keys cannot be read now. Try it again.", 503)
