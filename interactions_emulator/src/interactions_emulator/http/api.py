"""The API's operations: routing, authorization, faults and the request log."""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable
from typing import Any

from interactions_emulator.engine.events import event_id_prefix
from interactions_emulator.engine.interaction import Cursor
from interactions_emulator.engine.request_log import fingerprint
from interactions_emulator.engine.runs import Run
from interactions_emulator.faults import Fault, parse_header
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.errors import Refused
from interactions_emulator.http.protocol import Exchange
from interactions_emulator.http.requests import parse_create, parse_object
from interactions_emulator.http.responses import (
    Answer,
    Cut,
    Delayed,
    EventStream,
    FinalResource,
    Hang,
    Json,
    Replayed,
    refusal,
)

logger = logging.getLogger(__name__)

Action = Callable[[Fault | None], Answer]
Operation = Callable[[Call], Answer]

_PATH = re.compile(
    r"/(?!_emulator/)[^/]+(?:/projects/[^/]+/locations/[^/]+)?/(interactions|webhooks)"
    r"(?:/([^/:]+)(/cancel|:ping|:rotateSigningSecret)?)?"
)
_LEGACY_CLIENT = re.compile(r"google-genai-sdk/1\.\S*")


class Api:
    """Carries out API requests. No method waits: an answer that takes time waits in its `send`."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._runs = context.runs
        hooks, deliveries = context.webhooks, context.deliveries
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

    def answer(self, exchange: Exchange) -> Answer | None:
        """Carry out a request and log it. Return None if the API has no such path."""
        match = _PATH.fullmatch(exchange.path)
        if match is None:
            return None
        what, id_, action = match[1], match[2] or "", match[3] or ""
        methods = self._operations.get((what, bool(id_), action))
        if methods is None:
            return None
        call = Call(exchange, id_)
        answer: Answer
        try:
            if exchange.method not in methods:
                raise Refused(405, f"{exchange.method} {exchange.path} is not allowed: use {' or '.join(methods)}")
            answer = self._recorded(call, exchange) or methods[exchange.method](call)
        except Refused as refused:
            answer = refusal(refused)
        except Exception as failure:
            logger.exception("%s %s failed", exchange.method, exchange.path)
            answer = refusal(internal_error(failure))
        exchange.capture = self._context.log.add(
            call.log_entry(answer.status), exchange.headers, exchange.query, exchange.body
        )
        return answer

    def _recorded(self, call: Call, exchange: Exchange) -> Answer | None:
        """The recorded answer to a request, or None."""
        if self._context.replay is None:
            return None
        query = exchange.query.decode("latin-1")
        found = self._context.replay.answer(exchange.method, exchange.path, query, exchange.body, [call.key])
        if found is None:
            return None
        call.kind = "replay"
        self._authorize(call)
        return Replayed(found, self._runs.clock)

    def _create(self, call: Call) -> Answer:
        def action(fault: Fault | None) -> Answer:
            for uri in (parsed.echoed.get("webhook_config") or {}).get("uris", ()):
                self._context.webhooks.check_uri(uri)
            documents_url = f"http://{call.header(b'host')}/documents/"
            run = self._runs.create(parsed, documents_url, fingerprint(call.key), bool(fault and fault.zombie))
            call.interaction_id = run.interaction.id
            if parsed.stream:
                return self._stream(run, Cursor(run.interaction, usage=not (fault and fault.no_usage)), fault)
            if parsed.background or run.interaction.finished:
                return Json(run.interaction.resource())
            return FinalResource(run)

        call.kind = "create"
        self._authorize(call)
        parsed = parse_create(call.body(self._context.limits.max_body_bytes))
        return self._with_fault(call, "create_stream" if parsed.stream else "create", action)

    def _get(self, call: Call) -> Answer:
        query = call.query()
        streaming = query.get("stream", "false")

        def action(fault: Fault | None) -> Answer:
            if streaming not in ("true", "false"):
                raise Refused(400, f"stream is true or false, not {streaming!r}")
            run = self._runs.find(call.id)
            no_usage = bool(fault and fault.no_usage)
            if streaming == "true":
                return self._stream(run, _cursor_after(run, query.get("last_event_id"), usage=not no_usage), fault)
            body = run.interaction.resource(query.get("include_input") == "true")
            if no_usage:
                body.pop("usage", None)
            return Json(body)

        call.kind = "resume" if streaming == "true" else "get"
        self._authorize(call)
        return self._with_fault(call, call.kind, action)

    def _cancel(self, call: Call) -> Answer:
        def action(fault: Fault | None) -> Answer:
            return Json(self._runs.cancel(call.id).interaction.resource())

        call.kind = "cancel"
        self._authorize(call)
        return self._with_fault(call, "cancel", action)

    def _delete(self, call: Call) -> Answer:
        def action(fault: Fault | None) -> Answer:
            self._runs.delete(call.id)
            return Json({})

        call.kind = "delete"
        self._authorize(call)
        return self._with_fault(call, "delete", action)

    def _webhook(self, action: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Operation:
        def operation(call: Call) -> Answer:
            call.kind, call.interaction_id = "webhooks", None
            self._authorize(call)
            return Json(action(call.id, parse_object(call.body(self._context.limits.max_body_bytes) or b"{}")))

        return operation

    def _stream(self, run: Run, cursor: Cursor, fault: Fault | None) -> Answer:
        return EventStream(run, cursor, fault, self._context.crash)

    def _with_fault(self, call: Call, kind: str, action: Action) -> Answer:
        """Carry out the operation `action`, with the fault that hits the request, if any."""
        call.kind = kind
        header = call.header(b"x-emulator-fault")
        fault = parse_header(header, kind) if header else self._context.faults.hit(kind)
        if fault and header and fault.crashes and not call.is_local:
            raise Refused(403, "Only programs on the machine the emulator runs on may crash it.")
        if fault is None:
            return action(None)
        if fault.refuses and not fault.after_accept:
            return self._refusal(fault, kind)
        answer = action(fault)
        if fault.after_accept:
            answer = self._refusal(fault, kind)
        return Delayed(answer, fault.delay_ms / 1000) if fault.delay_ms else answer

    def _authorize(self, call: Call) -> None:
        legacy = _LEGACY_CLIENT.search(call.header(b"user-agent"))
        if legacy:
            raise Refused(
                400,
                f"{legacy.group()} uses the old format of the Interactions API, without steps, which is switched off: "
                'pip install --upgrade "google-genai>=2.34", or npm install @google/genai@latest',
            )
        if not call.key:
            raise Refused(
                401, "No API key: send the header x-goog-api-key (any value) or Authorization: Bearer <any value>."
            )
        token = self._context.token
        if token and not hmac.compare_digest(call.key.encode(), token.encode()):
            raise Refused(401, "This is not the token that the emulator was started with: send that as the API key.")

    def _refusal(self, fault: Fault, kind: str) -> Answer:
        if fault.crash:
            self._context.crash()
        if fault.hang:
            return Hang()
        if fault.status is None:
            return Cut()
        message = f"Injected fault: this {kind} request gets status {fault.status}."
        if (kind, fault.status) == ("cancel", 404):
            message = "Method not found."
        headers = {}
        if fault.retry_after_ms is not None:
            headers["retry-after-ms"] = str(fault.retry_after_ms)
            if fault.retry_after_ms >= 1000:
                headers["retry-after"] = str(fault.retry_after_ms // 1000)
        return refusal(Refused(fault.status, message), headers)


def internal_error(failure: Exception) -> Refused:
    """Return the refusal (500) for an error inside the emulator."""
    return Refused(500, f"The emulator failed: {type(failure).__name__}: {failure}. Its log says more.")


def _cursor_after(run: Run, last_event_id: str | None, usage: bool) -> Cursor:
    """Return the cursor after an event of the run. Raises `Refused` (400) if the run has no such event."""
    if last_event_id is None:
        return Cursor(run.interaction, usage=usage)
    prefix, separator, number = last_event_id.rpartition("_")
    position = int(number) if number.isdecimal() and len(number) < 10 else 0
    cursor = Cursor(run.interaction, position)
    cursor.read()
    if (prefix + separator).encode() != event_id_prefix(run.interaction.id) or not 0 < position <= cursor.number:
        raise Refused(
            400,
            f"last_event_id {last_event_id!r} is not an event of interaction {run.interaction.id}: "
            "give the event_id of an event of its stream, or none to begin at the start",
        )
    return Cursor(run.interaction, position, usage)
