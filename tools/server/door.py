"""What every request passes: who asks, whose data it is, how much there may be of it, and one turn at a time."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.adk.errors._stale_session_error import StaleSessionError
from starlette.authentication import SimpleUser
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools import recent
from tools.application import NAME
from tools.research.database import DATABASE_ERRORS
from tools.server.answers import KEY, Answers
from tools.server.auth import Identify, Refused, Unreachable
from tools.server.rates import Rates, TooMany
from tools.server.turns import Busy, Turns, conversation

A2A = "/a2a/desk"
CARD = f"{A2A}/.well-known/agent-card.json"
"""Where ADK's servers have them too."""
OPEN = frozenset({"/healthz", "/readyz", "/webhooks/research", CARD})
"""What needs no token: health, what is signed by itself, and who we are."""
_KNOWN = re.compile(
    rf"/(?:list-apps|version|run|run_sse|a2a/desk|apps/{NAME}/app-info"
    rf"|apps/{NAME}/users/(?P<user>[^/]+)/(?P<rest>sessions(?:/(?P<session>[^/\0]+)(?:/.*)?)?))"
)
"""All that is served; ADK's development routes are not, nor its memory: no agent reads it, and nothing forgets it."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A character that PostgreSQL cannot keep, as JSON writes it."""
_TURNS = ("/run", "/run_sse")
_WRITING = ("PATCH", "DELETE")
_ME = "me"
"""How a client may call its own user in a path or a body."""


_OPEN_BODY = 1_000_000
"""Bytes that a request without a token may have."""
_LONGEST_NAME = 128
"""Characters of a session's name: ADK's tables have no room for more (`sessions/schemas/shared.py`)."""


class TooLarge(Exception):
    """A request has more bytes than it may. The text says how many."""


@dataclass
class Door:
    """ASGI middleware before ADK's application.

    Args:
        identify: tells who asks; None: nobody is asked, and a path's user is taken for granted.
    """

    app: ASGIApp
    identify: Identify | None
    turns: Turns
    answers: Answers
    rates: Rates
    max_body: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        else:
            try:
                await self._http(scope, receive, send)
            except TooLarge as large:
                await refuse(413, f"a request may have {large} bytes")(scope, receive, send)
            except ClientDisconnect:
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        known = _KNOWN.fullmatch(path)
        answer: Response | None = None
        if path in OPEN:
            body = await _body(scope, receive, min(_OPEN_BODY, self.max_body))
            await self.app(scope, _again(body, receive), send)
            return
        try:
            user = await self.identify(Headers(scope=scope)) if self.identify else None
        except Refused as refused:
            answer = refuse(401, str(refused), {"WWW-Authenticate": "Bearer"})
        except Unreachable:
            answer = refuse(503, "the issuer's keys cannot be read now", {"Retry-After": "5"})
        else:
            if known is None:
                answer = refuse(404, "there is nothing here")
            elif user is not None and known["user"] not in (None, _ME, user):
                answer = refuse(403, "this belongs to another user")
        if answer:
            await answer(scope, receive, send)
            return
        assert known
        body = await _body(scope, receive, self.max_body)
        if _NUL.search(body):
            await refuse(400, r"no database here can keep the character \u0000")(scope, receive, send)
            return
        if len(known["session"] or "") > _LONGEST_NAME:
            await refuse(400, f"a session's name may have {_LONGEST_NAME} characters")(scope, receive, send)
            return
        scope = {**scope, "user": SimpleUser(user or _ME)}
        if user is not None and known["user"]:
            own = f"/apps/{NAME}/users/{user}/{known['rest']}"
            scope |= {"path": own, "raw_path": quote(own).encode()}
        if path in _TURNS:
            await self._turn(scope, body, receive, send, user)
        elif known["rest"] == f"sessions/{known['session']}" and scope["method"] in _WRITING:
            await self._write(scope, _again(body, receive), send, conversation(user or known["user"], known["session"]))
        else:
            await self.app(scope, _again(body, receive), send)

    async def _turn(self, scope: Scope, body: bytes, receive: Receive, send: Send, user: str | None) -> None:
        answer: Response
        try:
            data = dict(json.loads(body, parse_constant=_no_number))
            asked, session = _field(data, "user_id", "userId"), _field(data, "session_id", "sessionId")
            app = _field(data, "app_name", "appName") or NAME
            metadata = {**(data.pop("customMetadata", None) or {}), **(data.pop("custom_metadata", None) or {})}
            if not session.isprintable() or not 0 < len(session) <= _LONGEST_NAME or not (user or asked):
                raise ValueError("whose conversation?")
        except (ValueError, TypeError, RecursionError):
            wanted = f"appName, userId and sessionId (of at most {_LONGEST_NAME} characters)"
            await refuse(400, f"the body has to be a JSON object with {wanted}")(scope, receive, send)
            return
        if user is not None and asked not in ("", _ME, user):
            await refuse(403, "this belongs to another user")(scope, receive, send)
            return
        if app != NAME:
            await refuse(404, "there is no such agent")(scope, receive, send)
            return
        whose = user or asked
        key = Headers(scope=scope).get("idempotency-key", "")
        metadata |= {KEY: key} if key else {}
        data |= {"user_id": whose, "session_id": session, "app_name": app, "custom_metadata": metadata or None}
        try:
            with self.rates.one(whose):
                async with _whole(send) as whole, self.turns.one(conversation(whose, session)):
                    given = await self.answers.given(whose, session, key) if key else None
                    if given is None:
                        with recent.turn():
                            again = _again(json.dumps(data).encode(), receive)
                            await self.app(_without_length(scope), again, whole)
                        return
                    answer = _answer(given, stream=scope["path"] == "/run_sse")
        except TooMany as many:
            answer = refuse(429, str(many), {"Retry-After": str(many.wait)})
        except (Busy, *DATABASE_ERRORS) as error:
            answer = trouble(error)
        await answer(scope, receive, send)

    async def _write(self, scope: Scope, receive: Receive, send: Send, session: str) -> None:
        """What changes a conversation waits for its turn too: a turn under it would break off."""
        try:
            async with _whole(send) as whole, self.turns.one(session):
                await self.app(scope, receive, whole)
        except (Busy, *DATABASE_ERRORS) as error:
            await trouble(error)(scope, receive, send)


