"""Reads the input of a request as steps, and checks that function calls and results match."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

from interactions_emulator.brain.protocol import Step
from interactions_emulator.errors import Refused
from interactions_emulator.requests.vocabulary import CONTENT_FIELDS, STEP_FIELDS


def input_steps(value: Any) -> tuple[Step, ...]:
    """Convert an `input` (a string, one content, a list of contents or a list of steps) to steps.

    A function result in the content of a user_input becomes a step before it. Raises `Refused` (400) for anything else.
    """
    if isinstance(value, str) and value:
        return ({"type": "user_input", "content": [{"type": "text", "text": value}]},)
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list) or not items:
        raise Refused(400, "input is missing or empty: send a string, a list of contents, or a list of steps")
    kinds = [str(item.get("type")) if isinstance(item, dict) else "" for item in items]
    if all(kind in CONTENT_FIELDS for kind in kinds):
        items = [{"type": "user_input", "content": items}]
    steps: list[Step] = []
    for position, item in enumerate(items):
        for step in _separate_results(item):
            check_step(step, f"input[{position}]")
            steps.append(step)
    return tuple(steps)


def check_answer_step(step: Any) -> None:
    """Raise `Refused` (400) unless a value is a step that an answer can have, and is JSON that UTF-8 can encode."""
    check_step(step, "step")
    if step["type"] == "user_input":
        raise Refused(400, "step: an answer has no user_input; the model's words are a model_output")
    try:
        _check_json(step)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"step of type {step['type']} holds what JSON in UTF-8 cannot hold: {error}") from error


def results_in_user_input(item: Any) -> list[Step]:
    """Return the function results among the contents of a user_input. The AI SDK sends them there."""
    if not isinstance(item, dict) or item.get("type") != "user_input" or not isinstance(item.get("content"), list):
        return []
    return [part for part in item["content"] if isinstance(part, dict) and part.get("type") == "function_result"]


def check_balance(last: tuple[Step, ...], fresh: tuple[Step, ...]) -> None:
    """Raise `Refused` (400) unless each function_call has one function_result before any new user input.

    `last` is the output of the previous interaction; all earlier calls have results. `fresh` is this request's input.
    """
    pending: dict[str, str] = {}
    for step in (*last, *fresh):
        if step["type"] == "function_call":
            pending[step["id"]] = step["name"]
        elif step["type"] == "function_result" and pending.pop(step["call_id"], None) is None:
            raise Refused(
                400,
                f"function_result for call_id {step['call_id']!r}, but no such function_call waits for one: "
                "answer each call once, in the interaction right after it",
            )
        elif step["type"] == "user_input" and pending:
            raise _missing_results(pending)
    if pending:
        raise _missing_results(pending)


def _separate_results(item: Any) -> list[Any]:
    """Return the function results in a user_input as steps, then the user_input with the rest of its content."""
    results = results_in_user_input(item)
    if not results:
        return [item]
    rest = [content for content in item["content"] if content not in results]
    return [*results, {**item, "content": rest}] if rest else [*results]


def check_step(step: Any, where: str) -> None:
    """Raise `Refused` (400) unless a value is a step with all required fields. `where` names it in the message."""
    if not isinstance(step, dict):
        raise Refused(400, f"{where} is not an object")
    if "role" in step:
        raise Refused(
            400, f"{where} is a turn with a role, as google-genai 1.x sent them: send steps, such as user_input"
        )
    kind = str(step.get("type"))
    if kind in CONTENT_FIELDS:
        raise Refused(400, f"{where} is a content ({kind}) among steps: wrap it in a user_input step")
    if kind not in STEP_FIELDS:
        raise Refused(400, f"{where}: step type {kind!r} is unknown; known are {', '.join(sorted(STEP_FIELDS))}")
    for field, types in STEP_FIELDS[kind].items():
        if field in ("id", "call_id") and not step.get(field):
            raise Refused(400, f"Missing {field} in content of type {kind}. ({where})")
        if not isinstance(step.get(field), types):
            expected = " or ".join(known.__name__ for known in types)
            raise Refused(400, f"{where}.{field} of a {kind} must be {expected}")
    for field in ("content", "summary"):
        contents = step.get(field) or []
        if not isinstance(contents, list):
            raise Refused(400, f"{where}.{field} must be a list of contents")
        for position, content in enumerate(contents):
            _check_content(content, f"{where}.{field}[{position}]")


def _check_json(value: Any) -> None:
    """Raise ValueError unless a value is JSON that UTF-8 can encode. Without encoding it all, which takes longer."""
    if isinstance(value, str):
        if not value.isascii():
            value.encode()  # raises UnicodeEncodeError, which is a ValueError
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r:.99} is no text")
            _check_json(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_json(item)
    elif not (value is None or isinstance(value, int | float)) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise ValueError(f"{value!r:.99}")


def _check_content(content: Any, where: str) -> None:
    kind = str(content.get("type")) if isinstance(content, dict) else ""
    if kind not in CONTENT_FIELDS:
        raise Refused(400, f"{where}: content type {kind!r} is unknown; known are {', '.join(sorted(CONTENT_FIELDS))}")
    if kind == "text":
        if not isinstance(content.get("text"), str):
            raise Refused(400, f"{where}.text must be a string")
        annotations = content.get("annotations") or []
        if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
            raise Refused(400, f"{where}.annotations must be a list of objects")
        return
    data, uri = content.get("data"), content.get("uri")
    if not isinstance(data if uri is None else uri, str):
        raise Refused(400, f"{where}: {kind} needs data (base64) or a uri")
    if data is not None:
        try:
            base64.b64decode(data, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise Refused(400, f"{where}.data is not base64: {error}") from error


def _missing_results(pending: dict[str, str]) -> Refused:
    calls = ", ".join(f"{call_id} ({name})" for call_id, name in pending.items())
    return Refused(
        400,
        f"function calls without a function_result: {calls}. "
        "Send a function_result for each of them before any new user_input",
    )
