"""What the Interactions API cannot do is refused when the configuration is loaded, with the way out."""

from __future__ import annotations

import logging
import textwrap
from pathlib import Path

import pytest

from tools.config.loader import load_agent
from tools.interactions.model_catalog import capabilities_of
from tools.yaml_files.reading import ConfigError

SCHEMA = "output_schema: {name: tools.moderation.Verdict}\n"
IMAGE = "model: interactions:gemini-3.1-flash-image\n"
HEAD = "agent_class: tools.adk.llm_agent.Agent\nname: solo\ninstruction: Talk.\n"
MODEL = "model: interactions:gemini-3.8-flash\n"
OLD = "model: interactions:gemini-2.5-flash\n"
MCP = "server_tools:\n  - {type: mcp_server, name: wiki, url: 'https://example.org/mcp'"


def write(folder: Path, text: str) -> Path:
    file = folder / "solo.yaml"
    file.write_text(HEAD + textwrap.dedent(text))
    return file


@pytest.mark.parametrize(
    ("text", "line", "finding"),
    [
        ("model: interactions:deep-research-preview-04-2026\n", 4, "is an agent, not a model"),
        (MODEL + "server_tools: [{type: computer_use}]\n", 5, "it controls a browser or a desktop"),
        (MODEL + "server_tools: [{type: google_serch}]\n", 5, "did you mean `google_search`"),
        (MODEL + MCP + ", hedaers: {}}\n", 6, "unknown key `hedaers`, did you mean `headers`?"),
        (MODEL + MCP + ", headers: {Authorization: 'Bearer ${WIKI_KEY}'}}\n", 6, "`wiki` needs WIKI_KEY: set it"),
        (
            MODEL + "server_tools:\n  - {type: mcp_server, name: a-b, url: 'http://x/'}\n",
            6,
            "`name`: write letters, digits and _",
        ),
        (MODEL + "server_tools:\n  - {type: file_search, file_search_store_names: []}\n", 6, "at least 1 item"),
        (
            MODEL + "server_tools:\n  - {type: file_search, file_search_store_names: [my store]}\n",
            6,
            "write the store's name, fileSearchStores/ID",
        ),
        (MODEL + "server_tools:\n  - {type: google_maps, latitude: 91}\n", 6, "less than or equal to 90"),
        (MODEL + "server_tools:\n  - type: url_context\n  - type: url_context\n", 7, "`url_context` stands here twice"),
        (MODEL + MCP[:-1] + "/${HOSTX}'}\n", 6, "`url`: `${HOSTX}` is not replaced by a variable's value: write the"),
        (MODEL + MCP + ", headers: {X: 'Bearer $TOKEN'}}\n", 6, "`X`: `$TOKEN` is not replaced"),
        (
            MODEL + MCP + ", headers: {X: '${TOKEN:-abc}'}}\n",
            6,
            "`${TOKEN:-abc}` is not replaced by a variable's value",
        ),
        ("model: interactions:${MODEL}\n", 4, "`model`: `${MODEL}` is not replaced"),
        (MODEL + MCP.replace("https", "ftp") + "}\n", 6, "`url`: write an address that begins with http"),
        (MODEL + "server_tools: [{typ: url_context}]\n", 5, "`type` is missing; known are google_search, url_context"),
        (MODEL + "server_tools: url_context\n", 5, "`- type: url_context`"),
        (MODEL + "generate_content_config: warm\n", 5, "has to be a mapping, `key: value`, not 'warm'"),
        (MODEL + "output_schema: tools.moderation.Verdict\n", 5, "write `output_schema: {name: package.module.NAME}`"),
        (MODEL + "tools: [{name: google.adk.tools.computer_use.nothing}]\n", 5, "no object"),
        (
            MODEL + "generate_content_config: {response_modalities: [IMAGE]}\n",
            4,
            "gives no image; `gemini-3.1",
        ),
        (MODEL + "generate_content_config:\n  labels: {Team: Desk}\n", 6, "`Team: Desk`: labels have"),
        *(
            (MODEL + f"generate_content_config:\n  {setting}\n", 6, finding)
            for setting, finding in {
                "temperature: '5'": "`temperature`: Input should be a valid number, not '5'",
                "temperature: 1e400": "valid number, not '1e400'",
                "temperature: yes": "valid number, not True",
                "temperature: hot": "`temperature`: Input should be a valid number",
                "max_output_tokens: 0777": "`0777` would be a number to the base of 8",
                "maxOutputTokens: 9": "`maxOutputTokens`: write `max_output_tokens`",
                "responseMimeType: application/json": "`responseMimeType`: write `response_mime_type`",
                "thinking_config: {thinkingBudget: 0}": "`thinkingBudget`: write `thinking_budget`",
                "top_p: 1:30": "`1:30` would be a number to the base of 60",
                "max_output_tokens: '-5'": "`max_output_tokens`: Input should be a valid integer, not '-5'",
                "max_output_tokens: 99999999999": "less than or equal to 2147483647",
                "seed: '7'": "`seed`: Input should be a valid integer, not '7'",
                "service_tier: flexx": "`service_tier`: no `flexx`, did you mean `FLEX`?",
                "safety_settings: [{category: HARM_CATEGORY_HATE_SPEACH, threshold: BLOCK_NONE}]": "_HATE_SPEECH`?",
                "safety_settings: [{category: HARM_CATEGORY_HARASSMENT, threshold: BLOCK_NON}]": "`BLOCK_NONE`?",
                "safety_settings: [{category: HARM_CATEGORY_HARASSMENT, threshold: OFF}]": "as False: put it in quotes",
                "tool_config: {function_calling_config: {mode: anny}}": "`mode`: no `anny`, did you mean `ANY`?",
                "tool_config: {function_calling_config: {allowed_function_names: [nope]}}": "`nope` is not a function",
            }.items()
        ),
        (MODEL + "generate_content_config: {presence_penalty: 1}\n", 5, "`presence_penalty` is not part of"),
        (
            MODEL + "generate_content_config:\n  thinking_config: {thinking_budget: 9}\n",
            6,
            "`thinking_level` instead",
        ),
        (
            OLD + "tools: [{name: google_search}, {name: tools.weather.get_weather}]\n",
            4,
            "cannot combine",
        ),
        (
            OLD + "tools: [{name: google_search}]\n" + SCHEMA,
            4,
            "`output_schema`",
        ),
        (IMAGE + "tools: [{name: url_context}]\n", 4, "takes no `url_context`"),
        (
            IMAGE + "tools: [{name: tools.weather.get_weather}]\n",
            4,
            "takes no custom functions; it takes `google_search`",
        ),
        (
            IMAGE + SCHEMA,
            4,
            "gives no structured output",
        ),
    ],
)
def test_an_unsupported_configuration_is_refused_with_its_line_and_the_reason(
    tmp_path: Path, text: str, line: int, finding: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_agent(file)
    [found] = [one for one in str(caught.value).splitlines() if finding in one]
    assert found.startswith(f"{file}:{line}: ")


@pytest.mark.parametrize(
    "text",
    [
        OLD + "tools: [{name: google_search}, {name: url_context}]\n",
        OLD + "tools: [{name: tools.weather.get_weather}]\n" + SCHEMA,
        MODEL + "tools: [{name: google_search}]\n" + SCHEMA,
        MODEL + MCP + ", headers: {X: '${HOME}'}, allowed_tools: [ask]}\n",
        IMAGE + "generate_content_config: {response_modalities: [IMAGE]}\n",
        MODEL + "generate_content_config: {service_tier: deferred, temperature: 1, store: false}\n",
        MODEL + "tools: [{name: tools.weather.get_weather}]\ngenerate_content_config:\n"
        "  tool_config: {function_calling_config: {mode: any, allowed_function_names: [get_weather]}}\n",
    ],
)
def test_a_supported_configuration_is_accepted(tmp_path: Path, text: str) -> None:
    assert load_agent(write(tmp_path, text)).name == "solo"


RESEARCHER = (
    "agent_class: tools.researcher.agent.Researcher\nname: researcher\n" + MODEL + "instruction: Manage.\n"
    "follow_up_model: gemini-3.8-flash\nagent: deep-research-preview-04-2026\n"
)
"""Six lines."""
ON_FUNCTIONS = "tools: [{name: tools.researcher.tools.start_research}]\n"


def test_unsupported_research_tools_and_a_model_as_agent_are_refused_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "researcher.yaml"
    research_tools = "research_tools: [{type: google_maps}, {type: url_context}]\n"
    file.write_text(RESEARCHER + "max_agent: gemini-3.8-flash\n" + ON_FUNCTIONS + research_tools)
    with pytest.raises(ConfigError) as caught:
        load_agent(file)
    assert ":7: `gemini-3.8-flash` is a model, not an agent" in str(caught.value)
    assert ":6: `deep-research-preview-04-2026` takes no `google_maps`" in str(caught.value)
    assert "takes no `url_context`" not in str(caught.value)
    assert "custom functions" not in str(caught.value)  # those are the researcher's model's


def test_the_researcher_accepts_model_functions_and_deep_research_server_tools(tmp_path: Path) -> None:
    file = tmp_path / "researcher.yaml"
    file.write_text(RESEARCHER + ON_FUNCTIONS + "research_tools: [{type: url_context}]\n")
    assert load_agent(file).name == "researcher"


@pytest.mark.parametrize(
    ("research_tools", "finding"),
    [
        ("research_tools:\n  - type: url_context\n  - type: url_context\n", ":10: `url_context` stands here twice"),
        ("research_tools: [{type: google_serch}]\n", ":8: .*did you mean `google_search`"),
        (MCP.replace("server_", "research_") + ", headers: {X: '${WIKI_KEY}'}}\n", ":9: `wiki` needs WIKI_KEY: set it"),
    ],
)
def test_a_mistake_in_research_tools_is_reported_with_its_line(
    tmp_path: Path, research_tools: str, finding: str
) -> None:
    file = tmp_path / "researcher.yaml"
    file.write_text(RESEARCHER + ON_FUNCTIONS + research_tools)
    with pytest.raises(ConfigError, match=finding):
        load_agent(file)


def test_an_unknown_model_name_is_accepted_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_agent(write(tmp_path, "model: interactions:gemini-9-test\ntools: [{name: google_search}]\n"))
    assert "gemini-9-test" in caplog.text
    assert "models.yaml" in caplog.text


def test_a_models_yaml_beside_the_configuration_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "model: interactions:gemini-9-test\n")
    monkeypatch.setenv("DESK_CONFIG", str(file))
    table = tmp_path / "models.yaml"
    table.write_text("- {names: [gemini-9-test], kind: model, inputs: [text], tools: []}\n")
    found = capabilities_of("gemini-9-test")
    assert found
    assert found.inputs == {"text"}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("- {names: [a], kind: modle, inputs: [], tools: []}", "entry 1: `kind`: Input should be 'model' or 'agent'"),
        (
            "- {names: [a], kind: model, inputs: [], tools: [], toolz: 1}",
            "entry 1: unknown key `toolz`, did you mean `tools`?",
        ),
        ("- {names: [a], knd: model, inputs: [], tools: []}", "entry 1: unknown key `knd`, did you mean `kind`?"),
        (
            "- {names: ['interactions:a'], kind: model, inputs: [], tools: []}",
            "`interactions:a`: write it without `int",
        ),
        ("- {names: [a, a], kind: model, inputs: [], tools: []}", "models.yaml:1: `a` stands here twice"),
        ("names: [", "models.yaml:"),
    ],
)
def test_a_mistake_in_models_yaml_is_reported_with_its_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, finding: str
) -> None:
    file = write(tmp_path, MODEL)
    monkeypatch.setenv("DESK_CONFIG", str(file))
    (tmp_path / "models.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"models\.yaml") as caught:
        load_agent(file)
    assert finding in str(caught.value)


def test_models_yaml_that_is_no_file_is_not_overlooked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, MODEL)
    monkeypatch.setenv("DESK_CONFIG", str(file))
    (tmp_path / "models.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"models\.yaml: (Is a directory|a pipe)"):
        load_agent(file)


def test_a_wrong_value_is_shown_shortened_and_without_its_password(tmp_path: Path) -> None:
    url = f"ftp://ada:hidden-word@example.org/{'x' * 5000}"
    file = write(tmp_path, MODEL + f"server_tools: [{{type: mcp_server, name: wiki, url: ['{url}']}}]\n")
    with pytest.raises(ConfigError) as caught:
        load_agent(file)
    assert "***@example.org" in str(caught.value)
    assert "hidden-word" not in str(caught.value)
    assert len(str(caught.value)) < 1000
