"""The fake API that both sides call: an emulator whose answers take no time, in a process that ends with its input."""

from __future__ import annotations

import base64
import math
import os
import sys
from collections.abc import Iterator

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.routing.test_two_hundred_turns import brain as conversation
from tests.scripts import said, thought
from tests.talk import text_of

SMALL_TALK = "The moon pulls the sea and the tide follows. " * 8
PICTURE = {
    "type": "image",
    "mime_type": "image/png",
    "data": base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(4_000_000)).decode(),
}
"""A picture of 4 MB."""
THOUGHTS = 200


def brain(turn: Turn) -> list[TimedStep]:
    """The steps as a list, so that the server sends them at once."""
    return [*beats(turn)]


def beats(turn: Turn) -> Iterator[TimedStep]:
    """Small talk in pieces, a large picture, researches with many events; else the long conversation of the tests."""
    asked = next((text_of(step) for step in reversed(turn.steps) if step["type"] == "user_input"), "")
    if turn.is_agent and "many events" in asked:
        for number in range(THOUGHTS):
            yield TimedStep(0, thought(f"**Step {number}**\n\n{'The moon pulls the sea. ' * 20}"))
        yield TimedStep(math.inf if "unfinished" in asked else 0, said("# Tides\n\nThe moon moves the sea."))
    elif "hello" in asked:
        yield TimedStep(0, said(SMALL_TALK))
        if "unfinished" in asked:
            yield TimedStep(math.inf, said("More."))
    elif "a large picture" in asked:
        yield TimedStep(0, {"type": "model_output", "content": [PICTURE]})
    else:
        yield from conversation(turn)


if __name__ == "__main__":
    with Emulator(brain=brain, speed=float(sys.argv[1])) as api:
        print(api.url, flush=True)
        sys.stdin.read()
