"""An MCP server in this process, with the SDK's own client, and the emulator behind it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.kill.test_kill import researches
from tests.scripts import research_brain, said
from tools.mcp_server.server import build_server
from tools.research.factory import close, research
from tools.research.service import Research

BRIEF = "The tides of the North Sea"
ERAS = ("legacy", "2026-07-28")
"""Modes of the client: with the handshake of the older versions, and the newest version without one."""


class Brain:
    """Plans, researches, and answers questions with a number."""

    def __init__(self) -> None:
        self.answers = 0
        self.report = ""
        """The text of each report; empty: the report of `research_brain`."""

    def __call__(self, turn: Turn) -> Iterator[TimedStep]:
        if turn.is_agent and turn.agent_config.get("collaborative_planning"):
            yield TimedStep(60, said("1. Look at the sea."))
        elif turn.is_agent and self.report:
            yield TimedStep(60, said(self.report))
        elif turn.is_agent:
            yield from research_brain(turn)
        else:
            self.answers += 1
            yield TimedStep(0, said(f"The moon, answer {self.answers}."))


@dataclass
class Desk:
    """What the tests look at."""

    api: Emulator
    brain: Brain
    asked: list[str] = field(default_factory=list)
    """The questions that clients have shown to their person."""

    @property
    def service(self) -> Research:
        return research()

    @property
    def runs(self) -> int:
        """How many plans and runs were bought."""
        return len(researches(self.api))

    def client(self, answer: Any = None, *, user: str = "ada", mode: str = "legacy", **server: Any) -> Client:
        """A client of an own server, for a user.

        Args:
            answer: the person's answer to each question, or a function that waits for it; None: the client has no
                elicitation.
        """

        async def elicit(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
            self.asked.append(params.message)
            found = answer() if callable(answer) else answer
            return found if isinstance(found, types.ElicitResult) else await found

        callback = {"elicitation_callback": elicit} if answer else {}
        return Client(build_server(lambda _: user, **server), mode=mode, **callback)


YES = types.ElicitResult(action="accept", content={"start": True})


@pytest.fixture
def brain() -> Brain:
    return Brain()


@pytest.fixture
async def desk(use: Any, asks: None, brain: Brain) -> AsyncIterator[Desk]:
    with Emulator(brain=brain, speed=math.inf) as api:
        use(api)
        yield Desk(api, brain)
        await close()


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Calls a tool, and returns its data."""
    result = await client.call_tool(f"research_{tool}", arguments)
    assert not result.is_error, result
    return dict(result.structured_content)


async def text(client: Client, tool: str, **arguments: Any) -> str:
    """Calls a tool, and returns its text."""
    result = await client.call_tool(f"research_{tool}", arguments)
    assert not result.is_error, result
    return words(result)


async def error(client: Client, tool: str, **arguments: Any) -> str:
    """Calls a tool that refuses, and returns its sentence."""
    result = await client.call_tool(f"research_{tool}", arguments)
    assert result.is_error, result
    assert "Traceback" not in words(result)
    return words(result)


def words(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


CALL = '{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": %s}'
INVALID = {
    "no JSON": ("{no json", -32700, None),
    "nine thousand levels": (CALL % ("[" * 9_000), -32700, None),
    "no number": (CALL % '{"name": NaN}', -32700, None),
    "a batch": (f"[{CALL % '{}'}]", -32600, None),
    "a number": ("7", -32600, None),
    "another version": ('{"jsonrpc": "1.0", "id": 7, "method": "ping"}', -32600, 7),
    "no method": ('{"jsonrpc": "2.0", "id": "x"}', -32600, "x"),
    "no id that can be repeated": ('{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', -32600, None),
    "an id that is null": ('{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600, None),
    "an id that is an object": ('{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600, None),
    "an answer with a wrong error": ('{"jsonrpc": "2.0", "id": 7, "error": "no"}', -32600, None),
    "a list of params": (CALL % "[1]", -32602, 7),
    "an empty list of params": (CALL % "[]", -32602, 7),
    "a text of params": (CALL % '"all"', -32602, 7),
    "half a surrogate pair": (CALL % '{"name": "research_list", "arguments": {"page": "\\ud800"}}', -32602, 7),
    "300 levels": (CALL % ('{"a": ' + "[" * 300 + "]" * 300 + "}"), -32602, 7),
}
"""What clients send that is no message of the protocol, with the code and the id of the error that they get."""
