"""Agents that clients define: a built-in agent with instructions and tools of their own.

POST, GET    /{version}/agents
GET, DELETE  /{version}/agents/{id}
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from interactions_emulator.brain.protocol import Brain, Ending, Entry, Turn
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.errors import Refused
from interactions_emulator.ids import new_id
from interactions_emulator.requests.create import parse_create
from interactions_emulator.requests.vocabulary import AGENTS

RESEARCH = "deep-research"
"""Prefix of the agents that the built-in brain plays."""
NO_SANDBOX = "the emulator has no sandbox, in which agents run code and keep files"
FIELDS = ("agent_config", "base_agent", "base_environment", "description", "system_instruction", "tools")
_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")


class Agents:
    """The agents that clients have defined. Methods raise `Refused` (400, 404, 409).

    `play_all`: whether the server's brain or scenarios may play any agent, of whatever name.
    """

    def __init__(self, journal: Journal, play_all: bool) -> None:
        self._journal = journal
        self._play_all = play_all
        self._all: dict[str, dict[str, Any]] = dict(journal.read("agent"))

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        agent_id = body.get("id") or new_id()
        if not isinstance(agent_id, str) or not _ID.fullmatch(agent_id):
            raise Refused(400, f"id {agent_id!r} is not allowed: at most 63 lower-case letters, digits, _ and -")
        if agent_id in self._all or agent_id in AGENTS:
            raise Refused(409, f"Agent {agent_id} exists already: choose another id, or delete the agent")
        base = body.get("base_agent")
        if not isinstance(base, str) or (base not in AGENTS and base not in self._all and not self._play_all):
            raise Refused(400, f"base_agent is one of {', '.join(sorted(AGENTS))}, not {base!r}")
        agent = {"id": agent_id} | {name: body[name] for name in FIELDS if body.get(name) is not None}
        _check_tools_and_texts(agent)
        self._all[agent_id] = agent
        self._journal.write(("agent", agent_id, agent))
        return agent

    def show(self) -> list[dict[str, Any]]:
        return list(self._all.values())

    def find(self, agent_id: str) -> dict[str, Any]:
        if agent_id not in self._all:
            builtin = " It is a built-in agent, which has no definition." if agent_id in AGENTS else ""
            raise Refused(404, f"Agent {agent_id} was not found: nobody has created it, or it was deleted.{builtin}")
        return self._all[agent_id]

    def delete(self, agent_id: str) -> dict[str, Any]:
        self.find(agent_id)
        del self._all[agent_id]
        self._journal.write(("agent", agent_id, None))
        return {}

    def check_playable(self, name: str) -> None:
        """Raise `Refused` (400, 404) if the server cannot play the agent that a request names."""
        if self._play_all:
            return
        base = self._base(name)
        if base not in AGENTS and not base.startswith(RESEARCH):
            raise Refused(404, f"Agent {name} was not found: create it, or use one of {', '.join(sorted(AGENTS))}")
        if not base.startswith(RESEARCH):
            raise Refused(400, f"Agent {name} cannot run here, because {NO_SANDBOX}.")

    def check_environment(self, environment: Any) -> None:
        """Raise `Refused` (400) if the server cannot run something in the environment of a request."""
        if environment is not None and not self._play_all:
            raise Refused(400, f"environment cannot be used here, because {NO_SANDBOX}: leave it out.")

    def with_definitions(self, brain: Brain) -> Brain:
        """Return a brain that is asked with the instructions and tools of a defined agent."""

        def answer(turn: Turn) -> Iterable[Entry]:
            defined = self._definitions(turn.target) if turn.is_agent else []
            if not defined:
                return brain(turn)
            values = {name: next((one[name] for one in defined if name in one), None) for name in FIELDS}
            instructions = [text for one in reversed(defined) if (text := one.get("system_instruction"))]
            return brain(
                replace(
                    turn,
                    system_instruction="\n".join([*instructions, turn.system_instruction]).strip(),
                    tools=turn.tools or tuple(values["tools"] or ()),
                    agent_config=turn.agent_config or values["agent_config"] or {},
                )
            )

        return answer

    def only_research(self, brain: Brain) -> Brain:
        """Return the built-in brain for agents that it can play; any other agent fails with the reason."""

        def answer(turn: Turn) -> Iterable[Entry]:
            if turn.is_agent and not self._base(turn.target).startswith(RESEARCH):
                message = f"Agent {turn.target} cannot run here, because {NO_SANDBOX}."
                return [Ending("failed", ({"code": "unimplemented", "message": message},))]
            return brain(turn)

        return answer

    def _base(self, name: str) -> str:
        defined = self._definitions(name)
        return str(defined[-1]["base_agent"]) if defined else name

    def _definitions(self, name: str) -> list[dict[str, Any]]:
        """The definitions of an agent and of the agents that it is based on."""
        found: list[dict[str, Any]] = []
        while name in self._all and self._all[name] not in found:
            found.append(self._all[name])
            name = str(self._all[name]["base_agent"])
        return found


def _check_tools_and_texts(agent: dict[str, Any]) -> None:
    """Check the fields of a definition in the same way as the fields of a request. Raises `Refused` (400)."""
    for name in ("description", "system_instruction"):
        if not isinstance(agent.get(name, ""), str):
            raise Refused(400, f"{name} is a string, not {agent[name]!r:.100}")
    request = {"agent": agent["id"], "input": "x", "background": True}
    given = {name: agent[name] for name in ("tools", "agent_config") if name in agent}
    parse_create(to_json(request | given))
