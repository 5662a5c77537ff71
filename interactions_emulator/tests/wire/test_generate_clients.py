"""generateContent as its clients use it: chats, functions and schemas of the SDK, and ADK's default model."""

from __future__ import annotations

import enum
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner
from google.genai import types
from pydantic import BaseModel

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TextDelta, Turn
from wire.brains import brain as scripted
from wire.brains import said
from wire.conftest import MODEL
from wire.test_generate import sdk

__all__ = ["sdk"]  # a fixture


async def test_a_chat_sends_its_history_and_streams(client: genai.Client) -> None:
    chat = client.aio.chats.create(model=MODEL, config={"system_instruction": "Be brief."})
    assert (await chat.send_message("hello")).text == "You said: hello"
    chunks = [chunk async for chunk in await chat.send_message_stream("show the turn")]
    assert "".join(chunk.text or "" for chunk in chunks) == "tools=0 system='Be brief.' steps=3"
    assert len(chunks) > 2  # the text comes in pieces
    ends = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
    assert ends == [None] * (len(chunks) - 1) + [types.FinishReason.STOP]
    assert [bool(chunk.usage_metadata) for chunk in chunks] == [bool(end) for end in ends]


def test_the_sdk_calls_python_functions_by_itself(sdk: genai.Client) -> None:
    asked: list[str] = []

    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return f"sun in {city}"

    chat = sdk.chats.create(model=MODEL, config={"tools": [weather]})
    answer = chat.send_message("weather in Rome and Oslo").text
    assert asked == ["Rome", "Oslo"]
    assert answer == "results: [{'result': 'sun in Rome'}, {'result': 'sun in Oslo'}]"


def test_structured_answers_are_parsed_by_the_sdk() -> None:
    class Person(BaseModel):
        name: str
        age: int | None = None

    class Instrument(enum.Enum):
        STRING = "string instrument"
        BRASS = "brass instrument"

    with Emulator() as api, genai.Client(api_key="any", http_options={"base_url": api.url}) as sdk:
        config: Any = {"response_mime_type": "application/json", "response_schema": Person}
        answer = sdk.models.generate_content(model=MODEL, contents="Ada is 36 years old.", config=config)
        assert answer.parsed == Person(name="Ada", age=36)
        config = {"response_mime_type": "text/x.enum", "response_schema": Instrument}
        question = "A trumpet is a brass instrument."
        answer = sdk.models.generate_content(model=MODEL, contents=question, config=config)
        assert (answer.text, answer.parsed) == ("brass instrument", Instrument.BRASS)
        chunks = sdk.models.generate_content_stream(model=MODEL, contents=question, config=config)
        assert "".join(chunk.text or "" for chunk in chunks) == "brass instrument"


def test_an_answer_in_hops_is_continued_by_the_sdk(tmp_path: Path) -> None:
    steps = [said("The first half, "), {"type": "hop"}, said("and the second.")]
    (tmp_path / "hops.yaml").write_text(json.dumps([{"match": {}, "steps": steps}]))
    with Emulator(scenarios=tmp_path / "hops.yaml") as api:
        with genai.Client(api_key="any", http_options={"base_url": api.url}) as sdk:
            assert sdk.models.generate_content(model=MODEL, contents="go").text == "The first half, and the second."
            chunks = sdk.models.generate_content_stream(model=MODEL, contents="go")
            assert "".join(chunk.text or "" for chunk in chunks) == "The first half, and the second."
        assert [request["kind"] for request in api.log()["requests"]] == ["generate"] * 2 + ["generate_stream"] * 2


def test_text_streams_while_the_brain_is_writing_it() -> None:
    read = threading.Event()

    def brain(turn: Turn) -> Iterator[TextDelta]:
        yield TextDelta("The sea ")
        assert read.wait(60)
        yield TextDelta("rises.")

    with Emulator(brain=brain) as api, genai.Client(api_key="any", http_options={"base_url": api.url}) as sdk:
        chunks = sdk.models.generate_content_stream(model=MODEL, contents="tides?")
        assert next(chunks).text == "The sea "
        read.set()
        assert "".join(chunk.text or "" for chunk in chunks) == "rises."


@pytest.mark.parametrize("streaming", [False, True])
async def test_adks_default_model_calls_tools_and_answers(streaming: bool) -> None:
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sun in {city}"

    with Emulator(brain=scripted) as api:
        gemini = Gemini(model=MODEL, base_url=api.url, client_kwargs={"api_key": "any"})
        agent = LlmAgent(name="helper", model=gemini, tools=[weather], instruction="Help.")
        async with InMemoryRunner(agent=agent, app_name="generate") as runner:
            session = await runner.session_service.create_session(app_name="generate", user_id="u")
            mode = StreamingMode.SSE if streaming else StreamingMode.NONE
            events = [
                event
                async for event in runner.run_async(
                    user_id="u",
                    session_id=session.id,
                    new_message=types.UserContent("weather in Rome"),
                    run_config=RunConfig(streaming_mode=mode),
                )
            ]
        final = events[-1].content
        assert final and final.parts and final.parts[0].text == "results: [{'result': 'sun in Rome'}]"
        kinds = {request["kind"] for request in api.log()["requests"]}
        assert kinds == {"generate_stream" if streaming else "generate"}
