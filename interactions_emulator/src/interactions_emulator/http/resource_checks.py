"""Checks of a create request that need the state of the server: what it refers to must be there."""

from __future__ import annotations

from interactions_emulator.file_search.tool_checks import check_file_search
from interactions_emulator.files.references import check_references
from interactions_emulator.http.context import AppContext
from interactions_emulator.requests.create import Create


def check_create(context: AppContext, request: Create) -> None:
    """Raise `Refused` (400, 403, 404) if a request refers to something that the server does not have."""
    if request.is_agent:
        context.agents.check_playable(request.target)
    context.agents.check_environment(request.echoed.get("environment"))
    check_references(context.files, request.input)
    check_file_search(context.stores, request.echoed.get("tools", ()))
    for uri in (request.echoed.get("webhook_config") or {}).get("uris", ()):
        context.webhooks.check_uri(uri)
