"""The operations on agents, and on environments, which the emulator does not have; see `agents/registry.py`."""

from __future__ import annotations

from typing import Any

from interactions_emulator.agents.registry import NO_SANDBOX
from interactions_emulator.errors import Refused
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.json_operations import reading, taking_body
from interactions_emulator.http.paging import page
from interactions_emulator.http.router import Route, Table


def routes(context: AppContext) -> Table:
    """Return the routes of agents and environments."""
    agents = context.agents

    def no_environment(call: Call) -> None:
        raise Refused(404, f"Environment {call.ids[0]} was not found: {NO_SANDBOX}.")

    def create_environment(call: Call, body: dict[str, Any]) -> None:
        raise Refused(400, f"An environment cannot be created, because {NO_SANDBOX}.")

    max_bytes = context.limits.max_body_bytes
    missing = Route("environments", reading(no_environment))
    return {
        "agents": {
            "POST": Route("agents", taking_body(lambda call, body: agents.create(body), max_bytes)),
            "GET": Route("agents", reading(lambda call: page(agents.show(), call.query(), "agents", snake=True))),
        },
        "agents/{id}": {
            "GET": Route("agents", reading(lambda call: agents.find(call.id))),
            "DELETE": Route("agents", reading(lambda call: agents.delete(call.id))),
        },
        "environments": {
            "POST": Route("environments", taking_body(create_environment, max_bytes)),
            "GET": Route("environments", reading(lambda call: {"environments": []})),
        },
        "environments/{id}": {"GET": missing, "DELETE": missing},
        "environments/{id}/files/{path}": {"GET": missing},
        "upload/environments/{id}/files/{path}": {"PUT": missing},
    }
