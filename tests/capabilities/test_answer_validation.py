"""Data of the API is checked on arrival: it has the types that later code relies on, or is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.interactions.answer_validation import checked_event, checked_interaction, error_message, parse_object
from tools.interactions.resources import interaction_id_of
from tools.text.unsafe_characters import sanitize

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYS = ["id", "steps", "content", "text", "type", "usage", "errors", "error", "message", "delta", "step", "interaction"]
KEYS += ["arguments", "annotations", "summary", "event_type", "interaction_id", "status"]
nearly: st.SearchStrategy[Any] = st.recursive(
    json_values,
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


def keep(text: str) -> str:
    return text


def problems(value: Any, of: str = "") -> list[str]:
    """The keys whose values do not have the types that later code relies on."""
    found = []
    for key, inner in value.items():
        is_list = key in ("steps", "errors", "annotations", "summary") or (key == "content" and of != "delta")
        if key in ("id", "text", "type", "status", "message", "event_type", "interaction_id"):
            found += [] if isinstance(inner, str) else [key]
        elif is_list:
            found += [] if isinstance(inner, list) else [key]
            found += [problem for item in inner for problem in problems(item, key)]
        elif key in ("interaction", "step", "delta", "error", "content"):
            found += problems(inner, key) if isinstance(inner, dict) else [key]
        elif key in ("usage", "arguments"):
            found += [] if isinstance(inner, dict) or (of == "delta" and isinstance(inner, str)) else [key]
    return found


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(KEYS), nearly))
def test_checked_resources_and_events_always_have_the_expected_types(value: dict[str, Any]) -> None:
    assert problems(checked_interaction(value, keep)) == []
    assert problems(checked_event(value, keep) or {}) == []


def test_a_valid_resource_is_left_unchanged() -> None:
    value = {
        "id": "v1_a",
        "status": "completed",
        "steps": [
            {"type": "function_call", "id": "c", "name": "f", "arguments": {"text": 5, "steps": 3}},
            {"type": "model_output", "content": [{"type": "text", "text": "a", "annotations": [{"end_index": 1}]}]},
        ],
        "usage": {"total_tokens": 7},
        "novelty": [1, {"id": 5}],
    }
    assert checked_interaction(value, keep) == value


def test_a_string_in_place_of_an_object_is_expanded_to_it() -> None:
    read = checked_interaction({"errors": "late", "error": "bad", "steps": {"content": "Hello"}}, keep)
    assert read["errors"] == [{"message": "late"}]
    assert read["error"] == {"message": "bad"}
    assert read["steps"] == [{"content": [{"type": "text", "text": "Hello"}]}]


def test_only_the_messages_of_errors_are_redacted() -> None:
    event = {"error": {"message": "key"}, "step": {"message": "key", "content": "key"}}
    assert checked_event(event, lambda text: "***") == {
        "error": {"message": "***"},
        "step": {"message": "key", "content": [{"type": "text", "text": "key"}]},
    }


@pytest.mark.parametrize("kind", ["interaction.created", "interaction.completed", "step.start", "step.delta"])
def test_an_event_without_its_payload_is_dropped(kind: str) -> None:
    assert checked_event({"event_type": kind, "interaction": 5, "delta": "x", "step": None}, keep) is None


@pytest.mark.parametrize(
    "event, id_",
    [
        ({"interaction": {"id": "a"}, "interaction_id": "b"}, "a"),
        ({"interaction": {}, "interaction_id": "b"}, "b"),
        ({"interaction_id": 12}, "12"),
        ({"interaction_id": True}, ""),
        ({}, ""),
    ],
)
def test_the_interaction_id_of_an_event_is_found_in_either_field(event: dict[str, Any], id_: str) -> None:
    assert interaction_id_of(checked_event(event, keep) or {}) == id_


@pytest.mark.parametrize(
    "data", [b"", b"ping", b"[]", b"null", b"5", b"{", b"[" * 50_000, b'{"a":' * 50_000, b"1" * 9999]
)
def test_data_that_is_not_a_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_object(data)


def test_unsafe_characters_are_replaced_by_the_same_number_of_bytes() -> None:
    text = "a\0b\x1bc\x9bd\ud800e\tf\ng🌊"
    safe = sanitize(text)
    assert safe == "a?b?c??d\ufffde\tf\ng🌊"
    assert len(safe.encode()) == len(text.encode("utf-8", "surrogatepass"))
    assert parse_object(json.dumps({text: [text]}).encode()) == {safe: [safe]}
    assert parse_object(b'{"a": "\xff\x00", "b": NaN}') == {"a": "\ufffd?", "b": None}


@pytest.mark.parametrize(
    "value, message",
    [
        ({"error": {"code": 404, "message": "gone"}}, "gone"),
        ([{"error": {"code": 503, "message": "away"}}], "away"),
        ({"error": "text"}, "text"),
        ({"error": {"code": 7}}, "7"),
        ({"message": "m"}, "m"),
        ({"error": []}, ""),
        ([], ""),
        (5, ""),
    ],
)
def test_the_message_is_found_in_every_format_of_an_error(value: Any, message: str) -> None:
    assert error_message(value) == message
