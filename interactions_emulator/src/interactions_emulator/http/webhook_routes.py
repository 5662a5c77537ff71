"""The operations on webhooks; see `webhooks/registry.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.json_operations import taking_body
from interactions_emulator.http.router import Route, Table


def routes(context: AppContext) -> Table:
    """Return the routes of webhooks."""
    hooks, deliveries = context.webhooks, context.deliveries

    def route(function: Callable[[Call, dict[str, Any]], Any]) -> Route:
        return Route("webhooks", taking_body(function, context.limits.max_body_bytes))

    return {
        "webhooks": {
            "POST": route(lambda call, body: hooks.create(body)),
            "GET": route(lambda call, body: hooks.show()),
        },
        "webhooks/{id}": {
            "GET": route(lambda call, body: hooks.find(call.id).resource()),
            "PATCH": route(lambda call, body: hooks.update(call.id, body)),
            "DELETE": route(lambda call, body: hooks.delete(call.id)),
        },
        "webhooks/{id}:ping": {"POST": route(lambda call, body: deliveries.ping(call.id))},
        "webhooks/{id}:rotateSigningSecret": {"POST": route(lambda call, body: hooks.rotate(call.id, body))},
    }
