"""Strict validity: what the server says must fit the SDK's models exactly, without the leniency the SDK has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.genai._gaos.types import interactions as types
from pydantic import BaseModel, TypeAdapter

EVENT: TypeAdapter[Any] = TypeAdapter(types.InteractionSSEEvent)
INTERACTION: TypeAdapter[Any] = TypeAdapter(types.Interaction)


def check_event(event: dict[str, Any]) -> None:
    """Raise unless this is a known event with known fields only."""
    _check(EVENT, event)


def check_interaction(body: dict[str, Any]) -> None:
    """Raise unless this is an interaction with known fields only. `object` is sent but not modelled."""
    assert body["object"] == "interaction"
    _check(INTERACTION, {key: value for key, value in body.items() if key != "object"})


def _check(adapter: TypeAdapter[Any], value: dict[str, Any]) -> None:
    unexpected = list(_unexpected(value, adapter.validate_python(value), ""))
    assert not unexpected, f"not in the SDK's models: {unexpected} in {value}"


def _unexpected(source: Any, model: Any, path: str) -> Iterator[str]:
    """Yield the paths in `source` that the models built from it do not know."""
    if isinstance(model, BaseModel) and isinstance(source, dict):
        if getattr(model, "is_unknown", False):
            yield f"{path} of unknown type {source.get('type') or source.get('event_type')}"
            return
        known = {field.alias or name: name for name, field in type(model).model_fields.items()}
        for key, value in source.items():
            if key in known:
                yield from _unexpected(value, getattr(model, known[key]), f"{path}.{key}")
            elif known:  # A model without fields holds free-form JSON.
                yield f"{path}.{key}"
    elif isinstance(source, list) and isinstance(model, list):
        for position, (item, built) in enumerate(zip(source, model, strict=True)):
            yield from _unexpected(item, built, f"{path}[{position}]")
