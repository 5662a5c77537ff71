"""Whatever is sent: an answer in JSON, never a 500, never silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interactions_emulator import Emulator
from interactions_emulator.requests.vocabulary import CONTENT_FIELDS, STEP_FIELDS, TOOL_FIELDS
from wire.brains import brain
from wire.conftest import AGENT, KEY, MODEL

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def objects(kinds: Any, *fields: str) -> st.SearchStrategy[Any]:
    """Objects that are nearly right: a known type and known fields with any values."""
    return st.fixed_dictionaries(
        {"type": st.sampled_from(sorted(kinds)) | st.text(max_size=8)},
        optional=dict.fromkeys(fields, json_values),
    )


contents = objects(CONTENT_FIELDS, "text", "data", "uri", "mime_type", "annotations")
steps = objects(
    STEP_FIELDS, "content", "summary", "id", "call_id", "name", "arguments", "result", "is_error"
) | st.builds(lambda step, content: step | {"content": content}, objects(STEP_FIELDS), st.lists(contents, max_size=2))
FIELDS = [
    "previous_interaction_id",
    "stream",
    "store",
    "background",
    "system_instruction",
    "agent_config",
    "response_modalities",
    "service_tier",
    "labels",
    "safety_settings",
    "webhook_config",
    "environment",
    "continuation_token",
]
SETTINGS = st.sampled_from(["thinking_level", "thinking_summaries", "tool_choice", "seed"])
bodies = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(FIELDS, json_values)
    | {
        "model": st.just(MODEL) | json_values,
        "agent": st.just(AGENT) | json_values,
        "input": st.text() | contents | st.lists(contents, max_size=3) | st.lists(steps, max_size=4) | json_values,
        "tools": st.lists(objects(TOOL_FIELDS, "name", "parameters", "url"), max_size=2) | json_values,
        "generation_config": st.dictionaries(SETTINGS, json_values) | json_values,
        "response_format": objects(["text", "image"], "schema", "mime_type") | json_values,
    },
)
SEGMENTS = st.sampled_from(
    ["v1beta", "interactions", "webhooks", "cancel", "documents", "_emulator", "clock", "log", ".."]
)
FAULTS = st.dictionaries(st.sampled_from(["on", "status", "cut_after", "times", "zombie"]), json_values)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    """A client of a server with the brain of the tests; the answer has to come in time."""
    with Emulator(brain=brain) as api, httpx2.Client(base_url=api.url, headers=KEY, timeout=300) as client:
        yield client


@pytest.fixture(scope="module")
def thinking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """The same with the brain that people use."""
    corpus = tmp_path_factory.mktemp("corpus")
    (corpus / "tides.md").write_text("# Tides\n\nThe moon pulls the sea. Tides come twice a day.\n")
    with Emulator(corpus=corpus) as api, httpx2.Client(base_url=api.url, headers=KEY, timeout=300) as client:
        yield client


def check(answer: httpx2.Response) -> None:
    """A success, or a refusal that says why."""
    if answer.status_code == 200:
        if answer.headers["content-type"] == "application/json":
            assert answer.json().get("status") != "failed", answer.json()
        return
    assert 400 <= answer.status_code < 500, answer.text
    error = answer.json()["error"]
    assert isinstance(error["code"], str) and error["message"]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


@given(body=bodies | json_values)
@example(body={"model": MODEL, "input": "\ud800"})
@example(body={"model": MODEL, "input": [{"type": "text", "text": None}]})
def test_any_json_is_answered_or_refused(http: httpx2.Client, body: Any) -> None:
    check(http.post("/v1beta/interactions", content=dumped(body)))


@given(body=bodies)
def test_the_brain_handles_every_request_that_passes_validation(thinking: httpx2.Client, body: dict[str, Any]) -> None:
    check(thinking.post("/v1beta/interactions", content=dumped({"model": MODEL, "input": "tides"} | body)))


@given(raw=st.binary(max_size=200))
@example(raw=b"[" * 100_000)
@example(raw=b'{"model": NaN}')
def test_any_bytes_are_answered_or_refused(http: httpx2.Client, raw: bytes) -> None:
    check(http.post("/v1beta/interactions", content=raw))


@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"]),
    path=st.lists(SEGMENTS | st.text(max_size=12), max_size=5),
    query=st.dictionaries(st.sampled_from(["stream", "last_event_id", "include_input"]), st.text(max_size=12)),
)
def test_any_path_is_answered_or_refused(
    http: httpx2.Client, method: str, path: list[str], query: dict[str, str]
) -> None:
    segments = [quote(segment, safe="", errors="ignore") for segment in path]
    answer = http.request(method, str(http.base_url.join("/")) + "/".join(segments), params=query)
    if method == "HEAD":
        assert answer.status_code < 500
    elif not answer.is_success:
        check(answer)


@given(fault=json_values | FAULTS)
def test_any_fault_is_accepted_or_refused(http: httpx2.Client, fault: Any) -> None:
    answer = http.post("/_emulator/faults", content=dumped(fault))
    http.delete("/_emulator/faults")
    if not answer.is_success:
        check(answer)


@given(body=st.dictionaries(st.sampled_from(["uri", "name", "state", "subscribed_events"]), json_values) | json_values)
def test_any_webhook_is_accepted_or_refused(http: httpx2.Client, body: Any) -> None:
    answer = http.post("/v1beta/webhooks", content=dumped(body))
    if not answer.is_success:
        check(answer)
