"""The creates of Deep Research are counted at the server, or not known."""

from __future__ import annotations

import math
from typing import Any

import pytest

from evals.emulator_control import TURNS_PER_READ, CreateCount
from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.scripts import said
from tools.interactions import backend

AGENT = "deep-research-preview-04-2026"


def brief(turn: Turn) -> list[TimedStep]:
    return [TimedStep(0, said("Tides come twice a day."))]


async def create(**body: Any) -> str:
    return str((await backend.transport().answer({"input": "Tides", **body}))["id"])


async def test_only_deep_research_creates_are_counted(use: Any) -> None:
    with Emulator(brain=brief, speed=math.inf) as api:
        use(api)
        await create(agent=AGENT, background=True)
        count = CreateCount()
        await count.begin()
        await create(model="gemini-3.8-flash")
        forgotten = await create(agent=AGENT, background=True)
        await create(agent=AGENT, background=True)
        await backend.transport().delete(forgotten)
        await count.read()
    assert count.creates == 2  # not the one from before; the deleted one was paid for


async def test_the_server_log_is_read_only_after_a_fixed_number_of_turns(use: Any) -> None:
    with Emulator(brain=brief, speed=math.inf) as api:
        use(api)
        count = CreateCount()
        await count.begin()
        await create(agent=AGENT, background=True)
        await count.read(TURNS_PER_READ - 1)
        assert count.creates == 0
        await count.read(1)
        assert count.creates == 1


async def test_the_create_count_is_unknown_if_the_log_was_read_too_late(
    use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.emulator_control.KEPT_BODIES", 2)
    with Emulator(brain=brief, speed=math.inf) as api:
        use(api)
        count = CreateCount()
        await count.begin()
        for _ in range(3):
            await create(agent=AGENT, background=True)
        await count.read()
        await count.read()
    assert count.creates is None


async def test_the_create_count_is_unknown_for_a_server_other_than_the_emulator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    count = CreateCount()
    await count.begin()
    await count.read()
    assert count.creates is None
