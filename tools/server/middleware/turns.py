"""Serves a turn of a conversation: under its lock, within the user's limits, and once for each idempotency key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.app import APP_NAME
from tools.databases.shielded import finish_shielded
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.locks import Locked, Locks
from tools.server.error_handlers import KeyReused, RequestRejected, error_response
from tools.server.limits import MAX_IDEMPOTENCY_KEY_CHARS, MAX_NAME_CHARS
from tools.server.middleware.access import OTHER_USER, is_other_user
from tools.server.middleware.idempotency import DIGEST_KEY, MESSAGE_KEY, IdempotencyStore, message_digest
from tools.server.middleware.rate_limit import RateLimited, RateLimiter
from tools.server.middleware.request_bodies import Replay, without_length
from tools.server.middleware.session_lock import Turn, last_chunk_delayed, lock_name
from tools.server.protected_fields import FUNCTION_PARTS_REFUSED, has_function_parts, without_protected
from tools.server.storage_quota import StorageQuota

_OPERATORS_FIELDS = ("serviceTier", "service_tier")
"""Fields of a turn that a client does not decide, because they decide what the operator pays."""


@dataclass(frozen=True)
class Turns:
    """The turns that this replica serves; see `GatewayMiddleware`."""

    app: ASGIApp
    locks: Locks
    idempotency: IdempotencyStore
    rate_limiter: RateLimiter
    turn: Turn
    storage: StorageQuota

    async def serve(self, scope: Scope, data: Any, receive: Receive, send: Send, user: str | None) -> None:
        """Serves a turn.

        Args:
            data: the body, as JSON.
            user: the request's user; None: the user that the body names.

        Raises:
            RequestRejected: the body cannot be used, or names another user or agent.
        """
        answer: Response
        key = Headers(scope=scope).get("idempotency-key", "")
        try:
            data = dict(data)
            asked, session = _field(data, "user_id", "userId"), _field(data, "session_id", "sessionId")
            app = _field(data, "app_name", "appName") or APP_NAME
            for name in _OPERATORS_FIELDS:
                data.pop(name, None)
            metadata = {**(data.pop("customMetadata", None) or {}), **(data.pop("custom_metadata", None) or {})}
            if not session.isprintable() or not session or not (user or asked):
                raise ValueError("whose conversation?")
        except (ValueError, TypeError):
            wanted = f"appName, userId and sessionId (of at most {MAX_NAME_CHARS} characters)"
            raise RequestRejected(400, f"the body has to be a JSON object with {wanted}") from None
        if len(key) > MAX_IDEMPOTENCY_KEY_CHARS:
            raise RequestRejected(400, f"an Idempotency-Key may have at most {MAX_IDEMPOTENCY_KEY_CHARS} characters")
        if is_other_user(user, asked):
            raise RequestRejected(403, OTHER_USER)
        if app != APP_NAME:
            raise RequestRejected(404, "there is no such agent")
        if any(has_function_parts(data.get(name)) for name in ("newMessage", "new_message")):
            raise RequestRejected(400, FUNCTION_PARTS_REFUSED)
        whose, digest = user or asked, message_digest(data) if key else ""
        metadata = without_protected(metadata) | ({MESSAGE_KEY: key, DIGEST_KEY: digest} if key else {})
        data |= {"user_id": whose, "session_id": session, "app_name": app, "custom_metadata": metadata or None}
        try:
            with self.rate_limiter.limit(whose):
                async with last_chunk_delayed(send) as delayed, self.locks.hold(lock_name(whose, session)):
                    given = await self.idempotency.replay(whose, session, key, digest) if key else None
                    if given is None:
                        body = json.dumps(data, ensure_ascii=False).encode()
                        await self.storage.admit(whose, len(body))
                        replay = Replay(body, receive)
                        async with self.turn(whose, session, len(body)):
                            await self.app(without_length(scope), replay, delayed)
                        if replay.client_left:
                            await finish_shielded()  # the turn's last writes have to finish under the lock
                        return
                    answer = _answer(given, stream=scope["path"] == "/run_sse")
        except (RateLimited, Locked, KeyReused, *DATABASE_ERRORS) as error:
            answer = error_response(error)
        await answer(scope, receive, send)


def _answer(events: list[dict[str, Any]], stream: bool) -> Response:
    if not stream:
        return JSONResponse(events)
    lines = (f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events)
    return StreamingResponse(lines, media_type="text/event-stream")


def _field(data: dict[str, Any], *names: str) -> str:
    """Removes a field under all of its names and returns its value; raises ValueError if the values differ."""
    found = {str(data.pop(name)) for name in names if data.get(name) is not None}
    if len(found) > 1:
        raise ValueError(names)
    return found.pop() if found else ""
