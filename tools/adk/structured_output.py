"""Structured output over the Interactions API: builds the schema of an answer and validates the answer."""

from __future__ import annotations

from typing import Any

from google.adk.models import LlmRequest, LlmResponse
from google.genai import types
from pydantic import TypeAdapter, ValidationError

from tools.adk.contents import parts_of, text_of

MAX_ANSWERS = 2
"""How often a model is asked for an answer that matches the schema."""


def response_format(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Builds the `response_format` that requests JSON for a schema."""
    return [{"type": "text", "mime_type": "application/json", "schema": schema}]


def has_schema(config: types.GenerateContentConfig) -> bool:
    """Whether an output schema is set. Faster than `response_schema`, which builds the schema."""
    return bool(config.response_json_schema) or config.response_schema is not None


def response_schema(config: types.GenerateContentConfig) -> dict[str, Any] | None:
    """Returns the JSON schema that ADK set from an agent's `output_schema`; None if the agent has none."""
    if config.response_json_schema:
        return config.response_json_schema  # type: ignore[no-any-return]
    schema = config.response_schema
    if schema is None or isinstance(schema, dict):
        return schema
    if isinstance(schema, types.Schema):
        return schema.json_schema.model_dump(mode="json", exclude_none=True)
    kind: Any = schema
    return TypeAdapter(kind).json_schema()


def schema_problem(config: types.GenerateContentConfig, response: LlmResponse) -> str:
    """Returns what is wrong with a structured answer; empty if the answer is valid, an error or a function call."""
    if response.error_code or any(part.function_call for part in parts_of(response.content)):
        return ""
    schema: Any = config.response_schema
    kind = dict if schema is None or isinstance(schema, (dict, types.Schema)) else schema
    try:
        TypeAdapter(kind).validate_json(text_of(response.content))
    except ValidationError as error:
        return "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in error.errors(include_url=False)
        )
    return ""


def retry_request(request: LlmRequest, response: LlmResponse, problem: str) -> LlmRequest:
    """Builds the request that asks again after an invalid answer. Sends all contents if the answer has no chain."""
    text = f"That answer does not match the required schema ({problem}). Answer again, with the JSON only."
    question = types.Content(role="user", parts=[types.Part(text=text)])
    if response.interaction_id:
        values = {"previous_interaction_id": response.interaction_id, "contents": [question]}
    else:
        values = {"contents": [*request.contents, *([response.content] if response.content else []), question]}
    return request.model_copy(update=values)
