"""Reads the input of a request as steps, and checks that function calls and results match."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from interactions_emulator.brain.protocol import Step
from interactions_emulator.http.errors import Refused

CONTENT_TYPES = {"text", "image", "audio", "video", "document"}
STEP_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "user_input": {"content": (list,)},
    "model_output": {},
    "thought": {},
    "function_call": {"id": (str,), "name": (str,), "arguments": (dict,)},
    "function_result": {"call_id": (str,), "result": (dict, str, list)},
    "google_search_call": {"id": (str,), "arguments": (dict,)},
    "google_search_result": {"call_id": (str,), "result": (list,)},
    "url_context_call": {"id": (str,), "arguments": (dict,)},
    "url_context_result": {"call_id": (str,), "result": (list,)},
    "code_execution_call": {"id": (str,), "arguments": (dict,)},
    "code_execution_result": {"call_id": (str,), "result": (str, dict)},
    "file_search_call": {"id": (str,)},
    "file_search_result": {"call_id": (str,)},
    "google_maps_call": {"id": (str,)},
    "google_maps_result": {"call_id": (str,), "result": (list,)},
    "mcp_server_tool_call": {"id": (str,), "server_name": (str,), "name": (str,), "arguments": (dict,)},
    "mcp_server_tool_result": {"call_id": (str,), "result": (dict, str, list)},
    "retrieval_call": {"id": (str,), "arguments": (dict,)},
    "retrieval_result": {"call_id": (str,)},
    "processing_call": {"id": (str,)},
    "processing_result": {"call_id": (str,)},
    "tool_search_call": {"id": (str,), "arguments": (dict,)},
    "tool_search_result": {"call_id": (str,)},
}
"""Types of steps, with the required fields of each and their types."""


def input_steps(value: Any) -> tuple[Step, ...]:
    """Convert an `input` (a string, one content, a list of contents or a list of steps) to steps.

    Raises `Refused` (400) for anything else.
    """
    if isinstance(value, str) and value:
        return ({"type": "user_input", "content": [{"type": "text", "text": value}]},)
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list) or not items:
        raise _bad_request("input is missing or empty: send a string, a list of contents, or a list of steps")
    kinds = [item.get("type") if isinstance(item, dict) else None for item in items]
    if all(kind in CONTENT_TYPES for kind in kinds):
        items = [{"type": "user_input", "content": items}]
    for position, step in enumerate(items):
        _check_step(step, f"input[{position}]")
    return tuple(items)


def check_balance(last: tuple[Step, ...], fresh: tuple[Step, ...]) -> None:
    """Raise `Refused` (400) unless each function_call has one function_result before any new user input.

    `last` is the output of the previous interaction; all earlier calls have results. `fresh` is this request's input.
    """
    pending: dict[str, str] = {}
    for step in (*last, *fresh):
        if step["type"] == "function_call":
            pending[step["id"]] = step["name"]
        elif step["type"] == "function_result" and pending.pop(step["call_id"], None) is None:
            raise _bad_request(
                f"function_result for call_id {step['call_id']!r}, but no such function_call waits for one: "
                "answer each call once, in the interaction right after it"
            )
        elif step["type"] == "user_input" and pending:
            raise _missing_results(pending)
    if pending:
        raise _missing_results(pending)


def _check_step(step: Any, where: str) -> None:
    if not isinstance(step, dict):
        raise _bad_request(f"{where} is not an object")
    if "role" in step:
        raise _bad_request(
            f"{where} is a turn with a role, as google-genai 1.x sent them: send steps, such as user_input"
        )
    kind = step.get("type")
    if kind in CONTENT_TYPES:
        raise _bad_request(f"{where} is a content ({kind}) among steps: wrap it in a user_input step")
    if kind not in STEP_FIELDS:
        raise _bad_request(f"{where}: step type {kind!r} is unknown; known are {', '.join(sorted(STEP_FIELDS))}")
    for field, types in STEP_FIELDS[kind].items():
        if field in ("id", "call_id") and not step.get(field):
            raise _bad_request(f"Missing {field} in content of type {kind}. ({where})")
        if not isinstance(step.get(field), types):
            expected = " or ".join(known.__name__ for known in types)
            raise _bad_request(f"{where}.{field} of a {kind} must be {expected}")
    for field in ("content", "summary"):
        contents = step.get(field) or []
        if not isinstance(contents, list):
            raise _bad_request(f"{where}.{field} must be a list of contents")
        for position, content in enumerate(contents):
            _check_content(content, f"{where}.{field}[{position}]")


def _check_content(content: Any, where: str) -> None:
    kind = content.get("type") if isinstance(content, dict) else None
    if kind not in CONTENT_TYPES:
        raise _bad_request(f"{where}: content type {kind!r} is unknown; known are {', '.join(sorted(CONTENT_TYPES))}")
    if kind == "text":
        if not isinstance(content.get("text"), str):
            raise _bad_request(f"{where}.text must be a string")
        return
    data, uri = content.get("data"), content.get("uri")
    if not isinstance(data if uri is None else uri, str):
        raise _bad_request(f"{where}: {kind} needs data (base64) or a uri")
    if data is not None:
        try:
            base64.b64decode(data, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise _bad_request(f"{where}.data is not base64: {error}") from error


def _missing_results(pending: dict[str, str]) -> Refused:
    calls = ", ".join(f"{call_id} ({name})" for call_id, name in pending.items())
    return _bad_request(
        f"function calls without a function_result: {calls}. "
        "Send a function_result for each of them before any new user_input"
    )


def _bad_request(message: str) -> Refused:
    return Refused(400, message)
