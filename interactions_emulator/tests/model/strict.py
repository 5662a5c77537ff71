"""Strict validity of chat completion requests: what real servers and chat templates refuse is refused."""

from __future__ import annotations

import json
from typing import Any

FIELDS = {
    "model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format", "max_tokens",
    "temperature", "top_p", "seed", "stop", "reasoning_effort",
}  # fmt: skip
MESSAGE_FIELDS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls"},
    "tool": {"role", "content", "tool_call_id"},
}
FOLLOWS = {
    "": {"system", "user"},
    "system": {"user"},
    "user": {"assistant"},
    "assistant": {"user", "tool"},
    "tool": {"tool", "assistant", "user"},
}
"""Maps the role of a message to the roles of the next one."""


class Violation(Exception):
    """The request is not valid."""

    status = 400


class NullContent(Violation):
    """Templates that concatenate the content fail on null."""

    status = 500


def check_request(body: dict[str, Any]) -> None:
    """Raise `Violation` unless this is a valid request with known fields only."""
    _known(body, FIELDS, "the request")
    if body.get("stream_options") != ({"include_usage": True} if body["stream"] else None):
        raise Violation("stream and stream_options are wrong")
    _check_tools(body)
    _check_format(body.get("response_format", {"type": "text"}))
    if body.get("reasoning_effort", "low") not in ("minimal", "low", "medium", "high"):
        raise Violation("reasoning_effort is unknown")
    last, pending = "", list[str]()
    for message in body["messages"]:
        role = message["role"]
        if role not in FOLLOWS[last]:
            raise Violation(f"a message of {role} follows one of {last or 'nobody'}")
        _known(message, MESSAGE_FIELDS[role], f"a message of {role}")
        _check_content(message, role)
        if role == "tool":
            if not pending or message["tool_call_id"] != pending.pop(0):
                raise Violation(f"a result of {message['tool_call_id']!r} does not follow its call")
        elif pending:
            raise Violation(f"results are missing: {pending}")
        pending = [_call_id(call) for call in message.get("tool_calls", ())] or pending
        last = role
    if pending or last not in ("user", "tool"):
        raise Violation(f"the last message is of {last}; results missing: {pending}")


def _check_content(message: dict[str, Any], role: str) -> None:
    content = message["content"]
    if content is None:
        raise NullContent("can only concatenate str (not NoneType) to str")
    if isinstance(content, list) and role == "user":
        for part in content:
            _known(part, {"type", "text"} if part["type"] == "text" else {"type", "image_url"}, "a part")
            if part["type"] == "image_url" and not part["image_url"]["url"].startswith(("data:image/", "http")):
                raise Violation("an image_url is no data or http URL")
    elif not isinstance(content, str):
        raise Violation(f"the content of a message of {role} is no text")
    if not content and not message.get("tool_calls") and role != "tool":
        raise Violation(f"a message of {role} is empty")


def _call_id(call: dict[str, Any]) -> str:
    _known(call, {"id", "type", "function"}, "a call")
    _known(call["function"], {"name", "arguments"}, "a function of a call")
    if not isinstance(json.loads(call["function"]["arguments"]), dict):
        raise Violation("the arguments of a call are no object")
    return str(call["id"])


def _check_tools(body: dict[str, Any]) -> None:
    names = []
    for tool in body.get("tools", ()):
        _known(tool, {"type", "function"}, "a tool")
        _known(tool["function"], {"name", "description", "parameters"}, "a function")
        if tool["function"]["parameters"].get("type") != "object":
            raise Violation("the parameters of a function are no object schema")
        names.append(tool["function"]["name"])
    if len(set(names)) != len(names) or ("tools" in body and not names):
        raise Violation(f"the tools are empty or have a name twice: {names}")
    choice = body.get("tool_choice", "auto")
    if "tool_choice" in body and not names:
        raise Violation("tool_choice without tools")
    named = choice["function"]["name"] if isinstance(choice, dict) else None
    if named not in (None, *names) or (named is None and choice not in ("auto", "none", "required")):
        raise Violation(f"tool_choice {choice!r} is unknown")


def _check_format(form: dict[str, Any]) -> None:
    kind = form["type"]
    if kind == "json_schema":
        _known(form, {"type", "json_schema"}, "response_format")
        _known(form["json_schema"], {"name", "schema"}, "json_schema")
    elif kind == "json_object":
        _known(form, {"type", "schema"}, "response_format")
    elif kind != "text":
        raise Violation(f"response_format {kind!r} is unknown")


def _known(value: dict[str, Any], fields: set[str], what: str) -> None:
    if unknown := value.keys() - fields:
        raise Violation(f"{what} has unknown fields: {sorted(unknown)}")
