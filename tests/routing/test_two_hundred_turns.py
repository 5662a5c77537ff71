"""A long conversation over all specialists, with an expiry, a restart and a rewind in it."""

from __future__ import annotations

import json
import time
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.scripts import call, cited, managing, picture, research_brain, said
from tests.talk import CREATES, USER, Talk, new_sessions, refusals, text_of, words
from tools.app import build_app
from tools.research import factory

TURNS = 200
EXPIRY, RESTART, REWIND = 73, 111, 152
UNDONE = (150, 151)
CYCLE = (
    ("chat", "desk"),
    ("chat", "desk"),
    ("weather in Lisbon", "assistant"),
    ("search for the tide", "assistant"),
    ("moderate this: buy", "moderator"),
    ("draw a boat", "illustrator"),
    ("research the tide", "researcher"),
    ("weather in Oslo", "assistant"),
    ("chat", "desk"),
    ("chat", "desk"),
)
ROUTES = {"research": "researcher", "weather": "assistant", "search": "assistant", "moderate": "moderator"}
ROUTES |= {"draw": "illustrator", "assistant,": "assistant", "illustrator,": "illustrator"}
PICTURE = picture()
VERDICT = {"is_safe": True, "category": "safe", "confidence": 0.9, "reason": "Fine."}


def brain(turn: Turn) -> Iterator[TimedStep]:
    """Every answer carries the number of the turn; on RECALL an agent tells all that its chain knows."""
    if turn.is_agent:
        yield from research_brain(turn)
        return
    asked = next(text_of(s) for s in reversed(turn.steps) if s["type"] == "user_input")
    number = asked.split()[-1]
    tools = {tool.get("name") for tool in turn.tools}
    last = turn.steps[-1]
    if turn.response_schema:
        yield TimedStep(0, said(json.dumps({**VERDICT, "reason": f"Fine. A{number}"})))
    elif "start_research" in tools:
        yield from managing(turn)
    elif "transfer_to_agent" in tools and (to := next((a for word, a in ROUTES.items() if word in asked), None)):
        yield TimedStep(0, call("transfer_to_agent", f"fc_{len(turn.steps)}", agent_name=to))
    elif "RECALL" in asked:
        yield TimedStep(0, said(json.dumps([step for step in turn.steps if step["type"] != "function_call"])))
    elif "image" in turn.modalities:
        yield TimedStep(0, {"type": "model_output", "content": [{"type": "text", "text": f"A{number}"}, PICTURE]})
    elif "weather" in asked and last["type"] != "function_result":
        yield TimedStep(0, call("get_weather", f"fc_{len(turn.steps)}", place=asked.split()[-2], days=1))
    elif "search" in asked:
        text = f"The tide comes. A{number}"
        yield TimedStep(0, {"type": "model_output", "content": [cited(f"{text}.", "The tide comes.")]})
    else:
        yield TimedStep(0, said(f"A{number}"))


def message(number: int) -> tuple[str, str]:
    """What is said in a turn, and who is to answer; a research costs money, so only every other time there is one."""
    text, author = CYCLE[number % 10]
    if author == "researcher" and number % 20 != 6:
        text, author = "chat", "desk"
    return f"{text} N{number:03}", author


def restarted(kind: str, folder: Path, before: Talk | None = None) -> Talk:
    """The application anew, over the same files."""
    talk = Talk(build_app(), new_sessions(kind, folder))
    if before:
        talk.artifacts = before.artifacts
        talk.runner.artifact_service = before.artifacts
    return talk


@pytest.mark.nightly
async def test_200_turns_with_expiry_restart_and_rewind_lose_nothing_and_requests_do_not_grow(
    use: Any, tmp_path: Path
) -> None:
    with Emulator(brain=brain) as api:
        use(api)
        talk = restarted("sqlite", tmp_path)
        began: list[float] = []
        undone = ""
        for number in range(TURNS):
            if number == EXPIRY:
                api.advance(56 * 86_400)  # the server has forgotten everything
            if number == RESTART:
                await factory.close()
                talk = restarted("sqlite", tmp_path, talk)
            if number == REWIND:
                await talk.runner.rewind_async(user_id=USER, session_id="s1", rewind_before_invocation_id=undone)
            text, author = message(number)
            began.append(time.time())
            events = await talk.say(text)
            undone = events[0].invocation_id if number == UNDONE[0] else undone
            assert (number, events[-1].author, events[-1].error_code) == (number, author, None)
            answer = f"AN{number:03}" if author != "researcher" else "# Tides"
            assert answer in words(events[-1])
        began.append(time.time())
        left = [n for n in range(TURNS) if n not in UNDONE]
        for who in ("", "assistant, ", "illustrator, "):
            known = words((await talk.say(f"{who}RECALL N{TURNS}"))[-1])
            assert [n for n in left if f"N{n:03}" not in known] == []
            assert [n for n in UNDONE if f"N{n:03}" in known] == []
            answers = [n for n in left if message(n)[1] in ("desk", "illustrator", "moderator")]
            assert [n for n in answers if f"AN{n:03}" not in known] == []
        await factory.close()
        assert {r["status"] for r in refusals(api)} == {404}  # each chain once in vain, after the expiry
        sent = [0] * (TURNS + 1)
        for request in api.log()["requests"]:
            sent[bisect(began, request["time"]) - 1] += request["bytes"] if request["kind"] in CREATES else 0
    assert 0 < sent[199] <= 1.05 * sent[1]
    for place in range(10):
        assert 0 < sent[180 + place] <= 1.05 * sent[20 + place], place
