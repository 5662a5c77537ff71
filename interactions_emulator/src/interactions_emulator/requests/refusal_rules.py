"""The rules that refuse a create request, in the order in which they are checked."""

from __future__ import annotations

import re
from functools import partial

from interactions_emulator.brain.protocol import Step
from interactions_emulator.requests.create_body import Body, response_formats
from interactions_emulator.requests.rule import Rule, add_rule, did_you_mean
from interactions_emulator.requests.values import (
    wrong_agent_config,
    wrong_function_name,
    wrong_generation_config,
    wrong_parameters,
    wrong_response_format,
)
from interactions_emulator.requests.vocabulary import (
    AGENTS,
    GENERATION_CONFIG_FIELDS,
    MODALITIES,
    PENALTIES,
    SERVICE_TIERS,
    TOOL_FIELDS,
)

REFERENCE = "API reference"
SDK = "the SDKs refuse it themselves"
STRICT = "strictest reading of the API reference"
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")

RULES: list[Rule] = []
_refuse = partial(add_rule, RULES, "refuse")


@_refuse(SDK)
def _target(body: Body, steps: tuple[Step, ...]) -> str | None:
    """exactly one of `model` and `agent`"""
    return "give exactly one of model and agent" if bool(body.model) == bool(body.agent) else None


@_refuse("API errors page: 404 model_not_found", "model")
def _agent_as_model(body: Body, steps: tuple[Step, ...]) -> str | None:
    """the name of a known agent is not sent as `model`"""
    return f"{body.model} is an agent: send it as agent instead of model" if body.model in AGENTS else None


@_refuse(
    "live: presence_penalty is 400, an unknown parameter (vercel/ai#17937, July 2026)",
    code="parameter_unknown",
)
def _unknown_parameter(body: Body, steps: tuple[Step, ...]) -> str | None:
    """no unknown field in the request or in `generation_config`; no penalties there; `top_k` is accepted"""
    if body.model_extra:
        name = next(iter(body.model_extra))
        return f"unknown parameter {name!r}: remove it{did_you_mean(name, type(body).model_fields)}"
    config = body.generation_config or {}
    for name in config.keys() - GENERATION_CONFIG_FIELDS:
        if name in PENALTIES:
            return f"unknown parameter 'generation_config.{name}': the Interactions API has no penalties, remove it"
        return f"unknown parameter 'generation_config.{name}': remove it{did_you_mean(name, GENERATION_CONFIG_FIELDS)}"
    return None


@_refuse(SDK, "agent_config", "generation_config", "cached_content")
def _fields_of_target(body: Body, steps: tuple[Step, ...]) -> str | None:
    """`agent_config` only with an agent; `generation_config` and `cached_content` only with a model"""
    if body.model and body.agent_config is not None:
        return "agent_config goes with agent; with a model use generation_config"
    for field in ("generation_config", "cached_content"):
        if body.agent and getattr(body, field) is not None:
            return f"{field} goes with model; with an agent use agent_config"
    if body.agent_config is not None and not isinstance(body.agent_config.get("type"), str):
        return 'agent_config needs a type, such as "deep-research"'
    return None


@_refuse(REFERENCE, "generation_config", "agent_config", "response_format", "service_tier", "response_modalities")
def _values(body: Body, steps: tuple[Step, ...]) -> str | None:
    """only known values, and numbers within their limits; `temperature` is 0 to 2, and `top_p` 0 to 1"""
    if wrong := wrong_generation_config(body.generation_config or {}):
        return wrong
    if body.agent_config and (wrong := wrong_agent_config(body.agent_config)):
        return wrong
    for item in response_formats(body):
        if wrong := wrong_response_format(item):
            return wrong
    if body.service_tier not in (None, *SERVICE_TIERS):
        return f"service_tier is one of {', '.join(SERVICE_TIERS)}, not {body.service_tier!r}"
    for name in body.response_modalities or ():
        if name not in MODALITIES:
            return f"response_modalities: {name!r} is unknown; known are {', '.join(MODALITIES)}"
    return None


@_refuse(REFERENCE, "background")
def _background_without_store(body: Body, steps: tuple[Step, ...]) -> str | None:
    """`background=true` only with `store=true`"""
    if body.background and body.store is False:
        return "background=true needs store=true: an interaction that is not stored cannot be fetched"
    return None


@_refuse("reference and field notes (big-AGI)", "agent")
def _deep_research(body: Body, steps: tuple[Step, ...]) -> str | None:
    """Deep Research: in the background, without `system_instruction`, `response_format` and custom functions"""
    name = body.agent
    if not name or not name.startswith("deep-research"):
        return None
    if not body.background:
        return f"agent {name} runs for minutes: send background=true and follow it by stream or by GET"
    if body.system_instruction is not None:
        return f"agent {name} takes no system_instruction: put the instructions into input"
    if body.response_format is not None:
        return f"agent {name} gives no structured output: ask for a format in input, without response_format"
    functions = [str(tool.get("name")) for tool in body.tools or () if tool.get("type") == "function"]
    if functions:
        return f"agent {name} takes no custom functions ({', '.join(functions)}): use a remote mcp_server"
    if body.agent_config is not None and body.agent_config["type"] != "deep-research":
        return f'agent {name} needs agent_config.type "deep-research", not {body.agent_config["type"]!r}'
    return None


