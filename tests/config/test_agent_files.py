"""What the configuration promises: agents by YAML alone, and errors that name file, line, key and the way out."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from google.adk.agents import LlmAgent, config_agent_utils
from typer.testing import CliRunner

from tests.conftest import ROOT
from tools.adk.llm_agent import Agent
from tools.adk.model import InteractionsLlm
from tools.cli.app import app
from tools.cli.configuration_checks import configuration_warnings
from tools.config.loader import load_agent
from tools.research.settings import load_research_settings
from tools.researcher.agent import Researcher
from tools.yaml_files.reading import ConfigError


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A copy of the shipped configuration."""
    return Path(shutil.copytree(ROOT / "configs", tmp_path / "configs"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_shipped_configuration_builds_the_desk_with_its_specialists() -> None:
    root = load_agent(ROOT / "configs" / "desk.yaml")
    assert isinstance(root, LlmAgent)
    assert isinstance(root.canonical_model, InteractionsLlm)
    assert root.canonical_model.use_interactions_api
    assert {agent.name for agent in root.sub_agents} >= {"assistant", "illustrator", "moderator", "researcher"}


def test_old_import_paths_work_with_a_warning_that_names_the_new_ones(
    configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tools.agent", "tools.forget.tools"):
        monkeypatch.delitem(sys.modules, module, raising=False)  # a module warns when it is imported
    edit(configs / "desk.yaml", "tools.adk.llm_agent.Agent", "tools.agent.Agent")
    edit(configs / "desk.yaml", "tools.privacy.tools.forget_conversation", "tools.forget.tools.forget_conversation")
    with pytest.warns(FutureWarning) as warned:
        root = load_agent(configs / "desk.yaml")
    assert isinstance(root, Agent)
    said = " ".join(str(each.message) for each in warned)
    assert "write tools.adk.llm_agent.Agent instead of tools.agent.Agent" in said
    assert "write tools.privacy.tools instead of tools.forget.tools" in said


def test_yaml_alone_changes_model_instruction_tools_limits_and_specialists(configs: Path) -> None:
    edit(configs / "desk.yaml", "gemini-3.8-flash", "gemini-9-test")
    edit(configs / "desk.yaml", "  - config_path: moderator.yaml\n", "")
    edit(configs / "desk.yaml", "You are Research Desk", "You are Another Desk")
    edit(configs / "assistant.yaml", "  - name: google_search\n", "")
    edit(configs / "researcher.yaml", "attach_seconds: 240", "attach_seconds: 7")
    root = load_agent(configs / "desk.yaml")
    assert isinstance(root, LlmAgent)
    assert root.canonical_model.model == "gemini-9-test"
    assert "Another Desk" in str(root.instruction)
    assistant, _, researcher = root.sub_agents
    assert isinstance(assistant, LlmAgent)
    assert len(assistant.tools) == 3
    assert isinstance(researcher, Researcher)
    assert researcher.attach_seconds == 7


def test_the_shipped_configuration_loads_with_the_key_denylist_of_adk_web(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_agent_utils, "_ENFORCE_YAML_KEY_DENYLIST", True)
    assert load_agent(ROOT / "configs" / "desk.yaml").name == "desk"


@pytest.mark.parametrize(
    ("file", "old", "new", "finding"),
    [
        ("desk.yaml", "instruction: |", "instrution: |", "unknown key `instrution`, did you mean `instruction`?"),
        ("desk.yaml", "description: A", "describtion: A", "unknown key `describtion`, did you mean `description`?"),
        ("desk.yaml", "config_path: a", "config_pat: a", "unknown key `config_pat`, did you mean `config_path`?"),
        ("desk.yaml", "interactions:gem", "interaction:gem", "did you mean `interactions:gemini-3.8-flash`?"),
        ("desk.yaml", "interactions:gem", "gem", "did you mean `interactions:gemini-3.8-flash`?"),
        ("desk.yaml", "interactions:gemini-3.8-flash", '"interactions:"', "`interactions:` names no model"),
        ("desk.yaml", "name: desk", "name: [desk]", "`name`: Input should be a valid string, not ['desk']"),
        ("desk.yaml", "model: i", "name: twice\nmodel: i", "`name` stands here twice"),
        ("desk.yaml", "name: desk", "name: ]", "did not find expected node content"),
        (
            "assistant.yaml",
            "tools.weather.get_weather",
            "tools.weather.get_wether",
            "did you mean `get_weather`?",
        ),
        ("assistant.yaml", "name: google_search", "name: google_serch", "did you mean `google_search`?"),
        ("assistant.yaml", "tools.weather.get", "tools.wether.get", "there is no module `tools.wether`"),
        ("assistant.yaml", "_to_parent: true", "_to_parent: false", "every turn starts at the root"),
        ("assistant.yaml", "get_weather\n", "get_weather\n    args: {}\n", "refused by `adk web`"),
        (
            "assistant.yaml",
            "tools:",
            "generate_content_config: {temprature: 1}\ntools:",
            "did you mean `temperature`?",
        ),
        ("assistant.yaml", "gemini-3.8-flash", "gemini-3.8-falsh", "is not known, did you mean `gemini-3.8-flash`?"),
        ("assistant.yaml", "name: assistant", "name: my assistant", "such as `my_assistant`"),
        ("illustrator.yaml", "name: illustrator", "name: assistant", "also the name of the agent in"),
        ("assistant.yaml", "description: >-", 'description: "open', "a quote that is opened here is not closed"),
        ("assistant.yaml", "  - type: url_context", "  - url_context", "`- type: url_context`"),
        ("assistant.yaml", "tools:\n", "temperature: 1\ntools:\n", "belongs under `generate_content_config:`"),
        ("assistant.yaml", "type: url_context", "type: url_contexts", "did you mean `url_context`?"),
        ("assistant.yaml", "tools:\n", "generate_content_config: {temperature: 9}\ntools:\n", "equal to 2, not 9"),
        ("assistant.yaml", "tools:\n", "generate_content_config: {top_p: 2}\ntools:\n", "equal to 1, not 2"),
        (
            "assistant.yaml",
            "tools:\n",
            "generate_content_config: {thinking_config: {thinking_level: hihg}}\ntools:\n",
            "did you mean `high`?",
        ),
        ("moderator.yaml", "moderation.Verdict", "moderation.Verdikt", "did you mean `Verdict`?"),
        ("moderator.yaml", "moderation.Moderator", "moderation.Modrator", "did you mean `Moderator`?"),
        ("moderator.yaml", "include_contents: none", "include_contents: nothing", "'default' or 'none'"),
        (
            "researcher.yaml",
            "tools.researcher.agent.Researcher",
            "tools.adk.llm_agent.Agent",
            "the keys are those of a researcher, not of `tools.adk.llm_agent.Agent`: write `agent_class: tools.rese",
        ),
        ("researcher.yaml", "attach_seconds: 240", "atach_seconds: 240", "did you mean `attach_seconds`?"),
        ("researcher.yaml", "attach_seconds: 240", "attach_seconds: soon", "should be a valid number"),
        ("researcher.yaml", "attach_seconds: 240", "attach_seconds: -1", "greater than 0"),
        ("researcher.yaml", "attach_seconds: 240", "attach_seconds: 1000000000", "less than or equal to 7200"),
        ("researcher.yaml", "\nagent: deep", "\nagnt: deep", "unknown key `agnt`, did you mean `agent`?"),
        ("researcher.yaml", "ask_above_usd: 0", "ask_above_usd: -1", "greater than or equal to 0"),
        ("researcher.yaml", "plans_per_job: 5", "plans_per_job: 0", "greater than 0"),
        (
            "researcher.yaml",
            "\nagent: deep-research-preview-04-2026",
            "\nagent: ''",
            "`agent`: String should have at least 1",
        ),
        (
            "researcher.yaml",
            "\nagent: deep-research-preview-04",
            "\nagent: antigravity-preview-09",
            "not for a researcher",
        ),
        ("researcher.yaml", "_model: gemini-3.8-flash", "_model: gemini-3.8-falsh", "did you mean `gemini-3.8-flash`?"),
        ("researcher.yaml", "visualization: auto", "visualization: off", "reads this as False: put it in quotes"),
        ("moderator.yaml", "tools.moderation.Verdict", "tools.weather.get_weather", "is not a pydantic class"),
        ("moderator.yaml", "name: tools.moderation.Verdict", "nam: x", "unknown key `nam`, did you mean `name`?"),
        ("assistant.yaml", "name: assistant", "name: user", "`user` is the name of the user's own messages"),
        ("assistant.yaml", "name: assistant", "name: 2nd", "such as `agent_2nd`"),
        ("assistant.yaml", "name: assistant", "name: 2026-01-01", "put it in quotes"),
        (
            "assistant.yaml",
            "tools.weather.get_weather",
            "tools.weather # x",
            "`tools.weather` is a module: name a function",
        ),
        ("assistant.yaml", "tools.weather.get_weather", "tools.moderation.Verdict", "is a class: name a function"),
        ("assistant.yaml", "tools.weather.get_weather", "tools.adk.llm_agent.Agent # x", "is a class: name a function"),
        ("assistant.yaml", "tools.weather.get_weather", "os.system", "ADK refuses objects of Python's library"),
        ("assistant.yaml", "tools.weather.get_weather", "google_search # x", "`google_search` stands here twice"),
        ("assistant.yaml", "- type: url_context", "- type: google_search", "is in `tools` too"),
        (
            "assistant.yaml",
            "  - type: url_context",
            "  - {type: mcp_server, name: a b, url: 'https://a.example'}",
            "`name`: write letters, digits and _, not 'a b'",
        ),
        (
            "assistant.yaml",
            "  - type: url_context",
            "  - {type: mcp_server, name: a, url: a.example}",
            "`url`: write an address that begins with https:// or http://, not 'a.example'",
        ),
        (
            "researcher.yaml",
            "# notify:",
            "notify: {my phone: {url: 'json://a.example'}}\n# notify:",
            "`my phone`: write letters, digits, _ and -, not 'my phone'",
        ),
        ("assistant.yaml", "  - name: google_search", "  - google_search", "`- name: google_search`"),
        ("assistant.yaml", "tools:", "generate_content_config: {http_option: {}}\ntools:", "unknown key `http_option`"),
        (
            "assistant.yaml",
            "agent_class: tools.adk.llm_agent.Agent",
            "agent_class: tools.moderation.Verdict",
            "is not an",
        ),
        ("desk.yaml", "config_path: assistant.yaml", "config_path: ../assistant.yaml", "is outside of"),
        ("desk.yaml", "config_path: assistant.yaml", "config_path: /etc/passwd", "passwd"),
        ("assistant.yaml", "get_weather\n", "get_weather\n    arg: x\n", "unknown key `arg`; known here: name"),
        ("assistant.yaml", "tools:\n", "static_instruction: [1]\ntools:\n", "`static_instruction` has to be a text"),
        ("desk.yaml", "config_path: assistant.yaml", f"config_path: {'a' * 300}.yaml", "no file `aaa"),
        ("desk.yaml", "config_path: assistant.yaml", 'config_path: "a\\0.yaml"', "no file `a"),
        ("desk.yaml", "- config_path: assistant.yaml", "- assistant.yaml", "`- config_path: assistant.yaml`"),
        ("researcher.yaml", "ask_above_usd: 0", "ask_above_usd: .inf", "`.inf` is not a finite number"),
        ("researcher.yaml", "ask_above_usd: 0", "ask_above_usd: 1.0e+400", "`1.0e+400` is not a finite number"),
        ("researcher.yaml", "ask_above_usd: 0", "ask_above_usd: 1e400", "valid number, not '1e400'"),
        ("researcher.yaml", "ask_above_usd: 0", "ask_above_usd: 3:00", "`3:00` would be a number to the base of 60"),
        ("researcher.yaml", "usd_per_day: 60", "usd_per_day: 060", "`060` would be a number to the base of 8"),
        ("assistant.yaml", "server_tools:", "---\nserver_tools:", "`---` begins another file: remove it"),
        ("researcher.yaml", "ask_above_usd: 0", "ask_above_usd: yes", "valid number, not True"),
        ("researcher.yaml", "usd_per_day: 60", "usd_per_day: .inf", "`.inf` is not a finite number"),
        ("researcher.yaml", "per_day: 20", "per_day: true", "valid integer, not True"),
        (
            "researcher.yaml",
            "tools.researcher.tools.approve",
            "tools.researcher.tools.aprove",
            "did you mean `approve`?",
        ),
        (
            "researcher.yaml",
            "visualization: auto",
            "server_tools: [{type: url_context}]\nvisualization: auto",
            "write the tools of Deep Research under `research_tools`",
        ),
    ],
)
def test_a_mistake_is_reported_with_file_line_and_what_was_probably_meant(
    configs: Path, file: str, old: str, new: str, finding: str
) -> None:
    edit(configs / file, old, new)
    with pytest.raises(ConfigError) as caught:
        load_agent(configs / "desk.yaml")
    places = [line.split(": ", 1)[0] for line in str(caught.value).splitlines() if finding in line]
    text = (configs / file).read_text()
    shipped = (ROOT / "configs" / file).read_text()
    wrong = next((part for part in new.splitlines() if part not in shipped), "model: gem")
    first = text[: text.index(wrong)].count("\n") + 1
    assert places == [f"{configs / file}:{first}"]


def test_a_missing_specialist_file_is_named_with_its_line(configs: Path) -> None:
    edit(configs / "desk.yaml", "assistant.yaml", "asistant.yaml")
    text = (configs / "desk.yaml").read_text()
    line = text[: text.index("asistant.yaml")].count("\n") + 1
    with pytest.raises(
        ConfigError, match=rf"desk\.yaml:{line}: no file `asistant\.yaml`, did you mean `assistant\.yaml`\?"
    ):
        load_agent(configs / "desk.yaml")


def test_a_moderator_needs_an_output_schema(configs: Path) -> None:
    edit(configs / "moderator.yaml", "output_schema:\n  name: tools.moderation.Verdict\n", "")
    with pytest.raises(ConfigError, match=r"moderator\.yaml:1: `output_schema` is missing"):
        load_agent(configs / "desk.yaml")


def test_a_specialist_has_one_place_in_the_tree(configs: Path) -> None:
    edit(
        configs / "desk.yaml",
        "  - config_path: illustrator",
        "  - config_path: assistant.yaml\n  - config_path: illustrator",
    )
    edit(configs / "assistant.yaml", "tools:", "sub_agents: [{config_path: moderator.yaml}]\ntools:")
    with pytest.raises(ConfigError) as caught:
        load_agent(configs / "desk.yaml")
    assert "`assistant.yaml` is a sub-agent already, in desk.yaml:" in str(caught.value)
    assert "`moderator.yaml` is a sub-agent already, in desk.yaml:" in str(caught.value)


@pytest.mark.parametrize("name", ["researcher", "moderator"])
def test_a_second_researcher_or_moderator_is_refused(configs: Path, name: str) -> None:
    (configs / "second.yaml").write_text(
        (configs / f"{name}.yaml").read_text().replace(f"name: {name}", "name: second")
    )
    edit(configs / "desk.yaml", "sub_agents:", "sub_agents:\n  - config_path: second.yaml")
    with pytest.raises(ConfigError, match=rf"{name}\.yaml:1: second\.yaml is a {name.title()} already"):
        load_agent(configs / "desk.yaml")


def test_a_mistake_that_only_adk_finds_is_reported_with_the_agents_file_and_line(configs: Path) -> None:
    edit(configs / "assistant.yaml", "tools:\n", "sub_agents:\ntools:\n")
    with pytest.raises(ConfigError, match=r"assistant\.yaml:\d+: `sub_agents`: has to be a list, .* not None"):
        load_agent(configs / "desk.yaml")


def test_a_link_that_leads_nowhere_is_not_taken_for_a_missing_file(configs: Path) -> None:
    (configs / "assistant.yaml").rename(configs / "other.yaml")
    (configs / "assistant.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(ConfigError, match=r"desk\.yaml:22: `assistant\.yaml` is no file, nor a link to one: name an"):
        load_agent(configs / "desk.yaml")


def test_a_pipe_is_not_read_as_a_configuration_file(configs: Path) -> None:
    edit(configs / "desk.yaml", "assistant.yaml", "pipe.yaml")
    os.mkfifo(configs / "pipe.yaml")
    with pytest.raises(ConfigError, match=r"`pipe\.yaml` is no file, nor a link to one"):
        load_agent(configs / "desk.yaml")
    with pytest.raises(ConfigError, match=r"pipe\.yaml: it is no file: DESK_CONFIG names"):
        load_agent(configs / "pipe.yaml")


def test_the_prefix_of_a_model_is_accepted_for_each_model_of_the_researcher(configs: Path) -> None:
    for key in ("follow_up_model: ", "\nagent: ", "max_agent: "):
        edit(configs / "researcher.yaml", key, f"{key}interactions:")
    load_agent(configs / "desk.yaml")
    settings = load_research_settings(configs / "desk.yaml")
    assert not [name for name in (settings.agent, settings.max_agent, settings.follow_up_model) if ":" in name]


@pytest.mark.parametrize(
    ("policy", "finding"),
    [
        ("model: gemini-3.8-falsh", "moderation_policy.yaml:1: `gemini-3.8-falsh` is not known, did you mean"),
        ("model: gemini-3.1-flash-image", "moderation_policy.yaml:1: `gemini-3.1-flash-image` gives no structured"),
        ("enabled: true", "no moderator with an instruction among its agents"),
    ],
)
def test_check_finds_a_policy_that_cannot_work(
    configs: Path, monkeypatch: pytest.MonkeyPatch, policy: str, finding: str
) -> None:
    edit(configs / "desk.yaml", "  - config_path: moderator.yaml\n", "")
    (configs / "moderation_policy.yaml").write_text(policy)
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 1
    assert finding in result.stderr
    assert result.stdout == f"Reading {configs}\n"


@pytest.mark.parametrize("command", ["check", "moderate", "research", "ask"])
def test_each_command_stops_with_the_mistakes_of_all_agents(
    configs: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    edit(configs / "moderator.yaml", "instruction: |", "instrution: |")
    edit(configs / "researcher.yaml", "attach_seconds: 240", "attach_seconds: soon")
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    result = CliRunner().invoke(app, [command] if command == "check" else [command, "tides"])
    assert result.exit_code == 1
    assert "unknown key `instrution`" in result.stderr
    assert "`attach_seconds`: Input should be a valid number, not 'soon'" in result.stderr


def test_check_warns_of_a_gate_that_judges_nothing(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (configs / "moderation_policy.yaml").write_text("enabled: true\nscreen: []\nmodel: our-own\n")
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    idle, model = configuration_warnings()
    assert "`screen: []`: nothing is judged" in idle
    assert "`our-own` is not in models.yaml" in model


def test_check_warns_of_files_that_are_not_read(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(configs / "desk.yaml", "  - config_path: illustrator.yaml\n", "")
    (configs / "illustrator.yaml").rename(configs / "illustrator.yml")
    shutil.copy(configs / "desk.yaml", configs / "other_root.yaml")  # another root, for DESK_CONFIG
    shutil.copy(configs / "moderation_policy.yaml", configs / "policy.yaml")
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    agent, policy = configuration_warnings()
    assert agent.startswith(
        f"{configs / 'illustrator.yml'}: not read: add `- config_path: illustrator.yml` to the `sub"
    )
    assert policy.startswith(f"{configs / 'policy.yaml'}: not read, because moderation_policy.yaml is there too")


def test_check_warns_of_an_instruction_that_ends_at_a_comment(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    edit(configs / "desk.yaml", "else to a specialist.", "else to a specialist. # a note")
    assert not configuration_warnings()
    edit(configs / "desk.yaml", "else to a specialist. # a note", "else to a\n  specialist, with #tags and more.")
    (warning,) = configuration_warnings()
    assert warning == (
        f"{configs / 'desk.yaml'}:6: `description` ends before `#tags`, which begins a comment: put the text in quotes"
    )
    edit(configs / "desk.yaml", "Answers small talk itself and", "'Answers small talk itself and")
    edit(configs / "desk.yaml", "and more.", "and more.'")
    assert not configuration_warnings()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("moderation_policy.yaml", "moderation_policy.yml"),
        ("moderation_policy.yaml", "moderation-policy.yaml"),
        ("models.yaml", "models.yml"),
    ],
)
def test_check_warns_of_a_policy_or_a_list_of_models_with_a_wrong_name(
    configs: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    shutil.copy(configs / right, configs / wrong)
    assert not configuration_warnings()  # a spare copy
    (configs / right).unlink()
    assert configuration_warnings() == [f"{configs / wrong}: not read, did you mean `{right}`?"]


def test_check_warns_of_secrets_that_stand_in_the_files(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIKI_TOKEN", "kept")
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    server = "server_tools:\n  - {type: mcp_server, name: a, url: 'https://a.example', headers: {Authorization: %s}}\n"
    edit(configs / "assistant.yaml", "server_tools:", server % "Bearer ${WIKI_TOKEN}" + "#")
    assert not configuration_warnings()
    edit(configs / "assistant.yaml", "Bearer ${WIKI_TOKEN}", "Bearer hidden-word")
    key = "whsec_" + "A" * 32
    edit(
        configs / "researcher.yaml",
        "# notify:",
        f"notify: {{a: {{url: 'https://a.example', secret: {key}}}}}\n# notify:",
    )
    header, secret = configuration_warnings()
    assert "assistant.yaml:19: `Authorization` has the secret itself: put it into an environment variable" in header
    before, _ = (configs / "researcher.yaml").read_text().split(key)
    line = before.count("\n") + 1
    assert f"researcher.yaml:{line}: `secret` has the secret itself" in secret
    assert "hidden-word" not in header and key not in secret


@pytest.mark.parametrize(("renamed", "warned"), [("desk.yaml", True), ("assistant.yaml", False)])
def test_check_warns_of_a_folder_of_agents_without_a_root(
    configs: Path, monkeypatch: pytest.MonkeyPatch, renamed: str, warned: bool
) -> None:
    monkeypatch.chdir(configs.parent)
    (configs / renamed).rename(configs / "renamed.yaml")
    found = any(f"{configs} is not read, because it has no desk.yaml" in each for each in configuration_warnings())
    assert found is warned


def test_check_is_silent_about_a_folder_of_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "nginx.yaml").write_text("a: 1\n")
    assert not configuration_warnings()


def test_init_names_a_folder_that_it_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to("nowhere")
    result = CliRunner().invoke(app, ["init"])
    assert result.exit_code == 1
    assert result.stderr == f"error: {tmp_path / 'configs'} exists already: move it away, or edit what is there\n"
    monkeypatch.chdir("/proc/self")  # where even root cannot make a folder
    result = CliRunner().invoke(app, ["init"])
    assert result.exit_code == 1
    assert result.stderr.endswith("configs cannot be written (No such file or directory): choose another folder\n")


def test_all_mistakes_are_reported_at_once(configs: Path) -> None:
    edit(configs / "desk.yaml", "instruction: |", "instrution: |")
    edit(configs / "researcher.yaml", "attach_seconds: 240", "attach_seconds: soon")
    with pytest.raises(ConfigError) as caught:
        load_agent(configs / "desk.yaml")
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n"])
def test_a_configuration_that_is_not_a_mapping_is_refused(configs: Path, text: str) -> None:
    (configs / "desk.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"desk\.yaml:1: not a mapping"):
        load_agent(configs / "desk.yaml")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ATTACH_SECONDS", "soon", "Input should be a valid number"),
        ("ATTACH_SECONDS", "1e9", "Input should be less than or equal to 7200"),
        ("RETENTION_DAYS", "-1", "Input should be greater than 0"),
        ("EMULATOR_SPEED", "nan", "Input should be greater than 0"),
        ("ASK_ABOVE_USD", "-1", "Input should be greater than or equal to 0"),
        ("ASK_ABOVE_USD", "nan", "Input should be a finite number"),
        ("ASK_ABOVE_USD", "inf", "Input should be a finite number"),
        ("ASK_ABOVE_USD", "1e400", "Input should be a finite number"),
        ("RETENTION_DAYS", "inf", "Input should be (a finite number|less than)"),
        ("RETENTION_DAYS", "1e9", "Input should be less than or equal to 3650"),
        ("EMULATOR_SPEED", "1e12", "Input should be at most 1,000,000, or inf"),
        ("DATA_DIR", "~nobody-here/x", "there is no such user"),
        ("ASK_ABOVE_USD", "a lot", "Input should be a valid number"),
        ("BACKEND", "gemni", "Input should be 'auto', 'gemini', 'vertex' or 'emulator'"),
    ],
)
def test_an_invalid_setting_is_reported_with_its_variable(
    name: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.settings import SettingsError, load_settings

    monkeypatch.setenv(f"DESK_{name}", value)
    with pytest.raises(SettingsError, match=rf"DESK_{name}='{value}': {problem}"):
        load_settings()


@pytest.mark.parametrize("name", ["DATA_DIR", "CONFIG", "CORPUS"])
def test_a_tilde_in_a_path_setting_is_the_home_folder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.settings import load_settings

    monkeypatch.setenv(f"DESK_{name}", "~/dd")
    assert getattr(load_settings(), name.lower()) == Path.home() / "dd"


@pytest.mark.parametrize(("value", "usd"), [("0", 0.0), ("2.5", 2.5), ("", None)])
def test_ask_above_usd_is_read_from_the_environment_and_may_be_zero(
    value: str, usd: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.settings import load_settings

    monkeypatch.setenv("DESK_ASK_ABOVE_USD", value)
    assert load_settings().ask_above_usd == usd


def test_the_shipped_desk_asks_before_every_run(asks: None) -> None:
    from tools.settings import load_settings

    assert load_settings().ask_above_usd is None
    assert load_research_settings(ROOT / "configs" / "desk.yaml").ask_above_usd == 0


def test_an_unknown_version_of_a_known_model_is_accepted_and_check_warns(
    configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(configs / "assistant.yaml", "gemini-3.8-flash", "gemini-3.9-flash")
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    assert load_agent(configs / "desk.yaml")
    (warning,) = configuration_warnings()
    assert warning.startswith(f"{configs}/assistant.yaml:7: `gemini-3.9-flash` is not in models.yaml")


def test_a_binary_file_is_reported_as_not_yaml(configs: Path) -> None:
    (configs / "assistant.yaml").write_bytes(bytes(range(256)))
    with pytest.raises(ConfigError, match=r"assistant\.yaml:1: a binary file, not YAML"):
        load_agent(configs / "desk.yaml")


def test_top_k_is_accepted(configs: Path) -> None:
    edit(configs / "assistant.yaml", "tools:\n", "generate_content_config: {top_k: 40}\ntools:\n")
    assert load_agent(configs / "desk.yaml")


OWN_TOOLS = """
import socket

async def get_weather(place: str) -> str:
    \"\"\"Another function with the name of the desk's own.\"\"\"

async def transfer_to_agent(agent_name: str) -> str:
    \"\"\"A function with the name of ADK's own.\"\"\"

async def send(connection: socket.socket) -> str:
    \"\"\"A function with a parameter that no model can fill in.\"\"\"

async def bare(place: str) -> str:
    return place

async def add(*numbers: int) -> int:
    \"\"\"A function whose values have no names.\"\"\"

async def stream(place: str):
    \"\"\"A function with several results.\"\"\"
    yield place
"""
OWN_SCHEMA = """
from collections.abc import Callable
from pydantic import BaseModel

class Answer(BaseModel):
    ask: Callable[[], str]

class Torn(BaseModel):
    other: "Missing"
"""


@pytest.mark.parametrize(
    ("module", "tool", "finding"),
    [
        (OWN_TOOLS, "my_tools.get_weather", "a model cannot tell `my_tools.get_weather` from `tools.weather"),
        (OWN_TOOLS, "my_tools.transfer_to_agent", "cannot tell `my_tools.transfer_to_agent` from `transfer_to_ag"),
        (OWN_TOOLS, "my_tools.send", "`my_tools.send` cannot be described to a model: give its parameters plain"),
        (OWN_TOOLS, "my_tools.bare", "`my_tools.bare` has no docstring"),
        (OWN_TOOLS, "my_tools.add", "`my_tools.add` has parameters without names"),
        (OWN_TOOLS, "my_tools.stream", "`my_tools.stream` is a generator: return one value"),
        (OWN_TOOLS, "my_tools:add", "`my_tools:add` is not the name of an object in a module"),
        (OWN_TOOLS, "my_tools.add()", "`my_tools.add()` is not the name of an object in a module: write package.mod"),
        ("raise RuntimeError('no key\\nset it')", "my_tools.get", "cannot be imported (RuntimeError: no key)"),
        ("raise RuntimeError('no key')", "my_tools.get", "`my_tools` cannot be imported (RuntimeError: no key)"),
        ("import sys\nsys.exit(3)", "my_tools.get", "`my_tools` cannot be imported (SystemExit: 3)"),
        ("", "my_tols.get", "no module `my_tols`: correct the name, or add the module's folder to PYTHONPATH"),
    ],
)
def test_a_tool_of_ones_own_that_cannot_work_is_reported_before_anything_starts(
    configs: Path, monkeypatch: pytest.MonkeyPatch, module: str, tool: str, finding: str
) -> None:
    (configs / "my_tools.py").write_text(module)
    monkeypatch.syspath_prepend(str(configs))
    monkeypatch.delitem(sys.modules, "my_tools", raising=False)
    file = configs / ("desk.yaml" if "transfer" in tool else "assistant.yaml")
    weather = "  - name: tools.weather.get_weather\n" if file.name == "assistant.yaml" else "tools:\n"
    edit(file, weather, f"{weather}  - name: {tool}\n")
    with pytest.raises(ConfigError) as caught:
        load_agent(configs / "desk.yaml")
    line = file.read_text().splitlines().index(f"  - name: {tool}") + 1
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert finding in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "parameters", "passed"),
    [
        ("before_agent_callbacks", "", "callback_context"),
        ("before_model_callbacks", "context", "callback_context, llm_request"),
        ("after_model_callbacks", "callback_context, llm_response, more", "callback_context, llm_response"),
        ("after_tool_callbacks", "tool, args, tool_context", "tool, args, tool_context, tool_response"),
    ],
)
def test_a_callback_that_adk_cannot_call_is_reported_with_what_adk_passes(
    configs: Path, monkeypatch: pytest.MonkeyPatch, key: str, parameters: str, passed: str
) -> None:
    (configs / "my_callbacks.py").write_text(
        f"def wrong({parameters}):\n    pass\n\ndef named({passed}):\n    pass\n\n"
        f"async def other_names({passed.replace('t', 'x')}):\n    pass\n\ndef any(**values):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(configs))
    monkeypatch.delitem(sys.modules, "my_callbacks", raising=False)
    file = configs / "desk.yaml"
    shipped = file.read_text()
    right = "".join(f"  - name: my_callbacks.{name}\n" for name in ("named", "other_names", "any"))
    file.write_text(f"{shipped}{key}:\n{right}")
    load_agent(file)
    file.write_text(f"{shipped}{key}:\n{right}  - name: my_callbacks.wrong\n")
    with pytest.raises(ConfigError) as caught:
        load_agent(file)
    line = len(file.read_text().splitlines())
    says = f"`my_callbacks.wrong({parameters})` cannot be one of `{key}`: ADK calls it with {passed}"
    assert str(caught.value) == f"{file}:{line}: {says}"


@pytest.mark.parametrize("name", ["Answer", "Torn"])
def test_an_output_schema_without_a_json_schema_is_refused(
    configs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (configs / "my_schemas.py").write_text(OWN_SCHEMA)
    monkeypatch.syspath_prepend(str(configs))
    edit(configs / "assistant.yaml", "tools:\n", f"output_schema: {{name: my_schemas.{name}}}\ntools:\n")
    with pytest.raises(ConfigError, match=rf"`my_schemas\.{name}` has no JSON schema"):
        load_agent(configs / "desk.yaml")


def test_an_empty_instruction_is_refused(configs: Path) -> None:
    file = configs / "translator.yaml"
    file.write_text((configs / "illustrator.yaml").read_text().replace("name: illustrator", "name: translator"))
    edit(configs / "desk.yaml", "sub_agents:", "sub_agents:\n  - config_path: translator.yaml")
    load_agent(configs / "desk.yaml")
    file.write_text(re.sub(r"instruction: \|\n(?:  .*\n)+", 'instruction: " "\n', file.read_text()))
    with pytest.raises(ConfigError, match=r"translator\.yaml:\d+: `instruction` is empty"):
        load_agent(configs / "desk.yaml")


def test_a_module_of_agents_that_ends_the_program_when_imported_is_reported_with_its_line(
    configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (configs / "my_agents.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(str(configs))
    edit(configs / "assistant.yaml", "tools.adk.llm_agent.Agent", "my_agents.Agent")
    with pytest.raises(ConfigError, match=r"assistant\.yaml:1: .*`my_agents` cannot be imported \(SystemExit: 3\)"):
        load_agent(configs / "desk.yaml")
