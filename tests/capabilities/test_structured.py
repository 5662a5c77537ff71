"""`output_schema` in YAML holds on both backends, with and without tools, streaming or not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode
from google.oauth2.credentials import Credentials

from interactions_emulator import Emulator
from tests.capabilities.conftest import Script, Solo
from tests.scripts import call, cited, said
from tests.talk import creates, refusals
from tools.interactions import backend

VERDICT = {"is_safe": True, "category": "safe", "confidence": 0.9, "reason": "Nothing in it."}
SCHEMA = "output_schema: {name: tools.moderation.Verdict}\n"
TOOLS = "tools: [{name: tools.weather.get_weather}, {name: google_search}]\n"
VERTEX = {"GOOGLE_GENAI_USE_ENTERPRISE": "1", "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "global"}


@pytest.fixture(params=["gemini", "vertex"])
def served(request: pytest.FixtureRequest, api: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Points the application at the emulator, which stands for this backend."""
    monkeypatch.delenv("DESK_BACKEND")
    if request.param == "vertex":
        monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("a-token"), "p"))
        monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", api.url)
        for name, value in VERTEX.items():
            monkeypatch.setenv(name, value)
    else:
        monkeypatch.setenv("GEMINI_API_KEY", "any")
    backend.current.cache_clear()
    return str(request.param)


@pytest.mark.parametrize("mode", [StreamingMode.NONE, StreamingMode.SSE])
@pytest.mark.parametrize("tools", ["", TOOLS])
async def test_an_answer_matches_its_output_schema(
    served: str, api: Emulator, script: Script, solo: Solo, tools: str, mode: StreamingMode
) -> None:
    script.answers = [[said(json.dumps(VERDICT))]]
    assert json.loads(await solo(SCHEMA + tools, mode).ask("hello")) == VERDICT
    request = api.log(bodies=True)["requests"][0]
    path = "/v1beta1/projects/p/locations/global/interactions" if served == "vertex" else "/v1beta/interactions"
    assert request["path"] == path
    [form] = request["body"]["response_format"]
    assert (form["type"], form["mime_type"]) == ("text", "application/json")
    assert form["schema"]["required"] == ["is_safe", "category", "confidence", "reason"]
    assert [tool.get("name", tool["type"]) for tool in request["body"].get("tools", [])] == (
        ["get_weather", "google_search"] if tools else []
    )
    assert refusals(api) == []


async def test_an_output_schema_and_a_function_can_be_combined(
    served: str, api: Emulator, script: Script, solo: Solo, use: Any
) -> None:
    script.answers = [[call("get_weather", "fc_1", place="Nowhere at all")], [said(json.dumps(VERDICT))]]
    assert json.loads(await solo(SCHEMA + TOOLS).ask("hello")) == VERDICT
    assert all("response_format" in body for body in creates(api))
    assert creates(api)[1]["input"][-1]["type"] == "function_result"


async def test_citations_do_not_break_a_json_answer(script: Script, solo: Solo) -> None:
    text = json.dumps(VERDICT)
    script.answers = [[{"type": "model_output", "content": [cited(text, text[:9])]}]]
    assert json.loads(await solo(SCHEMA + TOOLS).ask("hello")) == VERDICT


async def test_an_invalid_private_answer_is_requested_again_with_the_whole_conversation(
    api: Emulator, script: Script, solo: Solo
) -> None:
    script.answers = [[said("{}")], [said(json.dumps(VERDICT))]]
    yaml = SCHEMA + "generate_content_config: {store: false}\n"
    assert json.loads(await solo(yaml).ask("judge me")) == VERDICT
    repaired = creates(api)[1]
    assert "previous_interaction_id" not in repaired
    assert "judge me" in json.dumps(repaired["input"])
    assert "does not match the required schema" in json.dumps(repaired["input"])
