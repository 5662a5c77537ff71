"""The rules for create requests beyond the types of fields, each with its source.

A rule refuses a request, or only warns: in the server's log, and in the request's entry of the request log. A report of
the real service is a reason to refuse if it is recent and somebody ran it; an old or doubtful one is a reason to warn.
`docs/strictness.md` lists all rules.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from interactions_emulator.brain.protocol import Step
from interactions_emulator.errors import Refused
from interactions_emulator.requests.body import Body
from interactions_emulator.requests.steps import (
    CONTENT_FIELDS,
    OPTIONAL_STEP_FIELDS,
    STEP_FIELDS,
    results_in_user_input,
)
from interactions_emulator.requests.vocabulary import (
    AGENT_CONFIG_FIELDS,
    ENVIRONMENT_FIELDS,
    GENERATION_CONFIG_FIELDS,
    MODALITIES,
    MODELS,
    PENALTIES,
    RESPONSE_FORMAT_FIELDS,
    SERVICE_TIERS,
    THINKING_VALUES,
    TOOL_CHOICES,
    TOOL_FIELDS,
    WEBHOOK_CONFIG_FIELDS,
)

logger = logging.getLogger(__name__)

REFERENCE = "API reference"
SDK = "the SDKs refuse it themselves"
STRICT = "strictest reading of the API reference"
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


Check = Callable[["Body", tuple[Step, ...]], str | None]
"""Returns what is wrong with a request and what to do instead; None if the request is right."""
Verdict = Literal["refuse", "warn"]


class Rule(NamedTuple):
    """A rule for requests."""

    name: str
    verdict: Verdict
    source: str
    fields: frozenset[str]
    """The request fields that the rule is about; a request without them is not checked. Empty: every request is.

    An `input` that is a string does not count: the rules about `input` are about its steps.
    """
    check: Check
    code: str = ""
    """The code of the error, if it is not `invalid_request`."""

    @property
    def summary(self) -> str:
        """The condition on a request that is accepted."""
        return self.check.__doc__ or ""


RULES: list[Rule] = []
"""In the order in which they are checked: the first that refuses a request decides."""


def _rule(verdict: Verdict, source: str, *fields: str, code: str = "") -> Callable[[Check], Check]:
    """Add a function to the rules. Its docstring says what a request must do to be accepted."""

    def add(check: Check) -> Check:
        RULES.append(Rule(check.__name__.lstrip("_"), verdict, source, frozenset(fields), check, code))
        return check

    return add


def check_rules(body: Body, steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Check a request with the steps of its input. Return its warnings. Raises `Refused` (400) with the reason."""
    warnings: tuple[str, ...] = ()
    for rule in _rules_about(frozenset(body.model_fields_set), isinstance(body.input, str)):
        wrong = rule.check(body, steps)
        if wrong is None:
            continue
        if rule.verdict == "refuse":
            raise Refused(400, wrong, rule.code)
        warnings += (wrong,)
        _warn(f"{wrong} (source: {rule.source})")
    return warnings


@lru_cache(1_000)
def _rules_about(given: frozenset[str], input_is_text: bool) -> list[Rule]:
    """Return the rules for a request that has these fields."""
    described = given - {"input"} if input_is_text else given
    return [rule for rule in RULES if not rule.fields or rule.fields & described]


@lru_cache(1_000)
def _warn(message: str) -> None:
    """Log a warning, once per process."""
    logger.warning(message)


@_rule("refuse", SDK)
def _target(body: Body, steps: tuple[Step, ...]) -> str | None:
    """exactly one of `model` and `agent`"""
    return "give exactly one of model and agent" if bool(body.model) == bool(body.agent) else None


@_rule(
    "refuse",
    "live: presence_penalty is 400, an unknown parameter (vercel/ai#17937, July 2026)",
    code="parameter_unknown",
)
def _unknown_parameter(body: Body, steps: tuple[Step, ...]) -> str | None:
    """no unknown field in the request or in `generation_config`; no penalties there; `top_k` is accepted"""
    if body.model_extra:
        name = next(iter(body.model_extra))
        return f"unknown parameter {name!r}: remove it{_similar(name, type(body).model_fields)}"
    config = body.generation_config or {}
    for name in config.keys() - GENERATION_CONFIG_FIELDS:
        if name in PENALTIES:
            return f"unknown parameter 'generation_config.{name}': the Interactions API has no penalties, remove it"
        return f"unknown parameter 'generation_config.{name}': remove it{_similar(name, GENERATION_CONFIG_FIELDS)}"
    return None


@_rule("refuse", SDK, "agent_config", "generation_config", "cached_content")
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


@_rule("refuse", REFERENCE, "generation_config", "service_tier", "response_modalities")
def _values(body: Body, steps: tuple[Step, ...]) -> str | None:
    """only known values of `thinking_level`, `thinking_summaries`, `tool_choice`, `service_tier`, modalities"""
    config = body.generation_config or {}
    for field, allowed in THINKING_VALUES.items() if config else ():
        if (value := config.get(field)) not in (None, *allowed):
            return f"generation_config.{field} is one of {', '.join(allowed)}, not {value!r}"
    choice = config.get("tool_choice")
    if isinstance(choice, str) and choice not in TOOL_CHOICES:
        return f"generation_config.tool_choice is one of {', '.join(TOOL_CHOICES)}, not {choice!r}"
    if body.service_tier not in (None, *SERVICE_TIERS):
        return f"service_tier is one of {', '.join(SERVICE_TIERS)}, not {body.service_tier!r}"
    for name in body.response_modalities or ():
        if name not in MODALITIES:
            return f"response_modalities: {name!r} is unknown; known are {', '.join(MODALITIES)}"
    return None


