"""What the documentation says is so."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.faults.cells import cells
from tests.faults.victim import kills
from tools.cli.app import app
from tools.server.settings import ServerSettings
from tools.settings import Settings, variables

README = (ROOT / "README.md").read_text()
RESEARCH = (ROOT / "docs" / "research.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
SETTINGS = {*variables(Settings)}


def test_every_setting_is_in_the_table_and_in_the_example_file_and_no_other() -> None:
    assert set(re.findall(r"^\| `(DESK_\w+)`", README, re.MULTILINE)) == SETTINGS
    assert set(re.findall(r"^#?(DESK_\w+)=", EXAMPLE, re.MULTILINE)) == SETTINGS


def test_every_setting_of_the_server_is_in_its_table() -> None:
    rows = re.findall(r"^\| (`DESK_.+?) \|", (ROOT / "docs" / "serving.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"DESK_\w+", row)} | SETTINGS
    assert named == {*variables(ServerSettings)} | SETTINGS


def test_every_command_is_shown_and_every_command_shown_exists() -> None:
    named = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    commands = {name.replace("_", "-") for name in named} | {str(group.name) for group in app.registered_groups}
    assert set(re.findall(r"^\.venv/bin/desk ([\w-]+)", README, re.MULTILINE)) == commands - {"demo"}


def test_every_file_named_exists() -> None:
    layout = "agents/desk/" + README.split("```\nagents/desk/")[1].split("```")[0]
    linked, placed = re.findall(r"\]\(((?!http)[^)]+)\)", README), re.findall(r"^(\w[\w/.]*)", layout, re.MULTILINE)
    modules = re.findall(r"\b(\w+\.py)\b", layout)
    assert min(len(linked), len(placed), len(modules)) > 5
    assert [name for name in (*linked, *placed) if not (ROOT / name).exists()] == []
    assert [name for name in modules if not list((ROOT / "tools").rglob(name))] == []


@pytest.mark.parametrize(("text", "least"), [(README, 15), (RESEARCH, 30)])
def test_every_promise_named_has_its_test(text: str, least: int) -> None:
    named = set(re.findall(r"`(test_\w+)`", text))
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > least
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_the_fault_matrix_is_shown_whole_and_the_desk_fails_nowhere() -> None:
    def rows(text: str) -> dict[str, list[int]]:
        found = re.findall(r"^\| ([\w:, -]+?) \|((?: \d+ \|)+)$", text, re.MULTILINE)
        return {name: [int(number) for number in re.findall(r"\d+", numbers)] for name, numbers in found}

    summary, full = rows(README), rows(RESEARCH)
    assert list(summary) == ["start", "stream", "end", "kill", "all"]
    assert {name for name in full if name != "all"} == {cell.group for cell in [*cells(), *kills()]}
    for part, numbers in summary.items():
        behind = [row for name, row in full.items() if part == "all" != name or name.startswith(f"{part}:")]
        assert numbers == [sum(column) for column in zip(*behind, strict=True)], part
        assert numbers[1:5] == [0, 0, 0, 0]


def test_python_in_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    snippets = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), {})
        assert "emulator" in capsys.readouterr().out
