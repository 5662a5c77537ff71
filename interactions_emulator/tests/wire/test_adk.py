"""ADK's own agents on the emulator, as ADK ships them: nothing of this project stands in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.adk.agents import BaseAgent, LlmAgent, ManagedAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.events import Event
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner
from google.genai import Client, types

from interactions_emulator import Emulator
from wire.conftest import AGENT, MODEL

DOCUMENTS = {
    "costs.md": "# Costs\n\nThe cost of tidal power from an old barrage is low, since the dam is paid for.\n",
    "nature.md": "# Nature\n\nA barrage changes mud flats. The impact of tidal power on nature is small.\n",
}
STREAMING = [StreamingMode.NONE, StreamingMode.SSE]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Emulator, Client]]:
    """An emulator with two documents, and a client of it."""
    for name, text in DOCUMENTS.items():
        (tmp_path / name).write_text(text)
    with Emulator(corpus=tmp_path) as api:
        client = Client(api_key="any", vertexai=False, http_options={"base_url": api.url})
        yield api, client
        await client.aio.aclose()
        client.close()


def get_weather(place: str) -> dict[str, str]:
    """Gets the current weather of a place, such as Rome."""
    return {"place": place, "temperature": "21 °C"}


class Conversation:
    """A session with an agent."""

    def __init__(self, agent: BaseAgent, mode: StreamingMode) -> None:
        self._runner = InMemoryRunner(agent=agent, app_name="conversation")
        self._runner.auto_create_session = True
        self._config = RunConfig(streaming_mode=mode)

    async def say(self, text: str) -> list[Event]:
        """What the agent does then."""
        message = types.UserContent(text)
        events = self._runner.run_async(user_id="ada", session_id="one", new_message=message, run_config=self._config)
        return [event async for event in events]


def whole_text(events: list[Event]) -> str:
    """What is said at last, without thoughts."""
    parts = [part for event in events if not event.partial and event.content for part in event.content.parts or []]
    return "".join(part.text or "" for part in parts if not part.thought)


def new_assistant(client: Client) -> LlmAgent:
    model = Gemini(model=MODEL, use_interactions_api=True, client=client)
    return LlmAgent(name="assistant", model=model, instruction="You help.", tools=[get_weather])


@pytest.mark.parametrize("mode", STREAMING)
async def test_an_adk_agent_calls_a_tool_and_reports_its_result(
    desk: tuple[Emulator, Client], mode: StreamingMode
) -> None:
    api, client = desk
    events = await Conversation(new_assistant(client), mode).say("What is the weather in Lisbon?")
    calls = [call for event in events if not event.partial for call in event.get_function_calls()]
    assert [(call.name, call.args) for call in calls] == [("get_weather", {"place": "Lisbon"})]
    assert "21 °C" in whole_text(events)
    assert [line["status"] for line in api.interactions()] == ["requires_action", "completed"]


@pytest.mark.parametrize("mode", STREAMING)
async def test_turns_of_an_adk_agent_form_one_chain(desk: tuple[Emulator, Client], mode: StreamingMode) -> None:
    api, client = desk
    conversation = Conversation(new_assistant(client), mode)
    first = await conversation.say("Hello, my name is Ada.")
    second = await conversation.say("What is my name?")
    assert "Ada" in whole_text(second)
    ids = [line["id"] for line in api.interactions()]
    assert [event.interaction_id for event in (first[-1], second[-1])] == ids
    assert client.interactions.get(id=ids[1]).previous_interaction_id == ids[0]
    told = client.interactions.get(id=ids[1], include_input=True).steps or []
    assert "What is my name?" in str(told[0]) and "Hello" not in str(told[0])  # earlier messages are in the chain


async def test_an_adk_managed_agent_returns_a_research_report(desk: tuple[Emulator, Client]) -> None:
    api, client = desk
    agent = ManagedAgent(
        name="researcher",
        agent_id=AGENT,
        agent_config={"type": "deep-research", "thinking_summaries": "auto"},
        api_client=client,
    )
    events = await Conversation(agent, StreamingMode.SSE).say("Research tidal power: costs and nature")
    assert not [event.error_message for event in events if event.error_code]
    parts = [part for event in events if event.content for part in event.content.parts or []]
    assert [part for part in parts if part.thought and part.text]
    [line] = api.interactions()
    assert line["status"] == "completed"
    report = client.interactions.get(id=line["id"]).output_text
    assert report and report in whole_text(events)
