"""Counts the pydantic classes that google-genai builds for a request and for the events of a stream."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

import httpx
from google import genai
from google.genai._gaos.utils import serializers

TURNS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
DELTAS = 8
EVENTS = [
    {"event_type": "interaction.created", "interaction": {"id": "v1_a", "status": "in_progress"}},
    {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
    *[{"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Hi "}}] * DELTAS,
    {"event_type": "step.stop", "index": 0},
    {"event_type": "interaction.completed", "interaction": {"id": "v1_a", "status": "completed"}},
]
STREAM = "".join(f"data: {json.dumps(event)}\n\n" for event in EVENTS) + "data: [DONE]\n\n"


def answer(request: httpx.Request) -> httpx.Response:
    if json.loads(request.content).get("stream"):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=STREAM)
    return httpx.Response(200, json={"id": "v1_a", "status": "completed", "steps": []})


create_model, types, known = serializers.create_model, [], {}
spent = 0.0


def counting(name: str, **values: Any) -> Any:
    global spent
    began = time.perf_counter()
    made = create_model(name, **values)
    spent += time.perf_counter() - began
    types.append(f"{name} {values['body'][0]!r}")
    return made


def remembering(name: str, **values: Any) -> Any:
    key = f"{name} {values['body'][0]!r}"
    if key not in known:
        known[key] = create_model(name, **values)
    return known[key]


def measure(create: Any, *, stream: bool) -> float:
    """Milliseconds of a call with all its events. The first call, which imports modules, is not measured."""
    global spent
    for turn in range(TURNS + 1):
        if turn == 1:
            began, spent = time.perf_counter(), 0.0
            types.clear()
        found = create(model="gemini-3.8-flash", input="Hello!", stream=stream)
        if stream:
            for _ in found:
                pass
    return (time.perf_counter() - began) * 1000 / TURNS


http = httpx.Client(transport=httpx.MockTransport(answer))
client = genai.Client(api_key="any", http_options={"base_url": "http://127.0.0.1", "httpx_client": http})
for kind, stream in (("a request", False), (f"a stream of {len(EVENTS)} events", True)):
    serializers.create_model = counting
    whole = measure(client.interactions.create, stream=stream)
    made, different, building = len(types), len(set(types)), spent * 1000 / TURNS
    serializers.create_model = remembering
    print(
        f"google-genai {version('google-genai')}, {TURNS} times {kind}: {made} classes for {different} types; each time"
        f" {building:.1f} of {whole:.1f} ms to build them, {measure(client.interactions.create, stream=stream):.1f} ms"
        " if they are cached"
    )