@_refuse(REFERENCE, "labels")
def _labels(body: Body, steps: tuple[Step, ...]) -> str | None:
    """labels: at most 63 lower-case letters, digits, `_` and `-`; a key begins with a letter"""
    for key, value in (body.labels or {}).items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            return (
                f"label {key!r}: {value!r} is not allowed: at most 63 lower-case letters, digits, _ and -; "
                "a key begins with a letter"
            )
    return None


@_refuse("API errors page: \"The value '…' is not supported for 'type' at 'tools[0]'\"", "tools")
def _tool_types(body: Body, steps: tuple[Step, ...]) -> str | None:
    """only known types of tools"""
    for position, tool in enumerate(body.tools or ()):
        kind = tool.get("type")
        if not isinstance(kind, str) or kind not in TOOL_FIELDS:
            return f"tools[{position}]: type {kind!r} is unknown; known are {', '.join(sorted(TOOL_FIELDS))}"
    return None


@_refuse(STRICT, "tools")
def _tools(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a function has a name of its own and the schema of an object; an `mcp_server` has a url"""
    names: list[str] = []
    for tool in body.tools or ():
        name = tool.get("name")
        if tool["type"] == "mcp_server" and not isinstance(tool.get("url"), str):
            return "tools: an mcp_server needs a url"
        if tool["type"] != "function":
            continue
        if not (isinstance(name, str) and name):
            return "tools: a function needs a name"
        if wrong := wrong_parameters(name, tool.get("parameters", {})):
            return wrong
        names.append(name)
    for name in names if len(set(names)) < len(names) else ():
        if names.count(name) > 1:
            return f"function {name!r} is declared {names.count(name)} times: give each tool a name of its own"
    return None


@_refuse("live, in generateContent: Invalid function name (lbjlaq/Antigravity-Manager#1440, February 2026)", "tools")
def _function_names(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a function's name has at most 64 letters, digits and characters of `_.:-`, and begins with a letter or `_`"""
    names = (tool["name"] for tool in body.tools or () if tool["type"] == "function")
    return next(filter(None, map(wrong_function_name, names)), None)


@_refuse(STRICT, "generation_config")
def _allowed_tools(body: Body, steps: tuple[Step, ...]) -> str | None:
    """`tool_choice.allowed_tools` names only declared functions, or tools of an `mcp_server`"""
    choice = (body.generation_config or {}).get("tool_choice")
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    named = allowed.get("tools") if isinstance(allowed, dict) else None
    if not isinstance(named, list) or any(tool["type"] in ("mcp_server", "tool_search") for tool in body.tools or ()):
        return None
    declared = [tool["name"] for tool in body.tools or () if tool["type"] == "function"]
    unknown = [name for name in named if name not in declared]
    if not unknown or not declared:  # without any function, the next rule says so
        return None
    return f"tool_choice.allowed_tools: {unknown[0]!r} is not declared in tools; declared are {', '.join(declared)}"


@_refuse(
    'live: "Function calling config is set without function_declarations" (source of @ai-sdk/google)',
    "generation_config",
)
def _tool_choice_without_functions(body: Body, steps: tuple[Step, ...]) -> str | None:
    """`tool_choice` only with a tool that the model can choose: a function, an `mcp_server`, or `tool_search`"""
    if not body.generation_config or body.generation_config.get("tool_choice") in (None, "none"):
        return None
    if any(tool["type"] in ("function", "mcp_server", "tool_search") for tool in body.tools or ()):
        return None
    return (
        "generation_config.tool_choice is set, but no function is declared in tools: declare one, or remove tool_choice"
    )


@_refuse(REFERENCE, "webhook_config")
def _webhooks(body: Body, steps: tuple[Step, ...]) -> str | None:
    """`webhook_config`: a list of addresses, and metadata that is an object"""
    config = body.webhook_config or {}
    uris = config.get("uris", [])
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        return 'webhook_config.uris is a list of addresses, such as ["http://127.0.0.1:8080/hook"]'
    if not isinstance(config.get("user_metadata", {}), dict):
        return "webhook_config.user_metadata must be an object"
    return None


@_refuse(
    "live: a function_result with call_id and result only is 400 (robocurve/inspect-robots#380, August 2026)",
    "input",
)
def _result_without_name(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a `function_result` has the `name` of its function"""
    for step in steps:
        if step["type"] == "function_result" and not step.get("name"):
            return f"function_result for call_id {step['call_id']!r} has no name: send the name of the function with it"
    return None


@_refuse("live: an empty text block is 400 (reported in 2026)", "input")
def _empty_text(body: Body, steps: tuple[Step, ...]) -> str | None:
    """no empty text in the content of a step"""
    for step in steps:
        for content in step.get("content") or ():
            if content["type"] == "text" and not content["text"]:
                return f"a {step['type']} has an empty text: leave the text out"
    return None
