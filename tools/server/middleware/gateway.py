"""Checks every request: authentication, ownership of the data, size limits, and one turn per conversation at a time."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.authentication import SimpleUser
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.app import APP_NAME
from tools.board.routes import BOARD_PATH, NOBODY, is_public
from tools.databases.shielded import finish_shielded
from tools.interactions.run_webhook import WEBHOOK_PATH
from tools.load_control.memory_release import LARGE_BYTES, release_memory_soon
from tools.load_control.user_queues import UserQueues, counted
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.locks import Locked, Locks
from tools.research.order import LOCAL_USER
from tools.server.checked_sessions import (
    FUNCTION_PARTS_REFUSED,
    has_function_parts,
    reads_without_events,
    without_protected,
)
from tools.server.error_handlers import KeyReused, RequestRejected, error_response, json_error
from tools.server.limits import (
    MAX_A2A_VALUES,
    MAX_AGENT_BYTES,
    MAX_AGENT_REQUESTS,
    MAX_BODIES_IN_MEMORY,
    MAX_CANCELS,
    MAX_IDEMPOTENCY_KEY_CHARS,
    MAX_JSON_VALUES,
    MAX_LONG_A2A_ANSWERS,
    MAX_LONG_MCP_ANSWERS,
    MAX_NAME_CHARS,
    MAX_READS,
    MAX_RESTORED_VALUES,
    MAX_WEBHOOK_BYTES,
)
from tools.server.middleware.authentication import Authenticator, JwksUnavailable, Unauthorized
from tools.server.middleware.idempotency import DIGEST_KEY, MESSAGE_KEY, IdempotencyStore, message_digest
from tools.server.middleware.message_limits import check_messages, check_restored
from tools.server.middleware.rate_limit import ChangeLimiter, RateLimited, RateLimiter
from tools.server.middleware.request_limits import (
    BodyReader,
    Replay,
    check_name,
    check_values,
    in_thread_if_large,
    parse_json,
    without_length,
)
from tools.server.middleware.session_lock import lock_name
from tools.server.stored_bytes import StorageLimit
from tools.server.timeouts import WEBHOOK_TIMEOUT_S

A2A_PATH = "/a2a/desk"
CARD_PATH = f"{A2A_PATH}/.well-known/agent-card.json"
"""`A2A_PATH` and `CARD_PATH` are the paths of ADK's own servers."""
_MCP_PATH = "/mcp"
"""Path of MCP. Without authentication, its user is that of the command line, so the same brief is the same run."""
PUBLIC_PATHS = frozenset({"/healthz", "/readyz", CARD_PATH})
"""Paths that need no token, and whose requests have no body. The webhook needs no token either: it is signed."""
_KNOWN = re.compile(
    rf"/(?:list-apps|version|run|run_sse|a2a/desk|mcp|apps/{APP_NAME}/app-info"
    rf"|apps/{APP_NAME}/users/(?P<user>[^/]+)/(?P<rest>sessions(?:/(?P<session>[^/]+)(?:/(?P<below>.*))?)?))"
)
"""All served paths. ADK's development routes are missing, and so is its memory, which no agent reads or deletes."""
_TURNS = ("/run", "/run_sse")
_LOCKING = ("PATCH", "DELETE")
"""Methods that change a conversation, or delete it, and must not do so during a turn."""
_CHANGING = ("POST", *_LOCKING)
_ME = "me"
"""Alias that a client may write for its own user in a path or a body."""
_LONG_ANSWERS = {_MCP_PATH: MAX_LONG_MCP_ANSWERS, A2A_PATH: MAX_LONG_A2A_ANSWERS}
_SHORT_ANSWERS = (
    "initialize", "notifications/initialized", "notifications/cancelled", "ping", "tools/list", "tools/call",
)  # fmt: skip
"""Methods of MCP whose answers are short, so that they wait for no long answer."""
_CANCELS = ("tasks/cancel", "CancelTask")
"""Methods of A2A that read and answer a whole task, and wait for no long answer."""
_STORING_METHODS = (
    "SendMessage", "SendStreamingMessage", "CreateTaskPushNotificationConfig",
    "message/send", "message/stream", "tasks/pushNotificationConfig/set",
)  # fmt: skip
"""Methods of A2A that store something."""
_OPERATORS_FIELDS = ("serviceTier", "service_tier")
"""Fields of a turn that a client does not decide, because they decide what the operator pays."""


