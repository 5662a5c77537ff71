"""Models, defined agents and environments over the unmodified SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors
from google.genai._interactions import APIStatusError

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from interactions_emulator.requests.vocabulary import MODELS
from wire.brains import said
from wire.conftest import AGENT, KEY, MODEL, Wire
from wire.test_generate import refused

SANDBOX = "antigravity-preview-05-2026"


@pytest.fixture
def turns() -> list[Turn]:
    """What the brain was asked."""
    return []


@pytest.fixture
def playing(turns: list[Turn]) -> Iterator[Emulator]:
    """A server whose brain plays any agent."""

    def brain(turn: Turn) -> list[TimedStep]:
        turns.append(turn)
        return [TimedStep(0, said("yes"))]

    with Emulator(brain=brain) as api:
        yield api


@pytest.fixture
def built_in(tmp_path: Path) -> Iterator[Wire]:
    """A server with the built-in brain."""
    (tmp_path / "tides.md").write_text("# Tides\n\nThe moon pulls the water of the sea twice a day.\n")
    with Emulator(corpus=tmp_path) as api:
        wire = Wire(api.url)
        with wire.http:
            yield wire


async def test_the_sdk_creates_lists_gets_and_deletes_agents(client: genai.Client) -> None:
    agents = client.aio.agents
    tools: Any = [{"type": "google_search"}]
    made = await agents.create(
        id="clerk", base_agent=AGENT, description="Sorts.", system_instruction="Sort.", tools=tools
    )
    assert (made.id, made.base_agent, made.description) == ("clerk", AGENT, "Sorts.")
    assert await agents.get(id="clerk") == made
    await agents.create(id="scribe", base_agent="clerk")
    assert [one.id for one in (await agents.list()).agents or []] == ["clerk", "scribe"]
    first = await agents.list(page_size=1)
    assert first.next_page_token
    assert [one.id for one in (await agents.list(page_token=first.next_page_token)).agents or []] == ["scribe"]
    await agents.delete(id="clerk")
    with pytest.raises(APIStatusError, match="Agent clerk was not found"):
        await agents.get(id="clerk")


def test_a_request_may_name_a_defined_agent_which_has_its_instructions_and_tools(
    playing: Emulator, turns: list[Turn]
) -> None:
    wire = Wire(playing.url)
    tool = {"type": "google_search"}
    for body in (
        {"id": "clerk", "base_agent": AGENT, "system_instruction": "Sort.", "tools": [tool]},
        {"id": "scribe", "base_agent": "clerk", "system_instruction": "Write."},
    ):
        assert wire.http.post("/agents", json=body).json() == body
    sent = wire.create({"agent": "scribe", "input": "Hello", "background": True})
    for _ in wire.resume(sent["id"]):
        pass
    assert (turns[-1].target, turns[-1].system_instruction) == ("scribe", "Sort.\nWrite.")
    assert turns[-1].tools == (tool,)
    assert sent["agent"] == "scribe" and "tools" not in sent  # the resource repeats what was sent
    own = [{"type": "url_context"}]
    run = wire.create({"agent": "scribe", "input": "Hello", "background": True, "tools": own})
    for _ in wire.resume(run["id"]):
        pass
    assert list(turns[-1].tools) == own


def test_agents_survive_a_restart(tmp_path: Path) -> None:
    with Emulator(state=tmp_path / "state.db") as api:
        wire = Wire(api.url)
        made = wire.http.post("/agents", json={"id": "clerk", "base_agent": AGENT}).json()
        api.restart()
        assert wire.http.get("/agents/clerk").json() == made


def test_the_built_in_brain_researches_for_agents_that_are_based_on_deep_research(built_in: Wire) -> None:
    built_in.http.post("/agents", json={"id": "scholar", "base_agent": AGENT})
    run = built_in.create({"agent": "scholar", "input": "The water of the sea", "background": True})["id"]
    events = list(built_in.resume(run))
    assert events[-1]["interaction"]["status"] == "completed"
    assert "The moon pulls the water of the sea" in str(built_in.get(run))


def test_an_agent_that_needs_a_sandbox_is_refused_in_one_sentence(built_in: Wire) -> None:
    body = {"agent": SANDBOX, "input": "Build a website", "background": True}
    message = built_in.refused(built_in.http.post("/interactions", json=body), 400)
    why = "the emulator has no sandbox, in which agents run code and keep files."
    assert message == f"Agent {SANDBOX} cannot run here, because {why}"
    built_in.http.post("/agents", json={"id": "builder", "base_agent": SANDBOX})
    assert "builder cannot run here" in built_in.refused(
        built_in.http.post("/interactions", json=body | {"agent": "builder"}), 400
    )
    with_environment = {"agent": AGENT, "input": "x", "background": True, "environment": "remote"}
    assert "no sandbox" in built_in.refused(built_in.http.post("/interactions", json=with_environment), 400)
    unknown = built_in.http.post("/interactions", json=body | {"agent": "nobody"})
    assert "Agent nobody was not found" in built_in.refused(unknown, 404)


def test_a_scenario_may_play_an_agent_with_a_sandbox_and_others_fail(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        f"- match: {{agent: {SANDBOX}}}\n  steps: [{{type: model_output, content: [{{type: text, text: done}}]}}]\n"
    )
    with Emulator(scenarios=tmp_path / "s.yaml") as api:
        wire = Wire(api.url)
        played = wire.create({"agent": SANDBOX, "input": "x", "background": True, "environment": "remote"})
        assert list(wire.resume(played["id"]))[-1]["interaction"]["status"] == "completed"
        other = wire.create({"agent": "antigravity-preview-09-2026", "input": "x", "background": True})
        error = next(event for event in wire.resume(other["id"]) if event["event_type"] == "error")
        assert "no sandbox" in error["error"]["message"]


async def test_environments_are_refused_in_the_form_that_the_sdk_knows(client: genai.Client) -> None:
    environments = client.aio.environments
    assert not (await environments.list()).environments
    with pytest.raises(APIStatusError, match="An environment cannot be created") as caught:
        await environments.create()
    assert caught.value.status_code == 400
    with pytest.raises(APIStatusError, match="Environment env_1 was not found"):
        await environments.get(id="env_1")


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({"id": "Not allowed", "base_agent": AGENT}, 400, "id 'Not allowed' is not allowed"),
        ({"id": AGENT, "base_agent": AGENT}, 409, "exists already"),
        ({"id": "a"}, 400, "base_agent is one of"),
        ({"id": "a", "base_agent": {}}, 400, "base_agent is one of"),
        ({"id": "a", "base_agent": AGENT, "description": 1}, 400, "description is a string"),
        ({"id": "a", "base_agent": AGENT, "tools": [{"type": "telepathy"}]}, 400, "telepathy"),
    ],
)
def test_an_invalid_agent_is_refused(built_in: Wire, body: dict[str, Any], status: int, why: str) -> None:
    assert why in built_in.refused(built_in.http.post("/agents", json=body), status)
    assert built_in.http.get("/agents").json() == {"agents": []}


def test_the_sdk_lists_and_gets_models(api: Emulator) -> None:
    with genai.Client(api_key="any", http_options={"base_url": api.url}) as sdk:
        listed = [model.name for model in sdk.models.list(config={"page_size": 7})]
        assert listed == [f"models/{name}" for name in sorted(MODELS)]
        model = sdk.models.get(model=MODEL)
        assert model.supported_actions and "generateContent" in model.supported_actions
        assert model.input_token_limit == 1_048_576
        with pytest.raises(errors.ClientError, match="models/nothing was not found"):
            sdk.models.get(model="nothing")
    vertex = f"{api.url}/v1beta1/publishers/google/models"
    assert "publisherModels" in httpx2.get(vertex, headers=KEY).json()


def test_faults_hit_models_and_agents(api: Emulator, wire: Wire) -> None:
    api.faults({"on": "models", "status": 503}, {"on": "agents", "status": 503})
    assert "Injected fault" in refused(wire.http.get("/models"), 503)
    assert "Injected fault" in wire.refused(wire.http.get("/agents"), 503)
    assert wire.http.get("/models").is_success and wire.http.get("/agents").is_success
