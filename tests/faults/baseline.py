"""Plays the same cells with ADK's own `ManagedAgent`: the same questions at the same server."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import httpx
from google.adk.agents import ManagedAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.events import Event
from google.adk.runners import Runner
from google.adk.sessions import BaseSessionService, InMemorySessionService, Session
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from google.genai import Client, types
from sqlalchemy.engine import make_url

from interactions_emulator import Emulator
from tests.faults.cells import Cell
from tests.faults.ledger_write_kills import READY, Kill, KillSwitch, play_kill_of, work_and_report
from tests.faults.run import AGENT, ASKED, Outcome, Place, TurnResult, judge, new_brief, prepare

PATIENCE = 2.0
"""Real seconds after the end of a research until a turn counts as hanging: more than six times the silence after which
the desk gives a stream up.
"""
HURRY = types.HttpRetryOptions(initial_delay=0.01, max_delay=0.02)
"""As many retries as the SDK makes by itself, with shorter waits."""


async def play_managed_agent(place: Place, cell: Cell) -> Outcome:
    """Plays a cell with a plain `ManagedAgent`."""
    brief = new_brief(cell.status)
    await prepare(place, cell)
    told = await ask_until_report(place, InMemorySessionService(), brief)
    return judge(told, [], await place.researches(brief))


async def play_managed_agent_kill(place: Place, kill: Kill) -> Outcome:
    """A process with a plain `ManagedAgent` and its session in a file is killed; another one asks the same again."""
    return await play_kill_of(process_main, place, kill)


def process_main(sender: Connection, port: int, ledger: str, brief: str, side: str, number: int) -> None:
    """The main function of the process: asks, and sends the result of each turn."""

    async def ask() -> None:
        place = Place(Emulator(port=port), ledger)
        sessions = MortalSessions(f"{make_url(ledger).database}.sessions", side, number)
        sender.send(READY)
        for told in await ask_until_report(place, sessions, brief):
            sender.send(told)

    work_and_report(sender, ask)


class MortalSessions(SqliteSessionService):
    """Sessions in a file whose process is killed at one of its writes."""

    def __init__(self, path: str, side: str, number: int) -> None:
        super().__init__(path)
        self._kill_switch = KillSwitch(side, number)

    async def create_session(self, **values: Any) -> Session:
        with self._kill_switch.around_a_write():
            return await super().create_session(**values)

    async def append_event(self, session: Session, event: Event) -> Event:
        with self._kill_switch.around_a_write():
            return await super().append_event(session, event)


def new_client(place: Place) -> Client:
    """The client that `ManagedAgent` would create, except that its connections can be refused."""

    async def refuse(request: httpx.Request) -> None:
        if place.refusals:
            place.refusals -= 1
            request.url = httpx.URL(place.nowhere).join(request.url.raw_path.decode())

    options = types.HttpOptions(
        base_url=place.api.url, retry_options=HURRY, async_client_args={"event_hooks": {"request": [refuse]}}
    )
    return Client(enterprise=False, api_key="none", http_options=options)


async def ask_until_report(place: Place, sessions: BaseSessionService, brief: str) -> list[TurnResult]:
    """Asks until there is a report, at most `ASKED` times in one session. Returns the result of each turn."""
    client = new_client(place)
    agent = ManagedAgent(
        name="researcher",
        agent_id=AGENT,
        agent_config={"type": "deep-research", "thinking_summaries": "auto"},
        api_client=client,
    )
    told: list[TurnResult] = []
    runner = Runner(agent=agent, app_name="baseline", session_service=sessions, auto_create_session=True)
    while len(told) < ASKED and not (told and told[-1].report):
        turn = Turn()
        try:
            await place.while_time_passes(turn.run(runner, brief), PATIENCE)
        except TimeoutError:
            turn.hangs = True
        told.append(turn.told())
    await runner.close()
    await client.aio.aclose()
    return told


@dataclass
class Turn:
    """The output of a turn. Streamed text counts only if no complete text follows."""

    streamed: str = ""
    whole: str = ""
    error: str = ""
    hangs: bool = False

    async def run(self, runner: Runner, brief: str) -> None:
        async for event in runner.run_async(
            user_id="ada",
            session_id=brief,
            new_message=types.UserContent(brief),
            run_config=RunConfig(streaming_mode=StreamingMode.SSE),
        ):
            parts = event.content.parts or [] if event.content else []
            text = "".join(part.text or "" for part in parts if not part.thought)
            if event.partial:
                self.streamed += text
            else:
                self.whole += text
            if event.error_code:
                self.error = event.error_message or event.error_code

    def told(self) -> TurnResult:
        text = self.whole or self.streamed
        state = "error" if self.error else "hangs" if self.hangs else "answer" if text else "nothing"
        return TurnResult(state, text if text and not self.error else None, self.error)
