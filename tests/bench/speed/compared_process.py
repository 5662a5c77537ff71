"""One side of a comparison, in a process of its own: `plain` is ADK and the SDK as they are, `desk` is ours.

Each line of its input is a JSON object that names what to measure; each line of its output is what was measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.agents.run_config import StreamingMode
from google.adk.apps import App
from google.adk.models import Gemini
from google.adk.sessions import BaseSessionService, DatabaseSessionService, InMemorySessionService
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from google.genai import Client, types

from tests.bench.followers import AGENT, order, resident
from tests.bench.speed.fake_api import SMALL_TALK
from tests.routing.test_two_hundred_turns import CYCLE
from tests.talk import Talk, words

MODEL = "gemini-3.8-flash"
EVENTS = 10
"""Number of events after which a stream is cut in the measurement of reconnects."""


class Plain:
    """ADK's own agent, sessions and streams."""

    def __init__(self) -> None:
        model = Gemini(model=MODEL, use_interactions_api=True)
        self.app = App(name="plain", root_agent=LlmAgent(name="plain", model=model, instruction="Be brief."))

    def sessions(self, kind: str, folder: Path) -> BaseSessionService:
        if kind == "memory":
            return InMemorySessionService()
        return SqliteSessionService(str(folder / "plain.db")) if kind == "sqlite" else DatabaseSessionService(kind)

    async def follow(self, interaction_id: str) -> int:
        self.client = getattr(self, "client", None) or Client()
        return sum([1 async for _ in await self.client.aio.interactions.get(interaction_id, stream=True)])


class Desk:
    """The desk as `desk serve` has it."""

    def __init__(self) -> None:
        from tools.app import build_app
        from tools.server.serve_process import collect_less_garbage

        self.app = build_app()
        collect_less_garbage()

    def sessions(self, kind: str, folder: Path) -> BaseSessionService:
        from tools.adk.sessions.adk_cli_sessions import AdkCliSessions
        from tools.adk.sessions.windowed_sessions import (
            WindowedDatabaseSessions,
            WindowedInMemorySessions,
            WindowedSqliteSessions,
        )

        if kind == "memory":
            return WindowedInMemorySessions()
        if kind == "adk web":
            return AdkCliSessions(str(folder / "desk.db"))
        return WindowedSqliteSessions(str(folder / "desk.db")) if kind == "sqlite" else WindowedDatabaseSessions(kind)

    async def follow(self, interaction_id: str) -> int:
        from tools.interactions import backend
        from tools.research.api_client import InteractionsClient
        from tools.research.follower import EventReceived, Follower

        follower = Follower(InteractionsClient(backend.transport), interaction_id)
        return sum([isinstance(news, EventReceived) async for news in follower.follow()])


Side = Plain | Desk
Mode = {True: StreamingMode.SSE, False: StreamingMode.NONE}


async def turns(side: Side, *, stream: bool, count: int, name: str) -> list[float]:
    """Seconds of each turn of small talk, in conversations of ten."""
    sessions, took = side.sessions("memory", Path()), list[float]()
    for number in range(count):
        talk = Talk(side.app, sessions, Mode[stream], f"{name}-{number // 10}")
        began = time.perf_counter()
        assert await talk.ask("hello") == SMALL_TALK
        took.append(time.perf_counter() - began)
    return took


async def load(side: Side, *, stream: bool, conversations: int, count: int) -> float:
    """Turns a second of conversations side by side."""
    sessions = side.sessions("memory", Path())

    async def converse(number: int) -> None:
        talk = Talk(side.app, sessions, Mode[stream], f"load-{number}")
        for _ in range(count):
            assert await talk.ask("hello") == SMALL_TALK

    began = time.perf_counter()
    await asyncio.gather(*map(converse, range(conversations)))
    return conversations * count / (time.perf_counter() - began)


async def grown(side: Side, *, kind: str, folder: str, lengths: list[int], name: str = "s1") -> list[list[float]]:
    """Seconds of seven turns of small talk each, in a conversation of each length (in turns)."""
    talk = Talk(side.app, side.sessions(kind, Path(folder)), StreamingMode.SSE, name)
    found = list[list[float]]()
    await talk.ask("hello")
    for length in lengths:
        session = await talk.session()
        last = session.events[-1]
        while len(session.events) < 2 * length:  # as the turn before left them
            for event in (session.events[0], last):
                again = event.model_copy(update={"id": uuid.uuid4().hex, "timestamp": time.time()}, deep=True)
                await talk.sessions.append_event(session, again)
        took = list[float]()
        for _ in range(7):
            began = time.perf_counter()
            await talk.ask("hello")
            took.append(time.perf_counter() - began)
        found.append(took)
    return found


async def long(side: Side, *, kind: str, folder: str, count: int) -> dict[str, list[float]]:
    """Seconds of each turn of one conversation over all specialists, and when each began. It may forget no message."""
    talk, began = Talk(side.app, side.sessions(kind, Path(folder)), StreamingMode.SSE), list[float]()
    took = list[float]()
    for number in range(count):
        text, author = said_in(number)
        began.append(time.time())
        start = time.perf_counter()
        events = await talk.say(text)
        took.append(time.perf_counter() - start)
        assert (events[-1].author, events[-1].error_code) == (author, None), (number, events[-1])
    began.append(time.time())
    known = words((await talk.say(f"RECALL N{count}"))[-1])
    missing = [number for number in range(count) if f"N{number:03}" not in known]
    assert not missing, missing
    _grown["talk"] = talk
    return {"took": took, "began": began}


