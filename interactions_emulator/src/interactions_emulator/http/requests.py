"""Parses the body of a create request, or refuses it with the reason.

Where the public documentation is unclear, this module follows its strictest interpretation, so that the real service
accepts any request that this server accepts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from interactions_emulator.brain.protocol import Step
from interactions_emulator.engine.steps import input_steps
from interactions_emulator.http.errors import Refused

TOOL_TYPES = {
    "function",
    "google_search",
    "url_context",
    "code_execution",
    "file_search",
    "google_maps",
    "computer_use",
    "mcp_server",
    "retrieval",
    "tool_search",
}
ECHOED_FIELDS = (
    "labels",
    "system_instruction",
    "tools",
    "generation_config",
    "response_format",
    "agent_config",
    "service_tier",
    "webhook_config",
    "environment",
)
"""Request fields that the resource repeats."""
SERVICE_TIERS = ("flex", "standard", "priority", "deferred")
THINKING_VALUES = {
    "thinking_level": ("minimal", "low", "medium", "high", "xhigh"),
    "thinking_summaries": ("auto", "none"),
}
MODALITIES = ("text", "image", "audio", "video")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


@dataclass
class Create:
    """A parsed create request. `input` is always steps; `echoed` has the fields that the resource repeats."""

    target: str
    is_agent: bool
    input: tuple[Step, ...]
    previous: str | None
    stream: bool
    store: bool
    background: bool
    echoed: dict[str, Any]
    response_schema: dict[str, Any] | None
    modalities: tuple[str, ...]
    """Types of content that the answer may have; empty means text."""
    generation_config: dict[str, Any]
    """Includes `image_config`, also when the request gave it in `response_format`."""
    continuation_token: str | None


class _Body(BaseModel):
    """Field types of the body; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    model: str | None = None
    agent: str | None = None
    input: Any = None
    previous_interaction_id: str | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    system_instruction: str | None = None
    tools: list[dict[str, Any]] | None = None
    generation_config: dict[str, Any] | None = None
    agent_config: dict[str, Any] | None = None
    response_format: dict[str, Any] | list[dict[str, Any]] | None = None
    response_modalities: list[str] | None = None
    cached_content: str | None = None
    service_tier: str | None = None
    labels: dict[str, str] | None = None
    safety_settings: list[dict[str, Any]] | None = None
    webhook_config: dict[str, Any] | None = None
    environment: str | dict[str, Any] | None = None
    continuation_token: str | None = None


