"""The operations of the API, each with its fault and its line in the log."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from interactions_emulator.call import Call
from interactions_emulator.errors import Refused, error_body
from interactions_emulator.faults import Fault, parse_header
from interactions_emulator.interaction import Cursor
from interactions_emulator.log import fingerprint
from interactions_emulator.parts import Parts
from interactions_emulator.request import parse_create, parse_object
from interactions_emulator.runs import Run
from interactions_emulator.streams import Cut, EventStream, Hang, Json, first_of

logger = logging.getLogger(__name__)

Act = Callable[[Fault | None], Awaitable[Response]]
Operation = Callable[[Call], Awaitable[Response]]

_PATH = re.compile(
    r"/(?!_emulator/)[^/]+(?:/projects/[^/]+/locations/[^/]+)?/(interactions|webhooks)"
    r"(?:/([^/:]+)(/cancel|:ping|:rotateSigningSecret)?)?"
)
_LEGACY = re.compile(r"google-genai-sdk/1\.\S*")


class Api:
    """An ASGI application without routes of Starlette's, for nearly every request is one of these few."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._runs = parts.runs
        hooks, deliveries = parts.webhooks, parts.deliveries
        self._operations: dict[tuple[str, bool, str], dict[str, Operation]] = {
            ("interactions", False, ""): {"POST": self._create},
            ("interactions", True, ""): {"GET": self._get, "DELETE": self._delete},
            ("interactions", True, "/cancel"): {"POST": self._cancel},
            ("webhooks", False, ""): {
                "POST": self._webhook(lambda id_, body: hooks.create(body)),
                "GET": self._webhook(lambda id_, body: hooks.show()),
            },
            ("webhooks", True, ""): {
                "GET": self._webhook(lambda id_, body: hooks.find(id_).resource()),
                "PATCH": self._webhook(hooks.update),
                "DELETE": self._webhook(lambda id_, body: hooks.delete(id_)),
            },
            ("webhooks", True, ":ping"): {"POST": self._webhook(lambda id_, body: deliveries.ping(id_))},
            ("webhooks", True, ":rotateSigningSecret"): {"POST": self._webhook(hooks.rotate)},
        }

    def operation(self, scope: Scope) -> tuple[Operation, str] | None:
        """Return what a request asks for and the id in its path; None if it is not for the API.

        Raises `Refused` (405).
        """
        match = _PATH.fullmatch(scope["path"])
        if match is None:
            return None
        what, id_, action = match[1], match[2] or "", match[3] or ""
        methods = self._operations.get((what, bool(id_), action))
        if methods is None:
            return None
        if scope["method"] not in methods:
            raise Refused(405, f"{scope['method']} {scope['path']} is not allowed: use {' or '.join(methods)}")
        return methods[scope["method"]], id_

    async def answer(self, operation: Operation, id_: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry an operation out, log it and send its answer."""
        call = Call(scope, receive, id_)
        try:
            response = await operation(call)
        except Refused as refused:
            response = error(refused)
        except ClientDisconnect:
            response = Cut()
        except Exception as failure:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            response = error(
                Refused(500, f"The emulator failed: {type(failure).__name__}: {failure}. Its log says more.")
            )
        self._parts.log.add(call.line(None if isinstance(response, Cut) else response.status_code))
        await response(scope, receive, send)

    async def _create(self, call: Call) -> Response:
        async def act(fault: Fault | None) -> Response:
            for uri in (parsed.head.get("webhook_config") or {}).get("uris", ()):
                self._parts.webhooks.check_uri(uri)
            documents_url = f"http://{call.header(b'host')}/documents/"
            run = self._runs.create(parsed, documents_url, fingerprint(call.key), bool(fault and fault.zombie))
            call.interaction_id = run.interaction.id
            if parsed.stream:
                return self._stream(run, Cursor(run.interaction, usage=not (fault and fault.no_usage)), fault)
            if not parsed.background and not run.interaction.finished:
                await first_of(run.finished(), self._parts.closing.wait())
            return Json(run.interaction.resource()) if parsed.background or run.interaction.finished else Cut()

        call.kind = "create"
        self._authorize(call)
        parsed = parse_create(await call.body(self._parts.limits.body))
        return await self._with_fault(call, "create_stream" if parsed.stream else "create", act)

    async def _get(self, call: Call) -> Response:
        query = call.query()
        streaming = query.get("stream", "false")

        async def act(fault: Fault | None) -> Response:
            if streaming not in ("true", "false"):
                raise Refused(400, f"stream is true or false, not {streaming!r}")
            run = self._runs.find(call.id)
            no_usage = bool(fault and fault.no_usage)
            if streaming == "true":
                return self._stream(run, _after(run, query.get("last_event_id"), usage=not no_usage), fault)
            body = run.interaction.resource(query.get("include_input") == "true")
            if no_usage:
                body.pop("usage", None)
            return Json(body)

        call.kind = "resume" if streaming == "true" else "get"
        self._authorize(call)
        return await self._with_fault(call, call.kind, act)

    async def _cancel(self, call: Call) -> Response:
        async def act(fault: Fault | None) -> Response:
            return Json(self._runs.cancel(call.id).interaction.resource())

        call.kind = "cancel"
        self._authorize(call)
        return await self._with_fault(call, "cancel", act)

    async def _delete(self, call: Call) -> Response:
        async def act(fault: Fault | None) -> Response:
            self._runs.delete(call.id)
            return Json({})

        call.kind = "delete"
        self._authorize(call)
        return await self._with_fault(call, "delete", act)

    def _webhook(self, act: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Operation:
        async def operation(call: Call) -> Response:
            call.kind, call.interaction_id = "webhooks", None
            self._authorize(call)
            return Json(act(call.id, parse_object(await call.body(self._parts.limits.body) or b"{}")))

        return operation

    def _stream(self, run: Run, cursor: Cursor, fault: Fault | None) -> Response:
        return EventStream(run, cursor, fault, self._parts.closing, self._parts.crash)

    async def _with_fault(self, call: Call, kind: str, act: Act) -> Response:
        """Do what is asked, unless a fault comes first or afterwards."""
        call.kind = kind
        header = call.header(b"x-emulator-fault")
        fault = parse_header(header, kind) if header else self._parts.faults.hit(kind)
        if fault is None:
            return await act(None)
        if fault.refuses and not fault.after_accept:
            return self._refusal(fault, kind)
        response = await act(fault)
        await asyncio.sleep(fault.delay_ms / 1000)
        return self._refusal(fault, kind) if fault.after_accept else response

    def _authorize(self, call: Call) -> None:
        legacy = _LEGACY.search(call.header(b"user-agent"))
        if legacy:
            raise Refused(
                400,
                f"{legacy.group()} speaks the Interactions API as it was before steps, which is switched off: "
                'pip install --upgrade "google-genai>=2.34", or npm install @google/genai@latest',
            )
        if not call.key:
            raise Refused(
                401, "No API key: send the header x-goog-api-key (any value) or Authorization: Bearer <any value>."
            )
        token = self._parts.token
        if token and not hmac.compare_digest(call.key.encode(), token.encode()):
            raise Refused(401, "This is not the token that the emulator was started with: send that as the API key.")

    def _refusal(self, fault: Fault, kind: str) -> Response:
        if fault.crash:
            self._parts.crash()
        if fault.hang:
            return Hang(self._parts.closing)
        if fault.status is None:
            return Cut()
        message = f"Fault on request: {kind} is answered with status {fault.status}."
        if (kind, fault.status) == ("cancel", 404):
            message = "Method not found."
        response = error(Refused(fault.status, message))
        if fault.retry_after_ms is not None:
            response.headers["retry-after-ms"] = str(fault.retry_after_ms)
            if fault.retry_after_ms >= 1000:
                response.headers["retry-after"] = str(fault.retry_after_ms // 1000)
        return response


def error(refused: Refused) -> Response:
    """Return a refusal as an answer."""
    return Json(error_body(refused.status, refused.message), status_code=refused.status)


def broken(failure: Exception) -> Refused:
    """Return the refusal for what went wrong in here."""
    return Refused(500, f"The emulator failed: {type(failure).__name__}: {failure}. Its log says more.")


def _after(run: Run, last_event_id: str | None, usage: bool) -> Cursor:
    """Return the place after an event, which is in the run or refused (400)."""
    if last_event_id is None:
        return Cursor(run.interaction, usage=usage)
    head, _, number = last_event_id.rpartition("_")
    position = int(number) if number.isdecimal() and len(number) < 10 else 0
    there = Cursor(run.interaction, position)
    there.read()
    if head != f"evt_{run.interaction.id[-6:]}" or not 0 < position <= there.number:
        raise Refused(
            400,
            f"last_event_id {last_event_id!r} is no event of interaction {run.interaction.id}: "
            "give the event_id of an event of its stream, or none to begin at the start",
        )
    return Cursor(run.interaction, position, usage)
