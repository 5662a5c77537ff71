"""Converts steps of the Interactions API to messages of a chat completion."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from interactions_emulator.brain.model.attached_documents import document_text
from interactions_emulator.brain.model.signature_data import unpack
from interactions_emulator.brain.model.sources import Found, Sources, as_prompt
from interactions_emulator.brain.protocol import Step
from interactions_emulator.contents import text_of

Message = dict[str, Any]

UNSEEN = "[Here is an image that this model cannot see.]"

OWN_CALLS = {"google_search_call": "google_search", "url_context_call": "url_context"}
"""Maps the calls of server tools that the brain executes itself to the names of their functions."""


def chat_messages(system: str, steps: Sequence[Step], sources: Sources) -> list[Message]:
    """Return the messages for a chain of steps: roles alternate, and results follow their calls.

    Thoughts are left out. Searches are included after the newest user input only, since earlier ones have served their
    answers; their results are added to `sources`.
    """
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    newest = max((place for place, step in enumerate(steps) if step["type"] == "user_input"), default=0)
    for place, step in enumerate(steps):
        for message in _messages(step, sources, searched=place > newest):
            _append(messages, message)
    return _with_results_in_order(messages)


def has_images(messages: Sequence[Message]) -> bool:
    """Whether a message has an image."""
    return any(isinstance(message["content"], list) for message in messages)


def without_images(messages: Sequence[Message]) -> list[Message]:
    """The messages with notes instead of images."""
    return [
        message | {"content": "\n\n".join(part.get("text", UNSEEN) for part in message["content"])}
        if isinstance(message["content"], list)
        else message
        for message in messages
    ]


def tool_call(call_id: str, name: str, arguments: dict[str, Any]) -> Message:
    """A function call as a message."""
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {
        "role": "assistant",
        "content": "",  # some servers fail on null
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }


def tool_result(call_id: str, text: str) -> Message:
    """A function's result as a message."""
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def _messages(step: Step, sources: Sources, searched: bool) -> Iterator[Message]:
    kind = step["type"]
    if kind == "user_input":
        if content := _user_content(step.get("content") or ()):
            yield {"role": "user", "content": content}
    elif kind == "model_output":
        if text := text_of(step.get("content")):
            yield {"role": "assistant", "content": text}
    elif kind == "function_call":
        yield tool_call(step["id"], step["name"], step["arguments"])
    elif kind == "function_result":
        yield tool_result(step["call_id"], _result_text(step))
    elif kind in OWN_CALLS and searched:
        yield tool_call(step["id"], OWN_CALLS[kind], step["arguments"])
    elif kind in ("google_search_result", "url_context_result") and searched:
        found = [Found(*one) for one in unpack(step) or ()]
        yield tool_result(step["call_id"], as_prompt(sources.add(found)) or "Nothing was found.")


def _user_content(contents: Iterable[dict[str, Any]]) -> str | list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for content in contents:
        address = _image_address(content) if content["type"] == "image" else ""
        if address:
            parts.append({"type": "image_url", "image_url": {"url": address}})
        elif text := _as_text(content):
            parts.append({"type": "text", "text": text})
    if any(part["type"] != "text" for part in parts):
        return parts
    return "\n\n".join(part["text"] for part in parts)


def _as_text(content: dict[str, Any]) -> str:
    kind = content["type"]
    if kind == "text":
        return str(content.get("text") or "")
    if kind == "document":
        return document_text(content)
    return UNSEEN if kind == "image" else f"[Here is {kind} content, which this model cannot read.]"


def _image_address(content: dict[str, Any]) -> str:
    if data := content.get("data"):
        return f"data:{content.get('mime_type') or 'image/png'};base64,{data}"
    uri = str(content.get("uri") or "")
    return uri if uri.startswith(("http://", "https://", "data:")) else ""


def _result_text(step: Step) -> str:
    result = step["result"]
    if isinstance(result, list):
        result = "\n".join(_as_text(p) if isinstance(p, dict) and "type" in p else json.dumps(p) for p in result)
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return f"Error: {text}" if step.get("is_error") else text


def _append(messages: list[Message], message: Message) -> None:
    """Append a message, or join it to the last one if both are of the user or of the assistant."""
    last: Message = messages[-1] if messages else {"role": "system"}
    if message["role"] != last["role"] or message["role"] == "tool":
        messages.append(message)
        return
    if message["role"] == "user":
        last["content"] = _joined(last["content"], message["content"])
        return
    last["content"] = "\n\n".join(filter(None, (last["content"], message["content"])))
    if calls := [*last.get("tool_calls", ()), *message.get("tool_calls", ())]:
        last["tool_calls"] = calls


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    lists: list[list[Message]] = [
        [{"type": "text", "text": one}] if isinstance(one, str) else one for one in (first, second)
    ]
    return [*lists[0], *lists[1]]


def _with_results_in_order(messages: list[Message]) -> list[Message]:
    """Move each result behind the message with its call, in the order of the calls; drop calls without a result.

    A client may send its results in another order. Only a call that is being answered, or was cut off, has no result.
    """
    results = {message["tool_call_id"]: message for message in messages if message["role"] == "tool"}
    ordered: list[Message] = []
    for message in messages:
        if message["role"] == "tool":
            continue
        calls = message.get("tool_calls")
        if calls is None:
            ordered.append(message)
            continue
        answered = [call for call in calls if call["id"] in results]
        plain = {key: value for key, value in message.items() if key != "tool_calls"}
        if answered:
            ordered.append(plain | {"tool_calls": answered})
            ordered += [results[call["id"]] for call in answered]
        elif plain["content"]:
            ordered.append(plain)
    return ordered
