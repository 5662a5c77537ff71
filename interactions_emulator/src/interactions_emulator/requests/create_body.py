"""The body of a create request: its fields and their types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from interactions_emulator.errors import Refused
from interactions_emulator.requests.fields import parse_object


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


def response_formats(body: Body) -> list[dict[str, Any]]:
    """The entries of response_format, which may be one object or a list."""
    return [body.response_format] if isinstance(body.response_format, dict) else body.response_format or []


def parse_body(raw: bytes) -> Body:
    """Parse the body of `POST /interactions`. Raises `Refused` (400) with the field and the reason."""
    try:
        return Body.model_validate(parse_object(raw))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Refused(400, f"{field}: {first['msg']}") from error