@dataclass
class GatewayMiddleware:
    """ASGI middleware in front of ADK's application.

    Args:
        board: the web page of research runs (`tools/board`).
        authenticate: authenticates a request. If it is None, the server trusts the user that the request names.
        turn: the context of a turn's reads and writes of its session.
        storage: limits what a user stores.
        delete_beside: deletes what belongs to a user's conversation in other stores.
        max_body: maximum bytes of a request body.
        body_timeout_s: timeout for the body to arrive.
    """

    app: ASGIApp
    board: ASGIApp
    authenticate: Authenticator | None
    locks: Locks
    idempotency: IdempotencyStore
    rate_limiter: RateLimiter
    turn: Callable[[], AbstractAsyncContextManager[None]]
    storage: StorageLimit
    delete_beside: Callable[[str, str], Awaitable[None]]
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
        self._long_answers = {path: UserQueues(at_once) for path, at_once in _LONG_ANSWERS.items()}
        self._cancels = UserQueues(MAX_CANCELS)
        self._changes = ChangeLimiter(self.rate_limiter)
        self._agent_requests = Counter[str]()

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
        known = _KNOWN.fullmatch(scope["path"])
        answer: Response | None = None
        try:
            user = await self.authenticate(Headers(scope=scope)) if self.authenticate else None
        except Unauthorized as refused:
            answer = json_error(401, str(refused), {"WWW-Authenticate": "Bearer"})
        except JwksUnavailable:
            answer = json_error(503, "the issuer's keys cannot be read now", {"Retry-After": "5"})
        else:
            if known is None:
                answer = json_error(404, "there is nothing here")
            elif user is not None and known["user"] not in (None, _ME, user):
                answer = json_error(403, "this belongs to another user")
        if answer:
            await answer(scope, receive, send)
            return
        assert known
        whose, queues = user or LOCAL_USER, self._long_answers.get(scope["path"])
        if user is not None and scope["path"] in _TURNS:  # before the body takes memory and time
            self.rate_limiter.check(user)
        elif user is not None and known["user"] and scope["method"] in _CHANGING:
            self._changes.check(user)
        max_bytes = min(MAX_AGENT_BYTES, self.max_body) if queues else self.max_body
        max_values = MAX_RESTORED_VALUES if _restores(scope, known) else MAX_JSON_VALUES
        max_values = MAX_A2A_VALUES if scope["path"] == A2A_PATH else max_values
        with self._agent_request(whose) if queues else nullcontext():
            async with self._bodies.body(scope, receive, whose, max_bytes) as body:
                await in_thread_if_large(partial(check_values, maximum=max_values), body, whose)
                method = await in_thread_if_large(_method, body, whose) if queues else "ping"
                queues = self._cancels if method in _CANCELS else queues
                try:
                    async with queues.of(whose) if queues and method not in _SHORT_ANSWERS else nullcontext():
                        await self._checked(scope, body, receive, send, known, user)
                finally:
                    if len(body) > LARGE_BYTES:
                        release_memory_soon()

    def _agent_request(self, user: str) -> AbstractContextManager[None]:
        """Counts a user's request by MCP or A2A while the block runs; see `counted`."""
        refusal = RequestRejected(429, f"at most {MAX_AGENT_REQUESTS} requests of one user are served at a time")
        return counted(self._agent_requests, user, MAX_AGENT_REQUESTS, refusal)

    async def _checked(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, known: re.Match[str], user: str | None
    ) -> None:
        """Serves a request with its body, at a path that `_KNOWN` matches."""
        if scope["path"] == _MCP_PATH:  # its route checks the message, and answers in the protocol
            await self.app({**scope, "user": SimpleUser(user or LOCAL_USER)}, Replay(body, receive), send)
            return
        for name in (known["user"], known["session"]):
            check_name(name)
        for name in (known["below"] or "").split("/"):
            check_name(name, is_file=True)
        parse = partial(_parse, restores=_restores(scope, known))
        data = await in_thread_if_large(parse, body, user or LOCAL_USER) if body else None
        scope = {**scope, "user": SimpleUser(user or _ME)}
        if user is not None and known["user"]:
            own = f"/apps/{APP_NAME}/users/{user}/{known['rest']}"
            scope |= {"path": own, "raw_path": quote(own).encode()}
        if scope["path"] in _TURNS:
            await self._turn(scope, data, receive, send, user)
            return
        whose = user or known["user"] or _ME
        if known["user"] and scope["method"] in _CHANGING:
            self._changes.count(whose, len(body))
        if _stores(scope, data):
            await self.storage.admit(whose, len(body))
        scope = without_length(scope)
        replay = Replay(json.dumps(data, ensure_ascii=False).encode() if body else b"", receive)
        async with self.reads.of(user) if user is not None and known["user"] else nullcontext():
            if known["rest"] == f"sessions/{known['session']}" and scope["method"] in _LOCKING:
                await self._write(scope, replay, send, whose, known["session"])
            else:
                await self.app(scope, replay, send)

    async def _board(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the page of research runs. A browser adds no token: the proxy in front of the server does."""
        user = NOBODY
        try:
            if not is_public(scope):
                user = await self.authenticate(Headers(scope=scope)) if self.authenticate else LOCAL_USER
            with self.rate_limiter.limit(user) if scope["method"] == "POST" else nullcontext():
                await self.board({**scope, "user": SimpleUser(user)}, receive, send)
            return
        except Unauthorized as refused:
            why = f"This page needs a proxy in front of the server that signs you in (docs/board.md): {refused}."
            answer = PlainTextResponse(why, 401, {"WWW-Authenticate": "Bearer"})
        except JwksUnavailable:
            answer = PlainTextResponse("The issuer's keys cannot be read now. Try it again.", 503)
        except RateLimited as error:
            retry = {"Retry-After": str(error.retry_after_s or 1)}
            answer = PlainTextResponse(f"You sent {error}. Nothing was done: try it again.", 429, retry)
        await answer(scope, receive, send)

    async def _turn(self, scope: Scope, data: Any, receive: Receive, send: Send, user: str | None) -> None:
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
        if user is not None and asked not in ("", _ME, user):
            raise RequestRejected(403, "this belongs to another user")
        if app != APP_NAME:
            raise RequestRejected(404, "there is no such agent")
        if any(has_function_parts(data.get(name)) for name in ("newMessage", "new_message")):
            raise RequestRejected(400, FUNCTION_PARTS_REFUSED)
        whose, digest = user or asked, message_digest(data) if key else ""
        metadata = without_protected(metadata) | ({MESSAGE_KEY: key, DIGEST_KEY: digest} if key else {})
        data |= {"user_id": whose, "session_id": session, "app_name": app, "custom_metadata": metadata or None}
        try:
            with self.rate_limiter.limit(whose):
                async with _last_chunk_delayed(send) as delayed, self.locks.hold(lock_name(whose, session)):
                    given = await self.idempotency.replay(whose, session, key, digest) if key else None
                    if given is None:
                        body = json.dumps(data, ensure_ascii=False).encode()
                        await self.storage.admit(whose, len(body))
                        replay = Replay(body, receive)
                        async with self.turn():
                            await self.app(without_length(scope), replay, delayed)
                        if replay.client_left:
                            await finish_shielded()  # the turn's last writes have to finish under the lock
                        return
                    answer = _answer(given, stream=scope["path"] == "/run_sse")
        except (RateLimited, Locked, KeyReused, *DATABASE_ERRORS) as error:
            answer = error_response(error)
        await answer(scope, receive, send)

    async def _write(self, scope: Scope, receive: Receive, send: Send, whose: str, session: str) -> None:
        """Changes or deletes a conversation under its lock, so that no turn runs meanwhile: that turn would fail."""
        try:
            async with _last_chunk_delayed(send) as delayed, self.locks.hold(lock_name(whose, session)):
                if scope["method"] == "DELETE":
                    await self.delete_beside(whose, session)
                with reads_without_events():  # else a change of the state would read and return all events
                    await self.app(scope, receive, delayed)
        except (Locked, *DATABASE_ERRORS) as error:
            await error_response(error)(scope, receive, send)


def _method(body: bytes) -> Any:
    """The method of a JSON-RPC message; "ping" if it is an answer to the server. None if it is no such message."""
    with suppress(ValueError, RecursionError):
        message = json.loads(body.decode())
        return message.get("method", "ping") if isinstance(message, dict) else None
    return None


def _restores(scope: Scope, known: re.Match[str]) -> bool:
    """Whether a request creates a conversation, perhaps with events."""
    return scope["method"] == "POST" and known["rest"] == "sessions"


def _parse(body: bytes, restores: bool) -> Any:
    """Parses a body, and checks all limits of its contents.

    Raises:
        RequestRejected: status 400: see `parse_json`, `check_messages` and `check_restored`.
    """
    data = parse_json(body)
    check_messages(data)
    if restores:
        check_restored(data)
    return data


def _stores(scope: Scope, data: Any) -> bool:
    """Whether a request other than a turn adds to what its user stores."""
    if scope["path"] == A2A_PATH:
        return isinstance(data, dict) and data.get("method") in _STORING_METHODS
    return scope["method"] in ("POST", "PATCH")


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


@asynccontextmanager
async def _last_chunk_delayed(send: Send) -> AsyncIterator[Send]:
    """Yields a `send` that delays the last chunk of a response until the `with` block has ended.

    By then the session lock is released, so that the client's next request does not find a locked session.
    """
    last: list[Message] = []

    async def held(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            last.append(message)
        else:
            await send(message)

    try:
        yield held
    finally:
        for message in last:
            await send(message)
