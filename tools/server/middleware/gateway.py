"""Takes every request: reads its body within the limits, and serves it if `access.py` lets its user use the path."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.authentication import SimpleUser
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.board.paths import BOARD_PATH, NOBODY, is_public
from tools.interactions.run_webhook import WEBHOOK_PATH
from tools.load_control.memory_release import LARGE_BYTES, release_memory_soon
from tools.load_control.user_queues import UserQueues, counted
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.locks import Locked, Locks
from tools.research.order import LOCAL_USER
from tools.server.error_handlers import RequestRejected, error_response, json_error
from tools.server.jwks_cache import JwksUnavailable
from tools.server.limits import (
    MAX_A2A_VALUES,
    MAX_AGENT_BYTES,
    MAX_BODIES_IN_MEMORY,
    MAX_JSON_VALUES,
    MAX_READS,
    MAX_REQUESTS,
    MAX_RESTORED_VALUES,
    MAX_WEBHOOK_BYTES,
)
from tools.server.middleware.access import ME, authorize, own_path, page_refusal
from tools.server.middleware.agent_requests import AGENT_PATHS, AgentRequests, is_storing, method_of
from tools.server.middleware.authentication import Authenticator, Unauthorized
from tools.server.middleware.idempotency import IdempotencyStore
from tools.server.middleware.large_reads import LargeReads
from tools.server.middleware.rate_limit import ChangeLimiter, RateLimited, RateLimiter
from tools.server.middleware.request_bodies import BodyReader, Replay, in_thread_if_large, without_length
from tools.server.middleware.request_json import (
    check_name,
    check_values,
    parse_request,
)
from tools.server.middleware.session_lock import Turn, last_chunk_delayed, lock_name
from tools.server.middleware.turns import Turns
from tools.server.paths import A2A_PATH, MCP_PATH, PUBLIC_PATHS, TURN_PATHS
from tools.server.sessions import reads_without_events
from tools.server.storage_quota import StorageQuota
from tools.server.timeouts import WEBHOOK_TIMEOUT_S

_LOCKING = ("PATCH", "DELETE")
"""Methods that change a conversation, or delete it, and must not do so during a turn."""
_CHANGING = ("POST", *_LOCKING)


@dataclass
class GatewayMiddleware:
    """ASGI middleware in front of ADK's application.

    Args:
        board: the web page of research runs (`tools/board`).
        authenticate: authenticates a request. If it is None, the server trusts the user that the request names.
        storage: limits what a user stores.
        delete_beside: deletes what belongs to a user's conversation in other stores.
        large_reads: limits how many large conversations are in memory.
        max_body: maximum bytes of a request body.
        body_timeout_s: timeout for the body to arrive.
    """

    app: ASGIApp
    board: ASGIApp
    authenticate: Authenticator | None
    locks: Locks
    idempotency: IdempotencyStore
    rate_limiter: RateLimiter
    turn: Turn
    storage: StorageQuota
    delete_beside: Callable[[str, str], Awaitable[None]]
    large_reads: LargeReads
    max_body: int
    body_timeout_s: float
    reads: UserQueues = field(default_factory=lambda: UserQueues(MAX_READS))

    def __post_init__(self) -> None:
        self._bodies = BodyReader(
            self.max_body, self.max_body, MAX_BODIES_IN_MEMORY * self.max_body, self.body_timeout_s
        )
        size = min(MAX_WEBHOOK_BYTES, self.max_body)
        timeout_s = min(WEBHOOK_TIMEOUT_S, self.body_timeout_s)
        self._messages = BodyReader(size, sys.maxsize, sys.maxsize, timeout_s)
        self._changes = ChangeLimiter(self.rate_limiter)
        self._agents = AgentRequests()
        self._requests = Counter[str]()
        self._turns = Turns(self.app, self.locks, self.idempotency, self.rate_limiter, self.turn, self.storage)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        else:
            try:
                await self._http(scope, receive, send)
            except RequestRejected as rejected:
                headers = {"Retry-After": "1"} if rejected.status in (429, 503) else {}
                if rejected.status in (408, 413, 429, 503):  # the unread rest of the body makes the connection unusable
                    headers["Connection"] = "close"
                await json_error(rejected.status, str(rejected), headers)(scope, receive, send)
            except RateLimited as error:
                answer = error_response(error)
                answer.headers["Connection"] = "close"  # the body may not have been read
                await answer(scope, receive, send)
            except ClientDisconnect:
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in PUBLIC_PATHS:
            await self.app(scope, Replay(b"", receive), send)
        elif path == WEBHOOK_PATH:
            async with self._messages.body(scope, receive, NOBODY) as body:
                await self.app(scope, Replay(body, receive), send)
        elif BOARD_PATH.fullmatch(path):
            await self._board(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request of a user. Nothing of its body is read before the user is known."""
        authorized = await authorize(scope, self.authenticate)
        if isinstance(authorized, Response):
            await authorized(scope, receive, send)
            return
        user, known = authorized
        whose, path = user or LOCAL_USER, scope["path"]
        of_agent = path in AGENT_PATHS
        if user is not None and path in TURN_PATHS:  # before the body takes memory and time
            self.rate_limiter.check(user)
        elif user is not None and known["user"] and scope["method"] in _CHANGING:
            self._changes.check(user)
        max_bytes = min(MAX_AGENT_BYTES, self.max_body) if of_agent else self.max_body
        max_values = MAX_RESTORED_VALUES if _restores(scope, known) else MAX_JSON_VALUES
        max_values = MAX_A2A_VALUES if path == A2A_PATH else max_values
        with self._counted(whose) if of_agent or user is not None else nullcontext():
            async with self._bodies.body(scope, receive, whose, max_bytes) as body:
                await in_thread_if_large(partial(check_values, maximum=max_values), body, whose)
                method = await in_thread_if_large(method_of, body, whose) if of_agent else None
                try:
                    async with self._agents.answer(whose, path, method) if of_agent else nullcontext():
                        await self._checked(scope, body, receive, send, known, user)
                finally:
                    if len(body) > LARGE_BYTES:
                        release_memory_soon()

    def _counted(self, user: str) -> AbstractContextManager[None]:
        """Counts a user's request while the block runs; see `counted`."""
        refusal = RequestRejected(429, f"at most {MAX_REQUESTS} requests of one user are served at a time")
        return counted(self._requests, user, MAX_REQUESTS, refusal)

    async def _checked(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, known: re.Match[str], user: str | None
    ) -> None:
        """Serves a request with its body, at a path that `SERVED` matches."""
        if scope["path"] == MCP_PATH:  # its route checks the message, and answers in the protocol
            await self.app({**scope, "user": SimpleUser(user or LOCAL_USER)}, Replay(body, receive), send)
            return
        for name in (known["user"], known["session"]):
            check_name(name)
        for name in (known["below"] or "").split("/"):
            check_name(name, is_file=True)
        parse = partial(parse_request, restores=_restores(scope, known))
        data = await in_thread_if_large(parse, body, user or LOCAL_USER) if body else None
        scope = own_path({**scope, "user": SimpleUser(user or ME)}, known, user)
        if scope["path"] in TURN_PATHS:
            await self._turns.serve(scope, data, receive, send, user)
            return
        whose = user or known["user"] or ME
        if known["user"] and scope["method"] in _CHANGING:
            self._changes.count(whose, len(body))
        if _stores(scope, data):
            await self.storage.admit(whose, len(body))
        scope = without_length(scope)
        replay = Replay(json.dumps(data, ensure_ascii=False).encode() if body else b"", receive)
        async with self.reads.of(user) if user is not None and known["user"] else nullcontext():
            if known["rest"] != f"sessions/{known['session']}":
                await self.app(scope, replay, send)
            elif scope["method"] in _LOCKING:
                await self._write(scope, replay, send, whose, known["session"])
            else:
                await self._read(scope, replay, send, whose, known["session"])

    async def _board(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the page of research runs. A browser adds no token: the proxy in front of the server does."""
        user = NOBODY
        try:
            if not is_public(scope):
                user = await self.authenticate(Headers(scope=scope)) if self.authenticate else LOCAL_USER
            with self.rate_limiter.limit(user) if scope["method"] == "POST" else nullcontext():
                await self.board({**scope, "user": SimpleUser(user)}, receive, send)
        except (Unauthorized, JwksUnavailable, RateLimited) as error:
            await page_refusal(error)(scope, receive, send)

    async def _write(self, scope: Scope, receive: Receive, send: Send, whose: str, session: str) -> None:
        """Changes or deletes a conversation under its lock, so that no turn runs meanwhile: that turn would fail."""
        try:
            async with last_chunk_delayed(send) as delayed, self.locks.hold(lock_name(whose, session)):
                if scope["method"] == "DELETE":
                    await self.delete_beside(whose, session)
                with reads_without_events():  # else a change of the state would read and return all events
                    await self.app(scope, receive, delayed)
        except (Locked, *DATABASE_ERRORS) as error:
            await error_response(error)(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive, send: Send, whose: str, session: str) -> None:
        try:
            await self.large_reads.serve(self.app, scope, receive, send, whose, session)
        except DATABASE_ERRORS as error:
            await error_response(error)(scope, receive, send)


def _restores(scope: Scope, known: re.Match[str]) -> bool:
    """Whether a request creates a conversation, perhaps with events."""
    return scope["method"] == "POST" and known["rest"] == "sessions"


def _stores(scope: Scope, data: Any) -> bool:
    """Whether a request other than a turn adds to what its user stores."""
    if scope["path"] == A2A_PATH:
        return is_storing(data)
    return scope["method"] in ("POST", "PATCH")