@_rule("refuse", REFERENCE, "background")
def _background_without_store(body: Body, steps: tuple[Step, ...]) -> str | None:
    """`background=true` only with `store=true`"""
    if body.background and body.store is False:
        return "background=true needs store=true: an interaction that is not stored cannot be fetched"
    return None


@_rule("refuse", "reference and field notes (big-AGI)", "agent")
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


@_rule("refuse", REFERENCE, "labels")
def _labels(body: Body, steps: tuple[Step, ...]) -> str | None:
    """labels: at most 63 lower-case letters, digits, `_` and `-`; a key begins with a letter"""
    for key, value in (body.labels or {}).items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            return (
                f"label {key!r}: {value!r} is not allowed: at most 63 lower-case letters, digits, _ and -; "
                "a key begins with a letter"
            )
    return None


@_rule("refuse", "API errors page: \"The value '…' is not supported for 'type' at 'tools[0]'\"", "tools")
def _tool_types(body: Body, steps: tuple[Step, ...]) -> str | None:
    """only known types of tools"""
    for position, tool in enumerate(body.tools or ()):
        kind = tool.get("type")
        if not isinstance(kind, str) or kind not in TOOL_FIELDS:
            return f"tools[{position}]: type {kind!r} is unknown; known are {', '.join(sorted(TOOL_FIELDS))}"
    return None


@_rule("refuse", STRICT, "tools")
def _tools(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a function has a name of its own and a schema that is an object; an `mcp_server` has a url"""
    names: list[str] = []
    for tool in body.tools or ():
        name = tool.get("name")
        if tool["type"] == "mcp_server" and not isinstance(tool.get("url"), str):
            return "tools: an mcp_server needs a url"
        if tool["type"] != "function":
            continue
        if not (isinstance(name, str) and name):
            return "tools: a function needs a name"
        if not isinstance(tool.get("parameters", {}), dict):
            return f"tools: parameters of function {name!r} must be a JSON schema (an object)"
        names.append(name)
    for name in names if len(set(names)) < len(names) else ():
        if names.count(name) > 1:
            return f"function {name!r} is declared {names.count(name)} times: give each tool a name of its own"
    return None


@_rule(
    "refuse",
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


@_rule("refuse", REFERENCE, "webhook_config")
def _webhooks(body: Body, steps: tuple[Step, ...]) -> str | None:
    """`webhook_config`: a list of addresses, and metadata that is an object"""
    config = body.webhook_config or {}
    uris = config.get("uris", [])
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        return 'webhook_config.uris is a list of addresses, such as ["http://127.0.0.1:8080/hook"]'
    if not isinstance(config.get("user_metadata", {}), dict):
        return "webhook_config.user_metadata must be an object"
    return None


@_rule(
    "refuse",
    "live: a function_result with call_id and result only is 400 (robocurve/inspect-robots#380, August 2026)",
    "input",
)
def _result_without_name(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a `function_result` has the `name` of its function"""
    for step in steps:
        if step["type"] == "function_result" and not step.get("name"):
            return f"function_result for call_id {step['call_id']!r} has no name: send the name of the function with it"
    return None


@_rule("refuse", "live: an empty text block is 400 (reported in 2026)", "input")
def _empty_text(body: Body, steps: tuple[Step, ...]) -> str | None:
    """no empty text in the content of a step"""
    for step in steps:
        for content in step.get("content") or ():
            if content["type"] == "text" and not content["text"]:
                return f"a {step['type']} has an empty text: leave the text out"
    return None


@_rule("warn", "reported in March 2026, before the present format; not repeated since", "tools")
def _empty_required(body: Body, steps: tuple[Step, ...]) -> str | None:
    """no `required: []` in the schema of a function"""
    for tool in body.tools or ():
        if tool["type"] == "function" and _has_empty_required(tool.get("parameters")):
            name = tool["name"]
            return (
                f'the schema of function {name!r} has "required": [], which the real service may refuse: leave it out'
            )
    return None


@_rule(
    "warn",
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


@_rule("warn", "the AI SDK sends it so; nobody could ask the real service yet", "input")
def _result_in_user_input(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a `function_result` in the content of a `user_input` is read as a `function_result` step"""
    items = body.input if isinstance(body.input, list) else ()
    if not any(results_in_user_input(item) for item in items):
        return None
    return "a function_result inside a user_input was taken as a step; whether the real service takes it is not known"


@_rule("warn", "API errors page: 404 model_not_found; the emulator cannot know the models of tomorrow", "model")
def _unknown_model(body: Body, steps: tuple[Step, ...]) -> str | None:
    """a model that the SDKs name"""
    name = (body.model or "").removeprefix("models/")
    if not name or name in MODELS:
        return None
    similar = _similar(name, MODELS)
    return f"model {name!r} is not one that the SDKs name; the real service answers 404 if there is none{similar}"


@_rule(
    "warn",
    "API errors page: 400 parameter_unknown; whether it looks this deep is not known",
    *("tools", "input", "response_format", "agent_config", "environment", "webhook_config"),
)
def _unknown_field(body: Body, steps: tuple[Step, ...]) -> str | None:
    """no unknown field inside tools, steps, contents and configurations"""
    for where, given, known in _described_objects(body, steps):
        if not given.keys() <= known and (unknown := given.keys() - known - {"type"}):
            name, kind = min(unknown), f" ({given['type']})" if "type" in given else ""
            return f"unknown field {name!r} in {where}{kind}, which the real service may refuse{_similar(name, known)}"
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
    for item in body.response_format if isinstance(body.response_format, list) else [body.response_format or {}]:
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


def _similar(name: str, known: Iterable[str]) -> str:
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    close = get_close_matches(snake, known, 1, 0.8)
    return f"; did you mean {close[0]!r}?" if close else ""
