"""Converts the `contents` of a request to steps."""

from __future__ import annotations

import json
from typing import Any

from interactions_emulator.brain.protocol import Step
from interactions_emulator.errors import Refused
from interactions_emulator.requests.fields import field, object_field, objects

ROLES = ("user", "model", "function")
_MEDIA = ("image", "audio", "video")
_DATA_FIELDS = ("inlineData", "fileData")
_BASE64 = str.maketrans("-_", "+/")
"""Converts URL-safe base64, which the google-genai SDK sends and the API accepts, to standard base64."""


class _Calls:
    """The function calls that wait for a response, in order, by id."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._count = 0

    def add(self, call: dict[str, Any], where: str) -> Step:
        name, arguments = field(call, "name"), object_field(call, "args", f"{where}.")
        if not isinstance(name, str) or not name:
            raise Refused(400, f"{where}.name is missing: name the function that was called")
        self._count += 1
        call_id = str(field(call, "id") or f"call_{self._count}")
        self._waiting[call_id] = name
        return {"type": "function_call", "id": call_id, "name": name, "arguments": arguments}

    def answer(self, response: dict[str, Any], where: str) -> Step:
        """The step for a response. A response without an id answers the first waiting call with its name."""
        name, given = field(response, "name", ""), field(response, "id")
        call_id = given or next((key for key, called in self._waiting.items() if called == name), None)
        if call_id not in self._waiting:
            about = f"id {given!r}" if given else f"name {name!r}"
            raise Refused(400, f"{where}: no functionCall with the {about} waits for a response: answer each call once")
        called = self._waiting.pop(call_id)
        result: Any = field(response, "response", {})
        if parts := objects(response, "parts", f"{where}."):
            text = {"type": "text", "text": json.dumps(result, ensure_ascii=False)}
            result = [text, *(_content(part, f"{where}.parts") for part in parts)]
        return {"type": "function_result", "call_id": call_id, "name": name or called, "result": result}

    def check_none_waiting(self, where: str) -> None:
        if self._waiting:
            names = ", ".join(f"{name} ({call_id})" for call_id, name in self._waiting.items())
            raise Refused(400, f"{where}: function calls without a functionResponse: {names}: send one for each")


def steps_of(contents: list[dict[str, Any]]) -> list[Step]:
    """Convert the contents of a request. Raises `Refused` (400) with the reason."""
    if not contents:
        raise Refused(400, "contents is missing or empty: send at least one, with a role and parts")
    calls = _Calls()
    steps: list[Step] = []
    for number, content in enumerate(contents):
        where = f"contents[{number}]"
        role = field(content, "role", "user")
        if role not in ROLES:
            raise Refused(400, f"{where}.role is user or model, not {role!r}")
        parts = objects(content, "parts", f"{where}.")
        if not parts:
            raise Refused(400, f"{where}.parts is missing or empty: send at least one part")
        steps += _model_steps(parts, where, calls) if role == "model" else _user_steps(parts, where, calls)
    calls.check_none_waiting(f"contents[{len(contents) - 1}]")
    if not steps:
        raise Refused(400, "contents has no text, data or function call")
    return steps


def _user_steps(parts: list[dict[str, Any]], where: str, calls: _Calls) -> list[Step]:
    """The steps of a user's content: first the results of functions, then the input."""
    steps: list[Step] = []
    contents: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        place = f"{where}.parts[{number}]"
        if response := object_field(part, "functionResponse", f"{place}."):
            steps.append(calls.answer(response, f"{place}.functionResponse"))
        elif field(part, "text") != "":  # an empty text says nothing
            contents.append(_content(part, place))
    if contents:
        calls.check_none_waiting(where)
        steps.append({"type": "user_input", "content": contents})
    return steps


def _model_steps(parts: list[dict[str, Any]], where: str, calls: _Calls) -> list[Step]:
    """The steps of an earlier answer of the model, without its thoughts."""
    steps: list[Step] = []
    for number, part in enumerate(parts):
        place = f"{where}.parts[{number}]"
        if call := object_field(part, "functionCall", f"{place}."):
            signature = field(part, "thoughtSignature")
            signed = {"signature": signature} if isinstance(signature, str) and signature else {}
            steps.append(calls.add(call, f"{place}.functionCall") | signed)
        elif code := object_field(part, "executableCode", f"{place}."):
            arguments = {"language": "python", "code": str(field(code, "code", ""))}
            call_id = str(field(code, "id", f"code_{place}"))
            steps.append({"type": "code_execution_call", "id": call_id, "arguments": arguments})
        elif result := object_field(part, "codeExecutionResult", f"{place}."):
            call_id = str(field(result, "id", f"code_{where}.parts[{number - 1}]"))
            failed = field(result, "outcome") not in (None, "OUTCOME_OK")
            output = str(field(result, "output", ""))
            steps.append({"type": "code_execution_result", "call_id": call_id, "result": output, "is_error": failed})
        elif field(part, "thought") is not True and any(field(part, name) for name in ("text", *_DATA_FIELDS)):
            content = _content(part, place)
            if steps and steps[-1]["type"] == "model_output":
                steps[-1]["content"].append(content)
            else:
                steps.append({"type": "model_output", "content": [content]})
    return steps


def _content(part: dict[str, Any], where: str) -> dict[str, Any]:
    text = field(part, "text")
    if isinstance(text, str):
        return {"type": "text", "text": text}
    for name in _DATA_FIELDS:
        if data := object_field(part, name, f"{where}."):
            return _media(data, f"{where}.{name}")
    known = ", ".join(("text", *_DATA_FIELDS, "functionCall", "functionResponse"))
    raise Refused(400, f"{where} has none of {known}")


def _media(data: dict[str, Any], where: str) -> dict[str, Any]:
    mime_type = str(field(data, "mimeType", ""))
    kind = mime_type.partition("/")[0]
    content = {"type": kind if kind in _MEDIA else "document"} | ({"mime_type": mime_type} if mime_type else {})
    encoded, uri = field(data, "data"), field(data, "fileUri")
    if isinstance(encoded, str) and encoded and mime_type:
        padded = encoded.translate(_BASE64).rstrip("=")
        return content | {"data": padded + "=" * (-len(padded) % 4)}
    if isinstance(uri, str) and uri:
        return content | {"uri": uri}
    raise Refused(400, f"{where} needs data (base64) and a mimeType, or a fileUri")
