"""Settings that are valid one by one, and of which one defeats another, are warned of with file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import ROOT
from tools.cli.app import app
from tools.cli.configuration_checks import configuration_warnings
from tools.research.job import Kind
from tools.research.quotas import LimitReached, Quotas, question_check
from tools.research.spending import Spending, Used

TOOLS = "tools.researcher.tools"


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def warnings_of(file: Path) -> list[str]:
    return [warning for warning in configuration_warnings() if warning.startswith(f"{file}:")]


@pytest.fixture
def researcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configs = shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    return configs / "researcher.yaml"


def test_the_shipped_configuration_contradicts_itself_nowhere(researcher: Path) -> None:
    assert warnings_of(researcher) == []


def test_a_daily_limit_below_the_price_of_a_run_is_warned_of(researcher: Path) -> None:
    edit(researcher, "usd_per_day: 60", "usd_per_day: 5")
    line = researcher.read_text().splitlines().index("  usd_per_day: 5") + 1
    [warning] = warnings_of(researcher)
    assert warning.startswith(f"{researcher}:{line}: `usd_per_day: 5`: no run of `deep-research-max-preview")
    edit(researcher, "usd_per_day: 5", "usd_per_day: 2")
    assert len(warnings_of(researcher)) == 2


def test_a_researcher_that_orders_runs_and_takes_no_yes_is_warned_of(researcher: Path) -> None:
    edit(researcher, f"  - name: {TOOLS}.approve\n", "")
    line = researcher.read_text().splitlines().index(f"  - name: {TOOLS}.start_research") + 1
    [warning] = warnings_of(researcher)
    assert warning.startswith(f"{researcher}:{line}: `{TOOLS}.start_research` orders runs that wait for a yes")
    assert warning.endswith(f"add `- name: {TOOLS}.approve`")


def test_an_mcp_server_of_a_private_network_is_warned_of(researcher: Path) -> None:
    tools = "[{type: mcp_server, name: wiki, url: 'http://localhost:3000/mcp'}]"
    edit(researcher, "# research_tools:", f"research_tools: {tools}\n# research_tools:")
    line = researcher.read_text().splitlines().index(f"research_tools: {tools}") + 1
    [warning] = warnings_of(researcher)
    assert warning.startswith(f"{researcher}:{line}: `url`: Google's server calls `wiki`, and cannot reach a private")
    edit(researcher, "http://localhost:3000/mcp", "https://wiki.example.org/mcp")
    assert warnings_of(researcher) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DESK_DATABASE_URL", "mysql://db/desk", "names a database that is not supported"),
        ("DESK_SESSIONS_URL", "sqlite:///x.db", "names another file in each folder that a command runs in"),
        ("DESK_CORPUS", "/nowhere/documents", "is not a folder: name one, or unset it"),
    ],
)
def test_check_names_settings_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    told = CliRunner().invoke(app, ["check"]).stderr
    assert told.count(words) == 1 and f"warning: {name}=" in told


def test_a_run_that_costs_more_than_a_day_may_is_not_put_off_to_tomorrow() -> None:
    run = Spending(0, "ann", "job_1", Kind.QUESTION, "deep-research", 3.0)
    with pytest.raises(LimitReached, match=r"only if `usd_per_day` .* is raised$"):
        question_check(Quotas(usd_per_day=2), run)(Used(running=0, creates=0, usd=0.0))