def trouble(error: Exception) -> JSONResponse:
    """What a client is told, who may ask again: another turn of the session was first, or the database is away."""
    status, wait = (409, "1") if isinstance(error, Busy | StaleSessionError) else (503, "2")
    return refuse(status, why(error), {"Retry-After": wait})


def why(error: Exception) -> str:
    """A refusal in words, for the one who asked."""
    if isinstance(error, TooMany):
        return str(error)
    if isinstance(error, Busy | StaleSessionError):
        return "another turn of this conversation is under way"
    return "the database does not answer now"


def refuse(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer that says why there is no other."""
    return JSONResponse({"detail": why}, status, headers)


def _answer(events: list[dict[str, Any]], stream: bool) -> Response:
    if not stream:
        return JSONResponse(events)
    lines = (f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events)
    return StreamingResponse(lines, media_type="text/event-stream")


def _no_number(name: str) -> None:
    """NaN and infinities are no JSON, and no database takes them for it."""
    raise ValueError(name)


def _field(data: dict[str, Any], *names: str) -> str:
    """Takes a value out under any of its names; they have to agree."""
    found = {str(data.pop(name)) for name in names if data.get(name) is not None}
    if len(found) > 1:
        raise ValueError(names)
    return found.pop() if found else ""


async def _body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """All of a request's body.

    Raises:
        TooLarge: it is, whatever its header says.
        ClientDisconnect: there is nobody left to answer.
    """
    if int(Headers(scope=scope).get("content-length") or 0) > limit:
        raise TooLarge(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge(limit)
        if not message.get("more_body"):
            return bytes(body)


@asynccontextmanager
async def _whole(send: Send) -> AsyncIterator[Send]:
    """A `send` that gives the end of an answer after the block: who has all of it finds the conversation free."""
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


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read once more; after it whatever comes, such as the end of the connection."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _without_length(scope: Scope) -> Scope:
    """The body may have another length now."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"content-length"]}
