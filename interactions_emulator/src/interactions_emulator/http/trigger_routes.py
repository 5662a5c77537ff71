"""The operations on triggers; see `triggers/registry.py`."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from interactions_emulator.engine.request_log import fingerprint
from interactions_emulator.errors import Refused
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.json_operations import reading, taking_body
from interactions_emulator.http.paging import page
from interactions_emulator.http.resource_checks import check_create
from interactions_emulator.http.router import Route, Table
from interactions_emulator.requests.create import Create, parse_create
from interactions_emulator.triggers.registry import Trigger

KIND = "triggers"


def routes(context: AppContext) -> Table:
    """Return the routes of triggers."""
    triggers, scheduler, max_bytes = context.triggers, context.scheduler, context.limits.max_body_bytes

    def create(call: Call, body: dict[str, Any]) -> dict[str, Any]:
        interaction = body.get("interaction")
        if not isinstance(interaction, dict) or not interaction.get("agent"):
            raise Refused(400, "interaction is an object with an agent and its input, as for creating an interaction")
        context.agents.check_environment(body.get("environment_id"))
        check_create(context, _request(interaction))
        trigger = triggers.create(interaction, body, fingerprint(call.key), f"{call.base_url}/documents/")
        scheduler.wake()
        return trigger.resource()

    def update(call: Call, body: dict[str, Any]) -> dict[str, Any]:
        changed = triggers.update(call.id, body)
        scheduler.wake()
        return changed

    def executions(call: Call) -> dict[str, Any]:
        found = [execution.resource() for execution in triggers.executions(call.id)]
        return page(found, call.query(), "trigger_executions", snake=True)

    def show(call: Call) -> dict[str, Any]:
        return page(triggers.show(), call.query(), "triggers", snake=True)

    return {
        "triggers": {
            "POST": Route(KIND, taking_body(create, max_bytes)),
            "GET": Route(KIND, reading(show)),
        },
        "triggers/{id}": {
            "GET": Route(KIND, reading(lambda call: triggers.find(call.id).resource())),
            "PATCH": Route(KIND, taking_body(update, max_bytes)),
            "DELETE": Route(KIND, reading(lambda call: triggers.delete(call.id))),
        },
        "triggers/{id}/executions": {
            "POST": Route(KIND, reading(lambda call: scheduler.run_now(triggers.find(call.id)).resource())),
            "GET": Route(KIND, reading(executions)),
        },
    }


def begin_execution(context: AppContext, trigger: Trigger) -> str:
    """Create the interaction of a trigger, and return its id. Raises `Refused`."""
    request = _request(trigger.interaction)
    check_create(context, request)
    return context.runs.create(request, trigger.documents_url, trigger.key).interaction.id


def _request(interaction: dict[str, Any]) -> Create:
    """The create request of a trigger: in the background, since nobody waits for it."""
    return parse_create(to_json({**interaction, "background": True, "stream": False}))
