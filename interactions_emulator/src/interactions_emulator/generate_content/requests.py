"""Converts the body of a generateContent request to a create request of an interaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from interactions_emulator.brain.protocol import Turn
from interactions_emulator.errors import Refused
from interactions_emulator.generate_content.contents import steps_of
from interactions_emulator.generate_content.schemas import json_schema
from interactions_emulator.requests.create import Create, parse_create
from interactions_emulator.requests.fields import camel, field, object_field, objects

SIMPLE_TOOLS = {
    "googleSearch": "google_search",
    "googleSearchRetrieval": "google_search",
    "codeExecution": "code_execution",
    "urlContext": "url_context",
    "googleMaps": "google_maps",
    "computerUse": "computer_use",
    "enterpriseWebSearch": "google_search",
}
"""Maps tools to the types that interactions have for them."""
CALLING_MODES = {"AUTO": "auto", "ANY": "any", "NONE": "none", "VALIDATED": "validated"}
CONFIG_FIELDS = {
    "maxOutputTokens": "max_output_tokens",
    "stopSequences": "stop_sequences",
    "seed": "seed",
    "temperature": "temperature",
    "topP": "top_p",
    "imageConfig": "image_config",
}
SEARCH_FIELDS = ("file_search_store_names", "top_k", "metadata_filter")
ENUM_TYPE = "text/x.enum"
JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Generate:
    """A parsed request. `create` is the same request for an interaction that is not stored."""

    create: Create
    thoughts: bool
    """Whether the answer has the thoughts."""
    bare_enum: bool
    """Whether the answer is one value of a schema with `enum`, without quotation marks."""


def parse_generate(model: str, body: dict[str, Any]) -> Generate:
    """Parse a request. Raises `Refused` (400) with the reason."""
    config = object_field(body, "generationConfig")
    thinking = object_field(config, "thinkingConfig", "generationConfig.")
    if field(config, "candidateCount", 1) != 1:
        raise Refused(400, "generationConfig.candidateCount: the emulator gives one candidate: leave it out")
    mime_type = field(config, "responseMimeType", "text/plain")
    created: dict[str, Any] = {
        "model": model,
        "input": steps_of(objects(body, "contents")),
        "store": False,
        "generation_config": _generation_config(config, thinking) | _tool_choice(body),
        "tools": [converted for tool in objects(body, "tools") for converted in _tools(tool)] or None,
        "system_instruction": _system_instruction(body) or None,
        "response_format": _response_format(config, mime_type),
        "response_modalities": _modalities(config),
        "continuation_token": field(body, "continuationToken"),
    }
    create = parse_create(to_json({key: value for key, value in created.items() if value is not None}))
    return Generate(create, field(thinking, "includeThoughts", False) is True, mime_type == ENUM_TYPE)


def counted_turn(model: str, body: dict[str, Any]) -> Turn:
    """Parse a `countTokens` request; return the turn whose tokens are counted. Raises `Refused` (400)."""
    create = parse_generate(model, object_field(body, "generateContentRequest") or body).create
    tools, instruction = tuple(create.echoed.get("tools", ())), create.echoed.get("system_instruction", "")
    return Turn(model, False, create.input, len(create.input), tools, instruction)


def _system_instruction(body: dict[str, Any]) -> str:
    parts = objects(object_field(body, "systemInstruction"), "parts", "systemInstruction.")
    return "\n".join(text for part in parts if isinstance(text := field(part, "text"), str) and text)


def _generation_config(config: dict[str, Any], thinking: dict[str, Any]) -> dict[str, Any]:
    converted = {ours: value for name, ours in CONFIG_FIELDS.items() if (value := field(config, name)) is not None}
    if level := field(thinking, "thinkingLevel"):
        converted["thinking_level"] = str(level).lower()
    if field(thinking, "includeThoughts") is True:
        converted["thinking_summaries"] = "auto"
    return converted


def _tool_choice(body: dict[str, Any]) -> dict[str, Any]:
    calling = object_field(object_field(body, "toolConfig"), "functionCallingConfig", "toolConfig.")
    mode = field(calling, "mode", "AUTO")
    if mode == "MODE_UNSPECIFIED":
        mode = "AUTO"
    if not isinstance(mode, str) or mode not in CALLING_MODES:
        known = ", ".join(CALLING_MODES)
        raise Refused(400, f"toolConfig.functionCallingConfig.mode is one of {known}, not {mode!r}")
    choice: Any = CALLING_MODES[mode]
    if names := field(calling, "allowedFunctionNames"):
        choice = {"allowed_tools": {"mode": choice, "tools": names}}
    return {"tool_choice": choice} if calling else {}


def _tools(tool: dict[str, Any]) -> list[dict[str, Any]]:
    """The tools of one entry of `tools`, which has a field for each kind."""
    converted: list[dict[str, Any]] = []
    for given in tool:
        name = camel(given)
        if name == "functionDeclarations":
            converted += [_function(one) for one in objects(tool, name, "tools.")]
        elif name == "fileSearch":
            search = object_field(tool, name, "tools.")
            fields = {name: value for name in SEARCH_FIELDS if (value := field(search, camel(name))) is not None}
            converted.append({"type": "file_search"} | fields)
        elif name in SIMPLE_TOOLS:
            converted.append({"type": SIMPLE_TOOLS[name]})
        else:
            known = ", ".join(("functionDeclarations", "fileSearch", *SIMPLE_TOOLS))
            raise Refused(400, f"tools: {given!r} is unknown; known are {known}")
    return converted


def _function(declaration: dict[str, Any]) -> dict[str, Any]:
    function: dict[str, Any] = {"type": "function", "name": field(declaration, "name", "")}
    if description := field(declaration, "description"):
        function["description"] = description
    if (schema := field(declaration, "parametersJsonSchema")) is not None:
        function["parameters"] = schema
    elif (schema := field(declaration, "parameters")) is not None:
        function["parameters"] = json_schema(schema)
    return function


def _response_format(config: dict[str, Any], mime_type: str) -> dict[str, Any] | None:
    if mime_type not in (JSON_TYPE, ENUM_TYPE):
        return None
    schema = field(config, "responseJsonSchema", field(config, "_responseJsonSchema"))
    if schema is None and (given := field(config, "responseSchema")) is not None:
        schema = json_schema(given)
    text = {"type": "text", "mime_type": JSON_TYPE}
    return text if schema is None else text | {"schema": schema}


def _modalities(config: dict[str, Any]) -> list[str] | None:
    given = field(config, "responseModalities")
    return [str(one).lower() for one in given] if isinstance(given, list) and given else None
