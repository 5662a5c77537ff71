"""litellm: `completion` over generateContent, and `interactions` over the Interactions API."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import litellm
from played import play

MODEL = "gemini/gemini-3.8-flash"
BASE: dict[str, Any] = {"api_key": "any", "api_base": os.environ["EMULATOR"]}
VERSION: dict[str, Any] = BASE | {"api_base": os.environ["EMULATOR"] + "/v1beta"}
"""`completion` appends `/models/...` to its base, `interactions` also the version."""
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Gets the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def completion() -> None:
    answer = litellm.completion(model=MODEL, messages=user("Say a greeting"), **VERSION)
    assert "welcome" in answer.choices[0].message.content


def completion_stream() -> None:
    stream = litellm.completion(model=MODEL, messages=user("Say a greeting"), stream=True, **VERSION)
    pieces = [piece.choices[0].delta.content or "" for piece in stream]
    assert "welcome" in "".join(pieces)


def completion_tools() -> None:
    messages = user("How is the weather in Rome?")
    called = litellm.completion(model=MODEL, messages=messages, tools=[WEATHER], **VERSION).choices[0].message
    [call] = called.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Rome"}
    messages += [called, {"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "sunny"}]
    answer = litellm.completion(model=MODEL, messages=messages, tools=[WEATHER], **VERSION)
    assert "sunny" in answer.choices[0].message.content


def interactions() -> None:
    answer = litellm.interactions.create(model=MODEL, input="Say a greeting", **BASE)
    assert answer.status == "completed"
    assert "welcome" in str(answer.model_dump())


def interactions_stream() -> None:
    events = list(litellm.interactions.create(model=MODEL, input="Say a greeting", stream=True, **BASE))
    text = "".join((event.model_dump().get("delta") or {}).get("text") or "" for event in events)
    assert "welcome" in text


def interactions_agent() -> None:
    run = litellm.interactions.create(
        agent="deep-research-preview-04-2026", input="What is a context manager?", background=True, **BASE
    )
    deadline = time.monotonic() + 60
    while (found := litellm.interactions.get(run.id, custom_llm_provider="gemini", **BASE)).status == "in_progress":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found.status == "completed"


play(completion, completion_stream, completion_tools, interactions, interactions_stream, interactions_agent)