_grown = dict[str, Talk]()
"""The conversation that `long` has left behind."""


async def cycles(side: Side, *, number: int) -> tuple[float, float]:
    """Seconds of a turn in the conversation of `long`, and in a new one: each the mean of 20 turns, without orders.

    Args:
        number: how often this was measured before.
    """
    from tools.research import factory

    late = _grown["talk"]
    early = Talk(side.app, late.sessions, StreamingMode.SSE, f"short-{number}")
    for at in range(10, 20):
        await early.say(said_in(at)[0])
    spent = [0.0, 0.0]
    for at in range(20, 40):
        for place, talk in enumerate((late, early)):
            began = time.perf_counter()
            await talk.say(said_in(at)[0])
            spent[place] += time.perf_counter() - began
    await factory.close()
    return spent[0] / 20, spent[1] / 20


def said_in(number: int) -> tuple[str, str]:
    """The message of a turn, and the agent that must answer. Few order research: a user may order 20 runs a day."""
    text, author = CYCLE[number % 10]
    if author == "researcher" and number % 50 != 6:
        text, author = "chat", "desk"
    return f"{text} N{number:03}", author


async def picture(side: Side) -> float:
    """The longest time for which nothing else could run while a picture of 4 MB came, in seconds."""
    talk, worst = Talk(side.app, side.sessions("memory", Path()), StreamingMode.SSE), 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - began - 0.001)

    await talk.ask("hello")
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    worst = 0.0
    seen = [event async for event in talk.events("draw a large picture")]
    watching.cancel()
    assert any(event.actions.artifact_delta or (event.content and has_file(event.content)) for event in seen)
    return worst


def has_file(content: types.Content) -> bool:
    return any(part.inline_data for part in content.parts or ())


async def follow(side: Side, *, interaction_id: str, times: int) -> float:
    """CPU seconds of an event of a research that is over, from its first event to its last."""
    await side.follow(interaction_id)
    began, count = time.process_time(), 0
    for _ in range(times):
        count += await side.follow(interaction_id)
    return (time.process_time() - began) / count


async def many(side: Side, *, count: int) -> dict[str, float]:
    """Memory and time of many runs at once: starts them, waits until all run, and lets them end."""
    from tests.bench.followers import control
    from tools.research.factory import close, research
    from tools.research.job_states import State

    service, url = research(), os.environ["GOOGLE_GEMINI_BASE_URL"]
    await service.start(order(-1))
    await until(lambda: service.ledger.count_by_state(), State.RUNNING, 1)
    before = resident()
    jobs = [(await service.start(order(number)))[0] for number in range(count)]
    await until(lambda: service.ledger.count_by_state(), State.RUNNING, count + 1)
    log: Any = await control(url, "log")
    most = waiting = resident()
    began = time.perf_counter()
    passing = asyncio.create_task(control(url, "clock", {"advance": 10_000}))
    while (await service.ledger.count_by_state())[State.COMPLETED] <= count:
        most = max(most, resident())
        await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    await passing
    size = len(await service.ledger.report(jobs[0].id) or "")
    await close()
    return {
        "open": log["connections"]["open"],
        "seconds": took,
        "peak": (most - before) / count,
        "waiting": (waiting - before) / count,
        "report": size,
    }


async def until(states: Callable[[], Awaitable[Any]], state: Any, count: int) -> None:
    while (await states())[state] < count:
        await asyncio.sleep(0.05)


async def reconnect(side: Side, *, times: int) -> list[float]:
    """Seconds from the last event before a cut to the next one shown."""
    from tests.bench.followers import control
    from tools.interactions import backend
    from tools.research.api_client import CreateRequest, InteractionsClient
    from tools.research.follower import EventReceived, Follower

    cuts = [{"on": "create_stream", "cut_after": EVENTS}, {"on": "resume", "cut_after": EVENTS, "times": times}]
    for cut in cuts:
        await control(os.environ["GOOGLE_GEMINI_BASE_URL"], "faults", cut)
    client = InteractionsClient(backend.transport)
    stream = client.create(CreateRequest(AGENT, "many events, unfinished", {}))
    created = await anext(stream)
    follower = Follower(client, created["interaction"]["id"])
    seen, gaps = time.perf_counter(), list[float]()
    async for news in follower.follow(stream):
        if isinstance(news, EventReceived):
            gaps.append(time.perf_counter() - seen)
            seen = time.perf_counter()
            if len(gaps) > times * EVENTS:
                break
    return sorted(gaps)[-times:]


MEASURES: dict[str, Callable[..., Awaitable[Any]]] = {
    each.__name__: each for each in (turns, load, grown, long, cycles, picture, follow, many, reconnect)
}


async def main(side: Side) -> None:
    for line in iter(sys.stdin.readline, ""):
        wish = json.loads(line)
        print(json.dumps(await MEASURES[wish.pop("what")](side, **wish)), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(Desk() if sys.argv[1] == "desk" else Plain()))
