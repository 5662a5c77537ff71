"""The names that the emulator accepts, from its own tables, and those that it sends, from its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2

from interactions_emulator import Emulator
from interactions_emulator.requests import vocabulary
from interactions_emulator.requests.create_body import Body
from interactions_emulator.requests.vocabulary import CONTENT_FIELDS, OPTIONAL_STEP_FIELDS, STEP_FIELDS
from schema.names import Names, of_object

MODEL, AGENT, ANTIGRAVITY = "gemini-3.8-flash", "deep-research-preview-04-2026", "antigravity-preview-09-2026"
IMAGE = {"type": "image", "mime_type": "image/png", "data": "aGk=", "uri": "https://example.org/i", "resolution": "low"}
ANNOTATIONS = ("url_citation", "file_citation", "place_citation", "word_info", "speech_metadata")
VALUES: dict[str, Any] = {
    "content": [
        {"type": "text", "text": "one two three", "annotations": [{"type": kind} for kind in ANNOTATIONS]},
        IMAGE,
        {"type": "audio", "mime_type": "audio/wav", "data": "aGk=", "uri": "u", "channels": 1, "sample_rate": 8000},
        {**IMAGE, "type": "video", "mime_type": "video/mp4"},
        {**IMAGE, "type": "document", "mime_type": "application/pdf"},
    ],
    "summary": [{"type": "text", "text": "one two three"}],
    "error": {"code": 1, "message": "m"},
    "arguments": {"a": 1},
    "result": [{"type": "text", "text": "r"}],
    "is_error": True,
}
"""Values of the fields of steps; any other field has a text."""
CREDENTIALS = {"x-goog-api-key": "any"}
QUERY = ("stream", "last_event_id", "include_input")
"""Parameters of a GET, which `http/interaction_routes.py` reads."""
CREATES: dict[str, dict[str, Any]] = {
    "agents": {
        "id": "my-agent",
        "base_agent": ANTIGRAVITY,
        "description": "d",
        "system_instruction": "be brief",
        "tools": [{"type": "google_search"}],
        "agent_config": {"type": "antigravity"},
        "base_environment": "env_1",
    },
    "triggers": {
        "interaction": {"agent": ANTIGRAVITY, "input": "x"},
        "schedule": "0 9 * * *",
        "time_zone": "UTC",
        "display_name": "d",
        "environment_id": "env_1",
        "execution_timeout_seconds": 5,
        "max_consecutive_failures": 3,
    },
    "webhooks": {"name": "n", "uri": "http://127.0.0.1:9", "subscribed_events": ["interaction.completed"]},
}
"""A body that creates one of the other resources."""
ECHOED = {
    "labels": {"a": "b"},
    "system_instruction": "be brief",
    "tools": [{"type": "function", "name": "f"}],
    "generation_config": {"seed": 1},
    "response_format": {"type": "text"},
    "service_tier": "flex",
    "webhook_config": {"user_metadata": {}},
    "environment": "env_1",
    "response_modalities": ["text"],
    "response_mime_type": "text/plain",
    "safety_settings": [],
    "cached_content": "cachedContents/a",
}
"""A create request with every field that the resource might repeat."""


def accepted() -> Names:
    """Return the names that requests may use, with all others that the emulator's tables have."""
    found = of_object("request", Body.model_fields)
    tables: dict[str, dict[str, set[str]]] = {
        "tool": vocabulary.TOOL_FIELDS,
        "content": CONTENT_FIELDS,
        "step": {kind: optional | STEP_FIELDS[kind].keys() for kind, optional in OPTIONAL_STEP_FIELDS.items()},
        "response_format": vocabulary.RESPONSE_FORMAT_FIELDS,
        "agent_config": vocabulary.AGENT_CONFIG_FIELDS,
    }
    for kind, table in tables.items():
        for type_, fields in table.items():
            found |= of_object(f"{kind}.{type_}", fields)
    found |= of_object("generation_config", vocabulary.GENERATION_CONFIG_FIELDS)
    found |= of_object("environment", vocabulary.ENVIRONMENT_FIELDS)
    found |= of_object("webhook_config", vocabulary.WEBHOOK_CONFIG_FIELDS)
    found |= of_object("query", QUERY)
    enums = vocabulary.THINKING_VALUES | {
        "model": vocabulary.MODELS,
        "agent": vocabulary.AGENTS,
        "service_tier": vocabulary.SERVICE_TIERS,
        "response_modalities": vocabulary.MODALITIES,
        "tool_choice": vocabulary.TOOL_CHOICES,
    }
    return found | {f"{kind}={value}" for kind, values in enums.items() for value in values}


def sent() -> Names:
    """Return the names in the emulator's answers: resources, events, deltas, annotations and statuses."""
    found: Names = set()
    for event in _streams():
        found |= of_object(f"event.{event['event_type']}", event)
        if "interaction" in event:
            found |= of_object("event_interaction", event["interaction"])
        if "delta" in event:
            found |= of_object(f"delta.{event['delta']['type']}", event["delta"])
            for annotation in event["delta"].get("annotations", ()):
                found.add(f"annotation.{annotation['type']}")
    for resource in _resources():
        found |= of_object("resource", resource) | {f"status={resource['status']}"}
        found |= of_object("usage", resource.get("usage", ()))
        for error in resource.get("errors", ()):
            found |= of_object("error", error)
    return found | _others()


