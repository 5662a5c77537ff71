"""What the API sends is checked where it enters: of the form that is read behind, or left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.interactions.resources import (
    checked_event,
    checked_interaction,
    error_message,
    interaction_id_of,
    parse_object,
)
from tools.sanitize import sanitize

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
    """What has not the form that code behind the border relies on."""
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
def test_whatever_comes_has_the_form_that_is_read_behind(value: dict[str, Any]) -> None:
    assert problems(checked_interaction(value, keep)) == []
    assert problems(checked_event(value, keep) or {}) == []


def test_what_has_the_right_form_is_left_as_it_is() -> None:
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


def test_a_text_stands_for_the_object_that_it_is_short_for() -> None:
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
def test_an_event_without_what_it_is_about_is_none(kind: str) -> None:
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
def test_the_id_is_found_in_either_place(event: dict[str, Any], id_: str) -> None:
    assert interaction_id_of(checked_event(event, keep) or {}) == id_


@pytest.mark.parametrize(
    "data", [b"", b"ping", b"[]", b"null", b"5", b"{", b"[" * 50_000, b'{"a":' * 50_000, b"1" * 9999]
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_object(data)


def test_unsafe_text_is_replaced_by_as_many_bytes() -> None:
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
def test_an_error_says_its_message_in_whatever_form(value: Any, message: str) -> None:
    assert error_message(value) == message
