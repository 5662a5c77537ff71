"""The body of a create request: its fields and their types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from interactions_emulator.errors import Refused


class Body(BaseModel):
    """The fields of the body with their types. Unknown fields are in `model_extra`."""

    model_config = ConfigDict(strict=True, extra="allow")

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
    response_mime_type: str | None = None
    response_modalities: list[str] | None = None
    cached_content: str | None = None
    service_tier: str | None = None
    labels: dict[str, str] | None = None
    safety_settings: list[dict[str, Any]] | None = None
    webhook_config: dict[str, Any] | None = None
    environment: str | dict[str, Any] | None = None
    continuation_token: str | None = None


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a body that is a JSON object. Raises `Refused` (400) with the reason."""
    try:
        body = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Refused(400, f"the body is not valid JSON in UTF-8: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "the body must be a JSON object")
    return body


def parse_body(raw: bytes) -> Body:
    """Parse the body of `POST /interactions`. Raises `Refused` (400) with the field and the reason."""
    try:
        return Body.model_validate(parse_object(raw))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Refused(400, f"{field}: {first['msg']}") from error