def lost_in_streams() -> Names:
    """Return the fields of steps that no event of a stream carries, as `stream step.<type>.<field>`."""
    carried: dict[int, Names] = {}
    kinds: dict[int, str] = {}
    for event in _streams():
        if event["event_type"] == "interaction.completed":
            break
        if "index" in event:
            part = event.get("step") or event.get("delta") or {}
            kinds.setdefault(event["index"], part.get("type", ""))
            carried.setdefault(event["index"], set()).update(_carried(event))
    return {
        f"stream step.{kinds[index]}.{field}"
        for index, step in enumerate(_steps())
        for field in step.keys() - carried[index] - {"type"}
    }


def answered(endpoints: set[str]) -> Names:
    """Return those of the endpoints ("POST /interactions") that the emulator knows."""
    with Emulator(scenarios=[{"text": "x"}]) as api, httpx2.Client(base_url=api.url, headers=CREDENTIALS) as client:
        return {f"endpoint {endpoint}" for endpoint in endpoints if _known(client, endpoint)}


def _known(client: httpx2.Client, endpoint: str) -> bool:
    """Whether a path is known: another answer than that to a path which cannot exist, and not 405."""
    verb, path = endpoint.split(" ")
    upload, path = ("/upload", path.removeprefix("/upload")) if path.startswith("/upload/") else ("", path)
    body = {} if verb in ("POST", "PATCH", "PUT") else None
    answer = client.request(verb, f"{upload}/v1beta{path.replace('{}', 'some-id')}", json=body)
    return answer.status_code != 405 and not (answer.status_code == 404 and "The API is at" in answer.text)


def _others() -> Names:
    """The fields of the other resources that the emulator has, as it answers their creation and shows them then."""
    found: Names = set()
    with Emulator(scenarios=[{"text": "x"}]) as api, httpx2.Client(base_url=api.url, headers=CREDENTIALS) as client:
        for collection, body in CREATES.items():
            made = client.post(f"/v1beta/{collection}", json=body)
            if made.status_code == 200:
                shown = client.get(f"/v1beta/{collection}/{made.json()['id']}").json()
                found |= of_object(collection, made.json() | shown)
    return found


def _steps() -> list[dict[str, Any]]:
    """One step of each type with every field that the emulator knows. The last one is the function_call."""
    steps = [_step(kind) for kind in STEP_FIELDS if kind not in ("user_input", "function_call", "thought")]
    return [_step("thought"), *steps, _step("function_call")]


def _step(kind: str) -> dict[str, Any]:
    fields = STEP_FIELDS[kind].keys() | OPTIONAL_STEP_FIELDS[kind]
    step = {"type": kind} | {field: VALUES.get(field, f"{kind}_{field}") for field in sorted(fields)}
    if list not in STEP_FIELDS[kind].get("result", (list,)):
        step["result"] = "r"
    return step | ({"call_id": "none"} if "call_id" in step else {})


def _streams() -> Iterator[dict[str, Any]]:
    """Yield the events of a stream with all steps, of one that fails, of one with a hop, and of an agent's."""
    failing = {"status": "failed", "error": {"code": "internal_error", "message": "No."}}
    script = [
        {"match": {"text": "all"}, "steps": _steps()},
        {"match": {"text": "fail"}, **failing},
        {"match": {"text": "hop"}, "steps": [{"type": "hop"}, {"text": "x"}]},
    ]
    with Emulator(scenarios=script) as api, httpx2.Client(base_url=api.url, headers=CREDENTIALS) as client:
        bodies = [{"model": MODEL, "input": text, "service_tier": "flex"} for text in ("all", "fail", "hop")]
        for body in [*bodies, {"agent": AGENT, "input": "hop", "background": True}]:
            body["stream"] = True
            for line in client.post("/v1beta/interactions", json=body).text.splitlines():
                if line.startswith("data: {"):
                    yield json.loads(line.removeprefix("data: "))


def _resources() -> Iterator[dict[str, Any]]:
    """Yield resources with every field and every status that the emulator can send."""
    statuses = ("failed", "incomplete", "budget_exceeded", "cancelled", "idle")
    script: list[dict[str, Any]] = [{"match": {"text": status}, "status": status} for status in statuses]
    script[0]["error"] = {"code": "internal_error", "message": "No."}
    script += [
        {"match": {"text": "call"}, "steps": [{"type": "function_call", "name": "f"}]},
        {"match": {"text": "hop"}, "steps": [{"type": "hop"}]},
        {"match": {"agent": ".*"}, "wait": 60, "text": "x"},
        {"match": {"text": "all"}, "steps": _steps()},
        {"text": "x"},
    ]
    with (
        Emulator(scenarios=script, speed=0) as api,
        httpx2.Client(base_url=f"{api.url}/v1beta", headers=CREDENTIALS, timeout=60) as client,
    ):
        first = client.post("/interactions", json={"model": MODEL, "input": "x", **ECHOED}).json()
        yield first
        for text in (*statuses, "call", "hop", "all"):
            body = {"model": MODEL, "input": text, "previous_interaction_id": first["id"]}
            made = client.post("/interactions", json=body).json()
            yield made
            yield client.get(f"/interactions/{made['id']}", params={"include_input": "true"}).json()
        agent = {"agent": AGENT, "input": "x", "background": True, "agent_config": {"type": "deep-research"}}
        yield client.post("/interactions", json=agent).json()


def _carried(event: dict[str, Any]) -> Names:
    """The fields of a step that an event carries."""
    part = event.get("step") or event.get("delta") or {}
    named = {"thought_summary": "summary", "thought_signature": "signature", "arguments_delta": "arguments"}
    if "delta" in event and part["type"] in {*named, *CONTENT_FIELDS, "text_annotation_delta"}:
        return {named.get(part["type"], "content")}
    return {field for field, value in part.items() if value not in ({}, [], "")}
