"""The rules that only warn about what the real service might refuse."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from interactions_emulator.brain.protocol import Step
from interactions_emulator.requests.create_body import Body, response_formats
from interactions_emulator.requests.input_steps import results_in_user_input
from interactions_emulator.requests.rule import Rule, add_rule, did_you_mean
from interactions_emulator.requests.values import undefined_required
from interactions_emulator.requests.vocabulary import (
    AGENT_CONFIG_FIELDS,
    CONTENT_FIELDS,
    ENVIRONMENT_FIELDS,
    MODELS,
    OPTIONAL_STEP_FIELDS,
    RESPONSE_FORMAT_FIELDS,
    STEP_FIELDS,
    TOOL_FIELDS,
    WEBHOOK_CONFIG_FIELDS,
)

RULES: list[Rule] = []
_warn = partial(add_rule, RULES, "warn")


@_warn("reported in March 2026, before the present format; not repeated since", "tools")
def _empty_required(body: Body, steps: tuple[Step, ...]) -> str | None:
    """no `required: []` in the schema of a function"""
    for tool in body.tools or ():
        if tool["type"] == "function" and _has_empty_required(tool.get("parameters")):
            name = tool["name"]
            return (
                f'the schema of function {name!r} has "required": [], which the real service may refuse: leave it out'
            )
    return None


@_warn("live, in generateContent: property is not defined (iBUHub/AIStudioToAPI#154, May 2026)", "tools")
def _undefined_required(body: Body, steps: tuple[Step, ...]) -> str | None:
    """the schema of a function defines the properties that it requires"""
    for tool in body.tools or ():
        if tool["type"] == "function" and (key := undefined_required(tool.get("parameters"))):
            return f"function {tool['name']!r} requires {key!r}, which its schema does not define: define it"
    return None


@_warn(
    "reported in March 2026, before the present format; now the thought before a call has the signature",
    "input",
)
def _call_without_signature(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a `function_call` that is sent back has its thought signature, or a signed `thought` before it"""
    signed = False
    for step in steps:
        if step["type"] == "user_input":
            signed = False
        signed = signed or bool(step.get("signature"))
        if step["type"] == "function_call" and not signed:
            return (
                "a function_call was sent back without a thought signature, which the real service may refuse: "
                "send all steps of an answer back as they came, thoughts too"
            )
    return None


@_warn("the AI SDK sends this form; it was not tried on the real service", "input")
def _result_in_user_input(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a `function_result` in the content of a `user_input` is read as a `function_result` step"""
    items = body.input if isinstance(body.input, list) else ()
    if not any(results_in_user_input(item) for item in items):
        return None
    return "a function_result inside a user_input was taken as a step; whether the real service takes it is not known"


@_warn("API errors page: 404 model_not_found; the emulator cannot know the models of tomorrow", "model")
def _unknown_model(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a model that the SDKs name"""
    name = (body.model or "").removeprefix("models/")
    if not name or name in MODELS:
        return None
    similar = did_you_mean(name, MODELS)
    return f"model {name!r} is not one that the SDKs name; the real service answers 404 if there is none{similar}"


@_warn(
    "API errors page: 400 parameter_unknown; whether it looks this deep is not known",
    *("tools", "input", "response_format", "agent_config", "environment", "webhook_config"),
)
def _unknown_field(body: Body, steps: tuple[Step, ...]) -> str | None:
    """no unknown field inside tools, steps, contents and configurations"""
    for where, given, known in _described_objects(body, steps):
        if not given.keys() <= known and (unknown := given.keys() - known - {"type"}):
            name, kind = min(unknown), f" ({given['type']})" if "type" in given else ""
            return (
                f"unknown field {name!r} in {where}{kind}, which the real service may refuse{did_you_mean(name, known)}"
            )
    return None


_STEP_FIELDS = {kind: STEP_FIELDS[kind].keys() | optional for kind, optional in OPTIONAL_STEP_FIELDS.items()}


def _described_objects(body: Body, steps: tuple[Step, ...]) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Yield the objects of a request whose fields are known: where each is, the object, and the fields."""
    for tool in body.tools or ():
        yield "tools", tool, TOOL_FIELDS[tool["type"]]
    for step in () if isinstance(body.input, str) else steps:
        yield "input", step, _STEP_FIELDS[step["type"]]
        for content in step.get("content") or ():
            yield "content", content, CONTENT_FIELDS[content["type"]]
    for item in response_formats(body):
        kind = item.get("type")
        if isinstance(kind, str) and kind in RESPONSE_FORMAT_FIELDS:  # else it is a bare JSON schema
            yield "response_format", item, RESPONSE_FORMAT_FIELDS[kind]
    if body.agent_config and body.agent_config["type"] in AGENT_CONFIG_FIELDS:
        yield "agent_config", body.agent_config, AGENT_CONFIG_FIELDS[body.agent_config["type"]]
    if isinstance(body.environment, dict):
        yield "environment", body.environment, ENVIRONMENT_FIELDS
    if body.webhook_config:
        yield "webhook_config", body.webhook_config, WEBHOOK_CONFIG_FIELDS


def _has_empty_required(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_has_empty_required, schema))
    if not isinstance(schema, dict):
        return False
    return schema.get("required") == [] or any(map(_has_empty_required, schema.values()))
