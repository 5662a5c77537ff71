"""What the moderator promises: a schema on the wire, one repair, and never "safe" by default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode
from google.adk.sessions import InMemorySessionService

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.routing.test_conversation import VERDICT
from tests.scripts import call, said
from tests.talk import Talk, words
from tools.app import build_app

SAFE = {"is_safe": True, "category": "safe", "confidence": 0.97, "reason": "Nothing in it."}


class Moderation:
    """A root that hands over to the moderator, whose answers are scripted; keeps the turns it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[Turn]()

    def __call__(self, turn: Turn) -> Iterator[TimedStep]:
        if turn.response_schema:
            self.asked.append(turn)
            yield TimedStep(0, said(self.answers.pop(0)))
        else:
            yield TimedStep(0, call("transfer_to_agent", f"fc_{len(turn.steps)}", agent_name="moderator"))


async def moderate(moderation: Moderation, use: Any, mode: StreamingMode = StreamingMode.NONE) -> Any:
    with Emulator(brain=moderation) as api:
        use(api)
        return (await Talk(build_app(), InMemorySessionService(), mode).say("moderate: buy!"))[-1]


@pytest.mark.parametrize("mode", [StreamingMode.NONE, StreamingMode.SSE])
async def test_the_verdict_is_shown_as_a_sentence_and_returned_as_data(use: Any, mode: StreamingMode) -> None:
    moderation = Moderation(json.dumps(VERDICT))
    event = await moderate(moderation, use, mode)
    assert words(event) == "**Verdict: not safe, spam** (confidence 0.90). It sells."
    assert event.output == VERDICT
    schema = moderation.asked[0].response_schema or {}
    assert schema["required"] == ["is_safe", "category", "confidence", "reason"]


@pytest.mark.parametrize(
    ("message", "several"),
    [
        ("Is this spam: 'Buy pills now'? And is this harmful: 'I will hurt you tonight'?", True),
        ("moderate “Buy now” and “Good morning”", True),
        ("moderate: 'Don't they say \"hello there\" to us?'", False),
        ("moderate: it's Tom's and it isn't Ann's", False),
    ],
)
async def test_one_verdict_on_several_quoted_texts_says_that_it_is_one(use: Any, message: str, several: bool) -> None:
    with Emulator(brain=Moderation(json.dumps(VERDICT))) as api:
        use(api)
        event = (await Talk(build_app(), InMemorySessionService(), StreamingMode.NONE).say(message))[-1]
    assert ("one verdict for the whole message" in words(event)) == several
    assert event.output == VERDICT


async def test_each_text_is_judged_independently(use: Any) -> None:
    moderation = Moderation(json.dumps(VERDICT), json.dumps(SAFE))
    with Emulator(brain=moderation) as api:
        use(api)
        talk = Talk(build_app(), InMemorySessionService(), StreamingMode.NONE)
        for text in ("moderate: buy!", "moderate: good morning"):
            await talk.say(text)
    assert "good morning" in str(moderation.asked[1].steps)
    assert "buy!" not in str(moderation.asked[1].steps)


async def test_an_invalid_answer_is_repaired_once(use: Any) -> None:
    moderation = Moderation('{"is_safe": "perhaps"}', json.dumps(SAFE))
    event = await moderate(moderation, use)
    assert event.output == SAFE
    assert "does not match the required schema" in json.dumps(moderation.asked[1].steps)


@pytest.mark.parametrize("answer", ["Looks fine to me!", '{"is_safe": true}', json.dumps({**SAFE, "confidence": 7})])
async def test_an_answer_that_stays_invalid_is_reported_as_not_moderated(use: Any, answer: str) -> None:
    moderation = Moderation(answer, answer)
    event = await moderate(moderation, use)
    assert words(event).startswith("**Not moderated.**")
    assert (event.error_code, event.output, len(moderation.asked)) == ("INVALID_OUTPUT", None, 2)


async def test_a_contradictory_verdict_is_reported_as_invalid_output(use: Any) -> None:
    contradiction = json.dumps({**SAFE, "category": "harmful"})
    event = await moderate(Moderation(contradiction, contradiction), use)
    assert (event.error_code, event.output) == ("INVALID_OUTPUT", None)
