"""The operations on models: generateContent, streamGenerateContent and countTokens.

A request is carried out as an interaction that is not stored, by the same brain. See `generate_content/`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from interactions_emulator.engine.request_log import fingerprint
from interactions_emulator.engine.run import Run
from interactions_emulator.engine.usage import usage
from interactions_emulator.errors import Refused
from interactions_emulator.faults.fault import Fault
from interactions_emulator.generate_content.requests import Generate, counted_turn, parse_generate
from interactions_emulator.generate_content.responses import details
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.generate_sending import ChunkStream, WholeResponse
from interactions_emulator.http.json_operations import taking_body
from interactions_emulator.http.resource_checks import check_create
from interactions_emulator.http.router import Action, Route, Table
from interactions_emulator.requests.fields import parse_object


def routes(context: AppContext) -> Table:
    """Return the routes of generateContent."""
    max_bytes = context.limits.max_body_bytes

    def begin(call: Call, request: Generate, fault: Fault | None) -> Run:
        check_create(context, request.create)
        documents_url = f"{call.base_url}/documents/"
        run = context.runs.create(request.create, documents_url, fingerprint(call.key), bool(fault and fault.zombie))
        call.interaction_id = run.interaction.id
        return run

    def parsed(call: Call) -> Generate:
        request = parse_generate(call.id, _with_token(parse_object(call.body(max_bytes))))
        del request.create.echoed["model"]  # so that no webhook message is sent: it is not an interaction of the API
        return request

    def generate(call: Call) -> Action:
        request = parsed(call)
        return lambda fault: WholeResponse(begin(call, request, fault), request, bool(fault and fault.no_usage))

    def stream(call: Call) -> Action:
        request = parsed(call)
        events = call.query().get("alt") == "sse"
        return lambda fault: ChunkStream(begin(call, request, fault), request, events, fault, context)

    def count_tokens(call: Call, body: dict[str, Any]) -> dict[str, Any]:
        counted = usage(counted_turn(call.id, body), ())
        by_modality = details(counted["input_tokens_by_modality"])
        return {"totalTokens": counted["total_input_tokens"], "promptTokensDetails": by_modality}

    return {
        "models/{id}:generateContent": {"POST": Route("generate", generate)},
        "models/{id}:streamGenerateContent": {"POST": Route("generate_stream", stream)},
        "models/{id}:countTokens": {"POST": Route("count_tokens", taking_body(count_tokens, max_bytes))},
    }


def _with_token(body: dict[str, Any]) -> dict[str, Any]:
    """The body with its continuation token decoded, since the API has it as bytes. Raises `Refused` (400)."""
    token = body.get("continuationToken")
    if token is None:
        return body
    try:
        return body | {"continuationToken": base64.urlsafe_b64decode(token).decode()}
    except (binascii.Error, TypeError, ValueError) as error:
        raise Refused(400, f"continuationToken is not base64: {error}") from error
