"""Plays turns of an agent where the A2A SDK is missing, and counts how often ADK executes the modules that need it."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

TURNS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
CALLS = int(sys.argv[2]) if len(sys.argv) > 2 else 50
executed: Counter[str] = Counter()


class Missing:
    """Makes imports of a2a fail, as if it were not installed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "a2a":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "exec" and (file := Path(arguments[0].co_filename)).name.endswith("remote_a2a_agent.py"):
        executed[file.name] += 1


sys.meta_path.insert(0, Missing())
sys.addaudithook(watch)

from google.adk import Runner  # noqa: E402
from google.adk.agents import LlmAgent  # noqa: E402
from google.adk.models.base_llm import BaseLlm  # noqa: E402
from google.adk.models.llm_response import LlmResponse  # noqa: E402
from google.adk.sessions import InMemorySessionService  # noqa: E402
from google.adk.workflow.utils._workflow_graph_utils import build_node  # noqa: E402
from google.genai.types import Content, GenerateContentResponseUsageMetadata, Part  # noqa: E402


class Parrot(BaseLlm):
    async def generate_content_async(self, request: Any, stream: bool = False) -> Any:
        usage = GenerateContentResponseUsageMetadata(prompt_token_count=1, candidates_token_count=1)
        yield LlmResponse(content=Content(role="model", parts=[Part(text="Hello!")]), usage_metadata=usage)


async def play(agent: LlmAgent, turns: int) -> None:
    runner = Runner(app_name="app", agent=agent, session_service=InMemorySessionService(), auto_create_session=True)
    said = Content(role="user", parts=[Part(text="Hello!")])
    for _ in range(turns):
        async for _ in runner.run_async(user_id="u", session_id="s", new_message=said):
            pass


def cost(agent: LlmAgent) -> float:
    """The median duration of a call of build_node, in milliseconds."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        build_node(agent)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


agent = LlmAgent(name="parrot", model=Parrot(model="parrot"))
asyncio.run(play(agent, 1))
executed.clear()
asyncio.run(play(agent, TURNS))
print(f"google-adk {version('google-adk')}, without a2a: {TURNS} turns execute", end=" ")
print(" and ".join(f"{name} {count} times" for name, count in sorted(executed.items())) or "nothing again")

compiled = cost(agent)
with tempfile.TemporaryDirectory() as empty:  # as on a machine that stores no .pyc files
    sys.pycache_prefix, sys.dont_write_bytecode = empty, True
    uncompiled = cost(agent)
sys.modules["google.adk.agents.remote_a2a_agent"] = None  # type: ignore[assignment]
print(
    f"build_node: {compiled:.2f} ms, {uncompiled:.1f} ms without .pyc, {cost(agent):.2f} ms if the import is not tried"
)
