"""Parses the body of a create request, or refuses it with the reason.

Where the public documentation is unclear, this module follows its strictest interpretation, so that the real service
accepts any request that this server accepts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from interactions_emulator.brain.protocol import Step
from interactions_emulator.errors import Refused
from interactions_emulator.requests.create_body import parse_body, response_formats
from interactions_emulator.requests.create_rules import check_rules
from interactions_emulator.requests.input_steps import input_steps
from interactions_emulator.requests.vocabulary import MODALITIES

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
    warnings: tuple[str, ...] = ()
    """Warnings about parts that the real service might refuse; see `create_rules.py`."""


def parse_create(raw: bytes) -> Create:
    """Parse the body of `POST /interactions`. Raises `Refused` (400) with the reason."""
    body = parse_body(raw)
    # A misspelled input is an unknown parameter, see the rules.
    elsewhere = body.input is None and (body.continuation_token or body.model_extra)
    steps = () if elsewhere else input_steps(body.input)
    warnings = check_rules(body, steps)
    fields = vars(body)
    echoed = {key: value for key in ECHOED_FIELDS if (value := fields[key]) is not None}
    formats = response_formats(body)
    previous = {"previous_interaction_id": body.previous_interaction_id} if body.previous_interaction_id else {}
    target = {"model": body.model} if body.model else {"agent": body.agent}
    return Create(
        target=body.model or body.agent or "",
        is_agent=bool(body.agent),
        input=steps,
        previous=body.previous_interaction_id,
        stream=bool(body.stream),
        store=body.store is not False,
        background=bool(body.background),
        echoed=target | previous | echoed,
        response_schema=_response_schema(formats),
        modalities=_modalities(formats, body.response_modalities or ()),
        generation_config=(body.generation_config or {}) | _image_config(formats),
        continuation_token=body.continuation_token,
        warnings=warnings,
    )


def _modalities(formats: list[dict[str, Any]], older: Iterable[str]) -> tuple[str, ...]:
    """The answer's types of content, from response_format or the older response_modalities."""
    given = [item.get("type") for item in formats] if any(formats) else older
    return tuple([kind for kind in given if kind in MODALITIES])


def _image_config(formats: list[dict[str, Any]]) -> dict[str, Any]:
    for item in formats:
        if item.get("type") == "image":
            return {"image_config": item}
    return {}


def _response_schema(formats: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the JSON schema in response_format: {"type": "text", "schema": ...}, a list of these, or a bare schema."""
    for item in formats:
        if item.get("type") in ("image", "audio", "video"):
            continue
        if item.get("type") != "text":
            return dict(item)
        schema = item.get("schema")
        if schema is not None and not isinstance(schema, dict):
            raise Refused(400, "response_format.schema must be a JSON schema (an object)")
        if schema is not None or item.get("mime_type") == "application/json":
            return schema or {}
    return None