def parse_create(raw: bytes) -> Create:
    """Parse the body of `POST /interactions`. Raises `Refused` (400) with the reason."""
    body = _parse_body(raw)
    _check_target(body)
    if body.labels:
        _check_labels(body.labels)
    if body.tools:
        _check_tools(body.tools)
    store = body.store is not False
    if body.background and not store:
        raise _bad_request("background=true needs store=true: an interaction that is not stored cannot be fetched")
    if body.service_tier not in (None, *SERVICE_TIERS):
        raise _bad_request(f"service_tier is one of {', '.join(SERVICE_TIERS)}, not {body.service_tier!r}")
    if body.webhook_config is not None:
        _check_webhooks(body.webhook_config)
    echoed = {key: value for key in ECHOED_FIELDS if (value := getattr(body, key)) is not None}
    previous = {"previous_interaction_id": body.previous_interaction_id} if body.previous_interaction_id else {}
    target = {"model": body.model} if body.model else {"agent": body.agent}
    return Create(
        target=body.model or body.agent or "",
        is_agent=bool(body.agent),
        input=() if body.input is None and body.continuation_token else input_steps(body.input),
        previous=body.previous_interaction_id,
        stream=bool(body.stream),
        store=store,
        background=bool(body.background),
        echoed=target | previous | echoed,
        response_schema=_response_schema(body.response_format),
        modalities=_modalities(body),
        generation_config=(body.generation_config or {}) | _image_config(body.response_format),
        continuation_token=body.continuation_token,
    )


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a body that is a JSON object. Raises `Refused` (400) with the reason."""
    try:
        body = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise _bad_request(f"the body is not valid JSON in UTF-8: {error}") from error
    if not isinstance(body, dict):
        raise _bad_request("the body must be a JSON object")
    return body


def _parse_body(raw: bytes) -> _Body:
    try:
        return _Body.model_validate(parse_object(raw))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise _bad_request(f"{field}: {first['msg']}") from error


def _check_target(body: _Body) -> None:
    """Check that the fields are allowed for the target, a model or an agent."""
    if bool(body.model) == bool(body.agent):
        raise _bad_request("give exactly one of model and agent")
    if body.model:
        if body.agent_config is not None:
            raise _bad_request("agent_config goes with agent; with a model use generation_config")
        for field, allowed in THINKING_VALUES.items() if body.generation_config else ():
            if (value := (body.generation_config or {}).get(field)) not in (None, *allowed):
                raise _bad_request(f"generation_config.{field} is one of {', '.join(allowed)}, not {value!r}")
        return
    for field in ("generation_config", "cached_content"):
        if getattr(body, field) is not None:
            raise _bad_request(f"{field} goes with model; with an agent use agent_config")
    if body.agent_config is not None and not isinstance(body.agent_config.get("type"), str):
        raise _bad_request('agent_config needs a type, such as "deep-research"')
    if (body.agent or "").startswith("deep-research"):
        _check_deep_research(body)


def _check_deep_research(body: _Body) -> None:
    name = body.agent
    if not body.background:
        raise _bad_request(f"agent {name} runs for minutes: send background=true and follow it by stream or by GET")
    if body.system_instruction is not None:
        raise _bad_request(f"agent {name} takes no system_instruction: put the instructions into input")
    if body.response_format is not None:
        raise _bad_request(
            f"agent {name} gives no structured output: ask for a format in input, without response_format"
        )
    functions = [str(tool.get("name")) for tool in body.tools or () if tool.get("type") == "function"]
    if functions:
        raise _bad_request(f"agent {name} takes no custom functions ({', '.join(functions)}): use a remote mcp_server")
    if body.agent_config is not None and body.agent_config["type"] != "deep-research":
        raise _bad_request(f'agent {name} needs agent_config.type "deep-research", not {body.agent_config["type"]!r}')


def _check_labels(labels: dict[str, str]) -> None:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise _bad_request(
                f"label {key!r}: {value!r} is not allowed: at most 63 lower-case letters, digits, _ and -; "
                "a key begins with a letter"
            )


def _check_tools(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        _check_tool(tool)
    names = [tool["name"] for tool in tools if tool["type"] == "function"]
    for name in names:
        if names.count(name) > 1:
            raise _bad_request(
                f"function {name!r} is declared {names.count(name)} times: give each tool a name of its own"
            )


def _check_tool(tool: dict[str, Any]) -> None:
    kind = tool.get("type")
    if kind not in TOOL_TYPES:
        raise _bad_request(f"tools: type {kind!r} is unknown; known are {', '.join(sorted(TOOL_TYPES))}")
    if kind == "function" and not (isinstance(tool.get("name"), str) and tool["name"]):
        raise _bad_request("tools: a function needs a name")
    if kind == "function" and not isinstance(tool.get("parameters", {}), dict):
        raise _bad_request(f"tools: parameters of function {tool['name']!r} must be a JSON schema (an object)")
    if kind == "mcp_server" and not isinstance(tool.get("url"), str):
        raise _bad_request("tools: an mcp_server needs a url")


def _check_webhooks(config: dict[str, Any]) -> None:
    uris = config.get("uris", [])
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise _bad_request('webhook_config.uris is a list of addresses, such as ["http://127.0.0.1:8080/hook"]')
    if not isinstance(config.get("user_metadata", {}), dict):
        raise _bad_request("webhook_config.user_metadata must be an object")


def _modalities(body: _Body) -> tuple[str, ...]:
    """The answer's types of content, from response_format or the older response_modalities."""
    if not body.response_format and not body.response_modalities:
        return ()
    formats = body.response_format if isinstance(body.response_format, list) else [body.response_format or {}]
    given = [item.get("type") for item in formats] if body.response_format else body.response_modalities or []
    if body.response_modalities is not None:
        for name in body.response_modalities:
            if name not in MODALITIES:
                raise _bad_request(f"response_modalities: {name!r} is unknown; known are {', '.join(MODALITIES)}")
    return tuple(kind for kind in given if kind in MODALITIES)


def _image_config(response_format: Any) -> dict[str, Any]:
    for item in response_format if isinstance(response_format, list) else [response_format]:
        if item and item.get("type") == "image":
            return {"image_config": item}
    return {}


def _response_schema(response_format: Any) -> dict[str, Any] | None:
    """Return the JSON schema in response_format: {"type": "text", "schema": ...}, a list of these, or a bare schema."""
    for item in response_format if isinstance(response_format, list) else [response_format]:
        if item is None or item.get("type") in ("image", "audio", "video"):
            continue
        if item.get("type") != "text":
            return dict(item)
        schema = item.get("schema")
        if schema is not None and not isinstance(schema, dict):
            raise _bad_request("response_format.schema must be a JSON schema (an object)")
        if schema is not None or item.get("mime_type") == "application/json":
            return schema or {}
    return None


def _bad_request(message: str) -> Refused:
    return Refused(400, message)
