"""A desk whose researcher does exactly what a test says: its model is a script, the server and the ledger are real."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.scripts import call, research_brain, said
from tests.talk import Talk, new_sessions, words
from tools.app import build_app
from tools.interactions import backend
from tools.research.api_client import InteractionsClient
from tools.research.factory import close, research
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.service import Research

Call = tuple[str, dict[str, Any]]


@dataclass
class Script:
    """The scripted answers of the models of a conversation."""

    replies: list[list[Call] | str] = field(default_factory=list)
    """Answers of the researcher's model, one per request: tool calls or text. When none is left, it says "Done."."""
    root: list[Call] = field(default_factory=list)
    """Calls of the root's model, one per request. When none is left, it transfers to the researcher."""
    asked: list[Turn] = field(default_factory=list)
    """Requests that the researcher's model got."""
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def __call__(self, turn: Turn) -> Iterator[TimedStep]:
        tools = {tool.get("name") for tool in turn.tools}
        if turn.is_agent and turn.agent_config.get("collaborative_planning"):
            yield TimedStep(60, said(f"Plan {next(self.numbers)}: look at the sea."))
        elif turn.is_agent:
            yield from research_brain(turn)
        elif "transfer_to_agent" in tools:
            name, arguments = self.root.pop(0) if self.root else ("transfer_to_agent", {"agent_name": "researcher"})
            if turn.steps[-1]["type"] == "function_result" and name == "transfer_to_agent":
                yield TimedStep(0, said("As you wish."))
            else:
                yield TimedStep(0, call(name, f"root_{next(self.numbers)}", **arguments))
        elif "start_research" in tools:
            self.asked.append(turn)
            reply = self.replies.pop(0) if self.replies else "Done."
            if isinstance(reply, str):
                yield TimedStep(0, said(reply))
            else:
                for name, arguments in reply:
                    yield TimedStep(0, call(name, f"fc_{next(self.numbers)}", **arguments))
        else:
            yield TimedStep(0, said("The moon moves the sea."))


class Desk:
    """A conversation with a scripted researcher."""

    def __init__(self, api: Emulator, script: Script, talk: Talk) -> None:
        self.api, self.script, self.talk = api, script, talk

    async def say(self, text: str, *replies: list[Call] | str, files: tuple[Any, ...] = ()) -> str:
        """Takes a turn in which the researcher's model gives these replies, and returns all its text."""
        self.script.replies[:] = replies
        return "\n\n".join(words(event) for event in await self.talk.say(text, *files))

    async def quote(self, brief: str = "Tides of the North Sea", **arguments: Any) -> Job:
        """Orders a run whose price then waits for a yes."""
        await self.say(f"research {brief}", [("start_research", {"title": "Tides", "brief": brief, **arguments})])
        job = (await self.jobs())[0]
        assert job.state is State.AWAITING_APPROVAL
        return job

    async def report(self, brief: str = "Tides of the North Sea") -> Job:
        """A finished run."""
        job = await self.quote(brief)
        await self.say("yes", [("approve", {"job_id": job.id})])
        return await self.service.job(job.id)

    def another(self, session_id: str = "") -> Desk:
        """Another conversation of the same user."""
        return Desk(self.api, self.script, Talk(build_app(), self.talk.sessions, session_id=session_id or new_id()))

    @property
    def service(self) -> Research:
        return research()

    async def delete(self, interaction_id: str) -> None:
        """Deletes an interaction at the server."""
        await InteractionsClient(backend.transport).delete(interaction_id)

    async def jobs(self) -> list[Job]:
        return await self.service.jobs("ada")

    @property
    def creates(self) -> int:
        """Creates of Deep Research that the server accepted."""
        return sum(i["target"].startswith("deep-research") for i in self.api.interactions())


def new_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def desk(script: Script, use: Any, asks: None, tmp_path: Any) -> AsyncIterator[Desk]:
    with Emulator(brain=script, speed=1e4) as api:
        use(api)
        yield Desk(api, script, Talk(build_app(), new_sessions("sqlite", tmp_path), session_id=new_id()))
        await close()
