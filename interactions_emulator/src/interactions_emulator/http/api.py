"""The API: finds the operation of a request, authorizes it, applies faults, and logs it."""

from __future__ import annotations

import logging
import re

from interactions_emulator.errors import Refused, error_body, google_error_body
from interactions_emulator.http import (
    agent_routes,
    file_routes,
    file_search_routes,
    generate_routes,
    interaction_routes,
    model_routes,
    trigger_routes,
    webhook_routes,
)
from interactions_emulator.http.answer_faults import with_fault
from interactions_emulator.http.api_keys import check_key
from interactions_emulator.http.call import Call
from interactions_emulator.http.connection import Exchange
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.responses import Answer, Replayed, refusal
from interactions_emulator.http.router import Found, Routes

logger = logging.getLogger(__name__)

NEW_COLLECTIONS = {"interactions", "webhooks", "agents", "triggers", "environments"}
"""Collections whose errors have a string as their code. The errors of all others have a number and a status."""
_LEGACY_CLIENT = re.compile(r"google-genai-sdk/1\.\S*")


class Api:
    """Carries out API requests. No method waits: an answer that takes time waits in its `send`."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._routes = Routes(
            interaction_routes.routes(context),
            generate_routes.routes(context),
            file_routes.routes(context),
            file_search_routes.routes(context),
            model_routes.routes(context),
            agent_routes.routes(context),
            trigger_routes.routes(context),
            webhook_routes.routes(context),
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
            answer = self._recorded(call, exchange) or with_fault(self._context, call, route.operation(call), errors)
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
        check_key(call.key, self._context.token)


def internal_error(failure: Exception) -> Refused:
    """Return the refusal (500) for an error inside the emulator."""
    return Refused(500, f"The emulator failed: {type(failure).__name__}: {failure}. Its log says more.")
