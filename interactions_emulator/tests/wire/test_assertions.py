"""Assertions of the fixture: true ones pass, and each false one says what happened instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interactions_emulator import Emulator
from wire.conftest import MODEL, Wire, research


@pytest.fixture
def used(api: Emulator, wire: Wire) -> Emulator:
    """An emulator that was asked for the weather in two cities, and that refused a request."""
    run = wire.create({"model": MODEL, "input": "weather in Rome and Oslo"})
    results = [
        {"type": "function_result", "call_id": step["id"], "name": "weather", "result": {"sky": sky}}
        for step, sky in zip(run["steps"], ("blue", "grey"), strict=True)
    ]
    wire.create({"model": MODEL, "input": results, "previous_interaction_id": run["id"]})
    wire.http.post("/interactions", json={"input": "no model"})
    return api


def test_true_assertions_pass(used: Emulator) -> None:
    used.assert_created(2)
    used.assert_created_once()
    used.assert_asked("weather in .* Oslo")
    used.assert_called("weather", city="Oslo")
    used.assert_result_sent("weather", "grey")
    used.assert_statuses(200, 200, 400)
    used.assert_all_ended()


FALSE: dict[str, tuple[Callable[[Emulator], None], str]] = {
    "created": (lambda api: api.assert_created(1), "2 interactions were created, not 1: create 200, create 200"),
    "asked": (lambda api: api.assert_asked("(?i)moon"), "nothing asked fits '(?i)moon': ['weather in Rome and Oslo'"),
    "called": (
        lambda api: api.assert_called("weather", city="Paris"),
        "weather(city='Paris') was not called: weather(city='Rome'), weather(city='Oslo')",
    ),
    "result sent": (lambda api: api.assert_result_sent("weather", "green"), "no result of weather that fits 'green'"),
    "statuses": (lambda api: api.assert_statuses(200), "the statuses are (200, 200, 400), not (200,)"),
    "resumed": (lambda api: api.assert_resumed(), "no stream was resumed: create 200"),
}


@pytest.mark.parametrize("name", FALSE)
def test_a_false_assertion_says_what_happened(used: Emulator, name: str) -> None:
    check, sentence = FALSE[name]
    with pytest.raises(AssertionError) as failure:
        check(used)
    assert sentence in str(failure.value)


def test_a_create_that_is_sent_twice_is_found_also_if_one_of_them_streams(api: Emulator, wire: Wire) -> None:
    wire.create({"model": MODEL, "input": "Hi"})
    api.assert_created_once()
    list(wire.stream({"model": MODEL, "input": "Hi"}))
    with pytest.raises(AssertionError, match="equal interactions were created: 2 times"):
        api.assert_created_once()


def test_a_run_in_progress_and_a_resumed_stream_are_seen(held: Emulator, wire: Wire) -> None:
    run = wire.create(research())
    with pytest.raises(AssertionError, match=f"interactions have not ended: {run['id']} is in_progress"):
        held.assert_all_ended()
    held.advance(3600)
    list(wire.resume(run["id"]))
    held.assert_all_ended()
    held.assert_resumed()
