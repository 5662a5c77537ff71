"""What a brain may yield: anything else fails the interaction with a sentence, and never leaves it hanging."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Ending, TextDelta, TimedStep, Turn
from wire.brains import said
from wire.conftest import AGENT, MODEL, Wire

CALL = {"type": "function_call", "id": "fc", "name": "f", "arguments": {}}
WRONG: list[tuple[Any, str]] = [
    (TextDelta(5), "step.content[0].text must be a string"),
    (TextDelta("a", "song"), "kind of a TextDelta is model_output or thought, not 'song'"),
    (TextDelta("a\ud800"), "step of type model_output holds what JSON in UTF-8 cannot hold"),
    (TextDelta("a", annotations=("b",)), "annotations must be a list of objects"),
    (TimedStep("1", said("a")), "wait of a TimedStep is a number of seconds, 0 or more, not '1'"),
    (TimedStep(float("nan"), said("a")), "0 or more, not nan"),
    (TimedStep(-1, said("a")), "0 or more, not -1"),
    (TimedStep(0, "a"), "step is not an object"),
    (TimedStep(0, {"type": "song"}), "step type 'song' is unknown"),
    (TimedStep(0, {"type": "model_output", "content": "a"}), "step.content must be a list of contents"),
    (TimedStep(0, {"type": "model_output", "content": [{"type": "txt"}]}), "content type 'txt' is unknown"),
    (TimedStep(0, {"type": "function_call", "name": "f", "arguments": {}}), "Missing id in content of type"),
    (TimedStep(0, CALL | {"arguments": "{}"}), "step.arguments of a function_call must be dict"),
    (TimedStep(0, CALL | {"arguments": {"a": {1}}}), "holds what JSON in UTF-8 cannot hold: {1}"),
    (TimedStep(0, CALL | {"arguments": {1: "a"}}), "the key 1 is no text"),
    (TimedStep(0, CALL | {"arguments": {"a": float("inf")}}), "holds what JSON in UTF-8 cannot hold: inf"),
    (TimedStep(0, {"type": "user_input", "content": []}), "an answer has no user_input"),
    (Ending(""), "status of an Ending is one of completed, requires_action, failed"),
    (Ending(5), "status of an Ending is one of completed, requires_action, failed"),
    (Ending("failed", ("it broke",)), 'errors of an Ending are a tuple of {"code": ..., "message": ...}'),
]


def error_of(brain: Any, **request: Any) -> str:
    """The message of the interaction that a brain fails to answer."""
    with Emulator(brain=brain) as api, (wire := Wire(api.url)).http:
        created = wire.create({"model": MODEL, "input": "Hi", **request})
        while created["status"] == "in_progress":
            created = wire.get(created["id"])
    assert created["status"] == "failed"
    [error] = created["errors"]
    return str(error["message"])


@pytest.mark.parametrize(("entry", "why"), WRONG)
def test_an_entry_with_a_wrong_part_fails_with_a_sentence(entry: Any, why: str) -> None:
    assert why in error_of(lambda turn: [entry])
    assert why in error_of(lambda turn: iter([entry]), background=True)


async def _async_brain(turn: Turn) -> list[TextDelta]:
    return [TextDelta("a")]


async def _async_generator(turn: Turn) -> AsyncIterator[TextDelta]:
    yield TextDelta("a")


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(
    ("brain", "why"),
    [
        (_async_brain, "a brain is a plain function, not an async one"),
        (_async_generator, "a brain is a plain function, not an async one"),
        (lambda turn: 5, "or returns a list of them, not 5"),
        (lambda turn: {"type": "model_output"}, "or returns a list of them, not {'type': 'model_output'}"),
        (lambda turn: sys.exit(3), "The brain failed: SystemExit: 3"),
        (lambda turn: pytest.fail("not that question"), "The brain failed: Failed: not that question"),
    ],
)
def test_a_brain_that_is_no_plain_function_of_entries_fails_with_a_sentence(brain: Any, why: str) -> None:
    assert why in error_of(brain)


def test_a_run_in_the_background_fails_like_any_other() -> None:
    with Emulator(brain=lambda turn: iter([TimedStep(0, said("a")), 5])) as api, (wire := Wire(api.url)).http:
        run = wire.create({"agent": AGENT, "input": "Tides", "background": True})
        events = list(wire.resume(run["id"]))
    assert events[-1]["interaction"]["status"] == "failed"


def test_a_status_that_the_api_does_not_have_is_sent_as_it_is_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with Emulator(brain=lambda turn: [Ending("dreaming")]) as api, (wire := Wire(api.url)).http:  # type: ignore[arg-type]
        assert wire.create({"model": MODEL, "input": "Hi"})["status"] == "dreaming"
    assert "the status dreaming, which the API does not have" in caplog.text
