"""agno's GeminiInteractions: text, stream, tools, structured output, file search, Deep Research."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agno.agent import Agent
from agno.models.google import GeminiInteractions
from google import genai
from played import play
from pydantic import BaseModel

OPTIONS = {"http_options": {"base_url": os.environ["EMULATOR"]}}


class Person(BaseModel):
    """What the model fills."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """Gets the weather of a city."""
    return f"sunny in {city}"


def agent(*, model: dict[str, Any] | None = None, **options: Any) -> Agent:
    """An agent on the emulator."""
    settings = {"api_key": "any", "client_params": OPTIONS} | (model or {})
    return Agent(model=GeminiInteractions(**settings), telemetry=False, **options)


def text() -> None:
    assert "welcome" in agent().run("Say a greeting").content


def stream() -> None:
    pieces = [event.content for event in agent().run("Say a greeting", stream=True) if event.content]
    assert len(pieces) > 1
    assert "welcome" in "".join(pieces)


def tools() -> None:
    assert "sunny" in agent(tools=[get_weather]).run("How is the weather in Rome?").content


def structured_output() -> None:
    assert agent(output_schema=Person).run("Describe a person").content == Person(name="Ada", age=36)


def file_search() -> None:
    client = genai.Client(api_key="any", **OPTIONS)
    store = client.file_search_stores.create(config={"display_name": "tides"})
    with TemporaryDirectory() as folder:
        file = Path(folder, "barrages.md")
        file.write_text("# Tidal barrages\n\nThe barrage on the Rance has produced tidal power since 1966.\n")
        operation = client.file_search_stores.upload_to_file_search_store(
            file=file,
            file_search_store_name=store.name,
            config={"display_name": "barrages.md", "mime_type": "text/markdown"},
        )
    while not operation.done:
        operation = client.operations.get(operation)
    answer = agent(model={"file_search_store_names": [store.name]}).run(
        "Since when has the Rance produced tidal power?"
    )
    assert "1966" in answer.content
    assert answer.citations


def deep_research() -> None:
    settings = {"id": None, "agent": "deep-research-preview-04-2026"}
    answer = agent(model=settings).run("What is a context manager in Python?")
    assert len(answer.content) > 500


play(text, stream, tools, structured_output, file_search, deep_research)
