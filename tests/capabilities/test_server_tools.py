"""Tools that the server runs: what is sent to the API, and how results are shown, streaming or not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode
from google.genai import Client

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Ending, TimedStep, Turn
from tests.capabilities.conftest import Script, Solo, ordering
from tests.conftest import ROOT
from tests.scripts import said
from tests.talk import Talk, creates, refusals
from tools.app import build_app
from tools.research import factory

MODES = pytest.mark.parametrize("mode", [StreamingMode.NONE, StreamingMode.SSE])


@pytest.mark.parametrize(
    ("yaml", "sent"),
    [
        ("tools: [{name: google_search}]", {"type": "google_search"}),
        ("tools: [{name: url_context}]", {"type": "url_context"}),
        ("tools: [{name: google_maps_grounding}]", {"type": "google_maps"}),
        ("server_tools: [{type: google_search}]", {"type": "google_search"}),
        (
            "server_tools: [{type: google_search, search_types: [image_search]}]",
            {"type": "google_search", "search_types": ["image_search"]},
        ),
        ("server_tools: [{type: url_context}]", {"type": "url_context"}),
        ("server_tools: [{type: code_execution}]", {"type": "code_execution"}),
        (
            "server_tools: [{type: google_maps, latitude: 59.9, longitude: 10.7}]",
            {"type": "google_maps", "latitude": 59.9, "longitude": 10.7},
        ),
        (
            "server_tools: [{type: mcp_server, name: wiki, url: 'https://example.org/mcp', allowed_tools: [ask]}]",
            {
                "type": "mcp_server",
                "name": "wiki",
                "url": "https://example.org/mcp",
                "allowed_tools": [{"tools": ["ask"]}],
            },
        ),
    ],
)
async def test_a_tool_in_yaml_is_sent_with_its_options(
    api: Emulator, solo: Solo, yaml: str, sent: dict[str, Any]
) -> None:
    await solo(yaml).say("hello")
    assert creates(api)[0]["tools"] == [sent]
    assert refusals(api) == []


async def test_a_file_search_store_in_yaml_is_sent_with_its_options(api: Emulator, solo: Solo) -> None:
    with Client(api_key="any", http_options={"base_url": api.url}) as client:
        store = client.file_search_stores.create().name
    await solo(f"server_tools: [{{type: file_search, file_search_store_names: [{store}], top_k: 3}}]").say("hello")
    assert creates(api)[0]["tools"] == [{"type": "file_search", "file_search_store_names": [store], "top_k": 3}]
    assert refusals(api) == []


async def test_functions_and_server_tools_can_be_combined(api: Emulator, solo: Solo) -> None:
    yaml = "tools: [{name: tools.weather.get_weather}, {name: google_search}]\nserver_tools: [{type: code_execution}]"
    await solo(yaml).say("hello")
    assert [tool["type"] for tool in creates(api)[0]["tools"]] == ["function", "google_search", "code_execution"]


async def test_headers_of_an_mcp_server_come_from_the_environment_and_are_never_logged(
    script: Script, solo: Solo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WIKI_KEY", "a-secret-of-ours")
    headers = "{Authorization: 'Bearer ${WIKI_KEY}'}"
    yaml = f"server_tools: [{{type: mcp_server, name: wiki, url: 'https://example.org/mcp', headers: {headers}}}]"
    with caplog.at_level(logging.DEBUG):
        talk = solo(yaml)
        await talk.say("hello")
    assert script.asked[0].tools[0]["headers"] == {"Authorization": "Bearer a-secret-of-ours"}
    assert "a-secret-of-ours" not in caplog.text
    assert "a-secret-of-ours" not in repr(await talk.session())
    assert "a-secret-of-ours" not in repr(talk.runner.agent)
    monkeypatch.setenv("WIKI_KEY", "a-newer-secret")
    await talk.say("again")
    assert script.asked[1].tools[0]["headers"] == {"Authorization": "Bearer a-newer-secret"}


@MODES
async def test_code_and_its_result_are_shown(script: Script, solo: Solo, mode: StreamingMode) -> None:
    code = "print(6 * 7)  # ```"
    script.answers = [
        [
            said("I will calculate."),
            {"type": "code_execution_call", "id": "c1", "arguments": {"language": "python", "code": code}},
            {"type": "code_execution_result", "call_id": "c1", "result": "42\n"},
            said("It is 42."),
        ],
        [
            {"type": "code_execution_call", "id": "c2", "arguments": {"language": "python", "code": "1 / 0"}},
            {"type": "code_execution_result", "call_id": "c2", "result": "ZeroDivisionError", "is_error": True},
        ],
    ]
    talk = solo("server_tools: [{type: code_execution}]", mode)
    assert await talk.ask("6 * 7?") == f"I will calculate.\n\n````python\n{code}\n````\n\n```\n42\n```\n\nIt is 42."
    assert await talk.ask("1 / 0?") == "```python\n1 / 0\n```\n\nIt failed:\n\n```\nZeroDivisionError\n```"


@MODES
@pytest.mark.parametrize(
    ("tool", "annotation", "mark", "source"),
    [
        (
            {"type": "google_search_call", "id": "t", "arguments": {"queries": ["bees"]}},
            {"type": "url_citation", "url": "https://example.org/bees", "title": "Bees"},
            r'Bees fly.[\[1\]](https://example.org/bees "Bees")',
            "1. [Bees](https://example.org/bees)",
        ),
        (
            {"type": "google_maps_call", "id": "t", "arguments": {}},
            {
                "type": "place_citation",
                "place_id": "places/1",
                "name": "Bee House",
                "url": "https://maps.example.org/1",
            },
            r'Bees fly.[\[1\]](https://maps.example.org/1 "Bee House")',
            "1. [Bee House](https://maps.example.org/1)",
        ),
        (
            {"type": "file_search_call", "id": "t"},
            {"type": "file_citation", "file_name": "bees.pdf", "document_uri": "fileSearchStores/a/documents/b"},
            r"Bees fly.\[1\]",
            "1. bees.pdf — fileSearchStores/a/documents/b",
        ),
        (
            {"type": "url_context_call", "id": "t", "arguments": {"urls": ["https://example.org/bees"]}},
            {"type": "url_citation", "url": "https://example.org/bees", "title": "Bees"},
            r'Bees fly.[\[1\]](https://example.org/bees "Bees")',
            "1. [Bees](https://example.org/bees)",
        ),
    ],
)
async def test_results_of_server_tools_are_cited_as_numbered_sources(
    script: Script,
    solo: Solo,
    mode: StreamingMode,
    tool: dict[str, Any],
    annotation: dict[str, Any],
    mark: str,
    source: str,
) -> None:
    text = {"type": "text", "text": "Bees fly. So.", "annotations": [{**annotation, "start_index": 0, "end_index": 9}]}
    markup = {"type": "google_search_result", "call_id": "t", "result": [{"search_suggestions": "<div>chips</div>"}]}
    found = [markup] if tool["type"] == "google_search_call" else []
    script.answers = [[tool, *found, {"type": "model_output", "content": [text]}]]
    answer = await solo(mode=mode).ask("do bees fly?")
    assert answer == f"{mark} So.\n\n**Sources**\n\n{source}"


@MODES
async def test_calls_to_a_remote_mcp_server_do_not_appear_in_the_answer(
    script: Script, solo: Solo, mode: StreamingMode
) -> None:
    call = {"type": "mcp_server_tool_call", "id": "m", "server_name": "wiki", "name": "ask", "arguments": {"q": "bees"}}
    result = {"type": "mcp_server_tool_result", "call_id": "m", "server_name": "wiki", "name": "ask", "result": "Yes."}
    script.answers = [[call, result, said("They fly.")]]
    assert await solo(mode=mode).ask("do bees fly?") == "They fly."


async def test_research_requests_include_the_research_tools_of_the_yaml(
    use: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIKI_KEY", "a-secret-of-ours")
    asked: list[Turn] = []

    orders = ordering({"title": "Tides", "brief": "Research the tides"})

    def brain(turn: Turn) -> Iterator[TimedStep | Ending]:
        asked.append(turn)
        yield from orders(turn)

    file = tmp_path / "researcher.yaml"
    shipped = (ROOT / "configs" / "researcher.yaml").read_text()
    server = "{type: mcp_server, name: wiki, url: 'https://example.org/mcp', headers: {X: '${WIKI_KEY}'}}"
    file.write_text(f"{shipped}\nresearch_tools: [{server}]\n")
    monkeypatch.setenv("DESK_CONFIG", str(file))
    with Emulator(brain=brain) as api:
        use(api)
        assert "# Tides" in await Talk(build_app()).ask("Research the tides")
        await factory.close()
    model, research = asked
    assert "wiki" not in {tool.get("name") for tool in model.tools}
    [tool] = research.tools
    assert (tool["name"], tool["headers"]) == ("wiki", {"X": "a-secret-of-ours"})
    ledger = (tmp_path / "data" / "ledger.db").read_bytes()
    assert b"a-secret-of-ours" not in ledger
