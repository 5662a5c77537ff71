"""The API: finds the operation of a request, authorizes it, applies faults, and logs it."""

from __future__ import annotations

import hmac
import logging
import re

from interactions_emulator.errors import Refused, error_body, google_error_body
from interactions_emulator.faults.fault import Fault
from interactions_emulator.faults.parsing import parse_header
from interactions_emulator.http import agents, file_search, files, generate, interactions, models, triggers, webhooks
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.protocol import Exchange
from interactions_emulator.http.responses import Answer, Cut, Delayed, ErrorBody, GivenAnswer, Hang, Replayed, refusal
from interactions_emulator.http.routes import Action, Found, Routes

logger = logging.getLogger(__name__)

NEW_COLLECTIONS = {"interactions", "webhooks", "agents", "triggers", "environments"}
"""Collections whose errors have a string as their code. The errors of all others have a number and a status."""
_LEGACY_CLIENT = re.compile(r"google-genai-sdk/1\.\S*")


class Api:
    """Carries out API requests. No method waits: an answer that takes time waits in its `send`."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._routes = Routes(
            interactions.routes(context),
            generate.routes(context),
            files.routes(context),
            file_search.routes(context),
            models.routes(context),
            agents.routes(context),
            triggers.routes(context),
            webhooks.routes(context),
        )

    def answer(self, exchange: Exchange) -> Answer | None:
        """Carry out a request and log it. Return None if the API has no such path."""
        found = self._routes.find(exchange.path)
        if found is None:
            return None
        route = found.methods.get(exchange.method)
        call = Call(exchange, found.ids, route.kind if route else "")
        if found.collection == "interactions":
            call.interaction_id = call.id or None
        errors = error_body if found.collection in NEW_COLLECTIONS else google_error_body
        answer: Answer
        try:
            if route is None:
                allowed = " or ".join(found.methods)
                raise Refused(405, f"{exchange.method} {exchange.path} is not allowed: use {allowed}")
            self._authorize(call, found)
            answer = self._recorded(call, exchange) or self._with_fault(call, route.operation(call), errors)
        except Refused as refused:
            answer = refusal(refused, body=errors)
        except Exception as failure:
            logger.exception("%s %s failed", exchange.method, exchange.path)
            answer = refusal(internal_error(failure), body=errors)
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
        return Replayed(found, self._context.runs.clock)

    def _authorize(self, call: Call, found: Found) -> None:
        legacy = _LEGACY_CLIENT.search(call.header(b"user-agent"))
        if legacy and found.collection in NEW_COLLECTIONS:
            raise Refused(
                400,
                f"{legacy.group()} uses the old format of the Interactions API, without steps, which is switched off: "
                'pip install --upgrade "google-genai>=2.34", or npm install @google/genai@latest',
            )
        if found.collection.startswith("upload/") and "upload_id" in call.query():
            return  # SDKs send chunks without a key: the address that the start of the upload gave is secret enough
        if not call.key:
            raise Refused(
                401, "No API key: send the header x-goog-api-key (any value) or Authorization: Bearer <any value>."
            )
        token = self._context.token
        if token and not hmac.compare_digest(call.key.encode(), token.encode()):
            raise Refused(401, "This is not the token that the emulator was started with: send that as the API key.")

    def _with_fault(self, call: Call, action: Action, errors: ErrorBody) -> Answer:
        """Carry out an operation, with the fault that was set for such a request."""
        header = call.header(b"x-emulator-fault")
        fault = parse_header(header, call.kind) if header else self._context.faults.hit(call.kind)
        if fault and header and fault.crashes and not call.is_local:
            raise Refused(403, "Only programs on the machine the emulator runs on may crash it.")
        if fault is None:
            return action(None)
        if fault.refuses and not fault.after_accept:
            return self._refusal(fault, call, errors)
        answer = action(fault)
        if fault.after_accept:
            answer = self._refusal(fault, call, errors)
        return Delayed(answer, fault.delay_ms / 1000) if fault.delay_ms else answer

    def _refusal(self, fault: Fault, call: Call, errors: ErrorBody) -> Answer:
        if fault.crash:
            self._context.crash()
        if fault.hang:
            return Hang()
        if fault.body is not None or (fault.status and fault.status < 400):
            return GivenAnswer(fault, call.interaction_id)
        if fault.status is None:
            return Cut()
        message = f"Injected fault: this {call.kind} request gets status {fault.status}."
        if (call.kind, fault.status) == ("cancel", 404):
            message = "Method not found."
        headers = dict(fault.headers or {})
        if fault.retry_after_ms is not None:
            headers["retry-after-ms"] = str(fault.retry_after_ms)
            if fault.retry_after_ms >= 1000:
                headers["retry-after"] = str(fault.retry_after_ms // 1000)
        return refusal(Refused(fault.status, message), headers, errors)


def internal_error(failure: Exception) -> Refused:
    """Return the refusal (500) for an error inside the emulator."""
    return Refused(500, f"The emulator failed: {type(failure).__name__}: {failure}. Its log says more.")
