"""Names of the API in one flat form, to compare SDKs and the emulator: `tool.mcp_server.url`, `status=idle`."""

from __future__ import annotations

from typing import Any

Names = set[str]

UNIONS = {
    "step": "Step",
    "content": "Content",
    "tool": "Tool",
    "event": "InteractionSSEEvent",
    "delta": "StepDeltaData",
}
"""Kinds of objects that the SDKs have as unions of classes, one for each type."""
SUFFIXES = {"agent_config": "AgentConfig", "response_format": "ResponseFormat"}
"""Kinds of objects whose classes have names with this end."""
OBJECTS = {
    "request": ("CreateModelInteraction", "CreateAgentInteraction"),
    "query": ("GetInteractionByIDRequest",),
    "generation_config": ("GenerationConfig",),
    "environment": ("Environment",),
    "webhook_config": ("WebhookConfig",),
    "resource": ("Interaction",),
    "event_interaction": ("InteractionSseEventInteraction",),
    "usage": ("Usage",),
    "error": ("Error",),
}
"""Objects of one class, or of several that are compared as one."""
VALUES = {
    "model": ("CreateModelInteraction", "model"),
    "agent": ("CreateAgentInteraction", "agent"),
    "service_tier": ("CreateModelInteraction", "service_tier"),
    "response_modalities": ("CreateModelInteraction", "response_modalities"),
    "thinking_level": ("GenerationConfig", "thinking_level"),
    "thinking_summaries": ("GenerationConfig", "thinking_summaries"),
    "tool_choice": ("GenerationConfig", "tool_choice"),
    "status": ("Interaction", "status"),
}
"""Enums that the emulator checks or sends: class and field. It passes the values of all others through."""
DISCRIMINATORS = {"type", "event_type"}


def sdk_names(read: dict[str, Any]) -> Names:
    """Return the names that a reader has read from an SDK, see `read_python.py`.

    Classes inside those of `UNIONS`, `SUFFIXES` and `OBJECTS` are left out: the emulator passes them through unread.
    """
    classes = read["classes"]
    found: Names = {f"endpoint {endpoint}" for endpoint in read["endpoints"]}
    variants = {kind: read["unions"].get(union, {}) for kind, union in UNIONS.items()}
    for kind, suffix in SUFFIXES.items():
        ends = [name for name in classes if name.endswith(suffix)]
        variants[kind] = {classes[name]["type"][0]: name for name in ends}
    found |= {f"annotation.{type_}" for type_ in read["unions"]["Annotation"]}
    for kind, types in variants.items():
        for type_, name in types.items():
            found |= of_object(f"{kind}.{type_}", classes[name])
    for kind, names in OBJECTS.items():
        for name in names:
            found |= of_object(kind, classes[name])
    for kind, (name, field) in VALUES.items():
        found |= {f"{kind}={value}" for value in classes[name][field]}
    for collection, fields in read.get("resources", {}).items():
        found |= of_object(collection, fields)
    return found


def of_object(kind: str, fields: Any) -> Names:
    """Return the name of an object and those of its fields, without the discriminator."""
    return {kind} | {f"{kind}.{field}" for field in fields if field not in DISCRIMINATORS}
