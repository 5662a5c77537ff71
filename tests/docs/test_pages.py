"""What the documentation says is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.faults.cells import cells
from tests.faults.ledger_write_kills import kills
from tools.cli.app import app
from tools.server.settings import ServerSettings
from tools.settings import Settings, variables

DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
README = (ROOT / "README.md").read_text()
DURABILITY = (DOCS / "durability.md").read_text()
SETTINGS = {*variables(Settings)}


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 110


def test_settings_table_and_example_file_list_every_setting_and_no_other() -> None:
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^\| `(DESK_\w+)`", (DOCS / "settings.md").read_text(), re.MULTILINE)) == SETTINGS
    assert set(re.findall(r"^#?(DESK_\w+)=", example, re.MULTILINE)) == SETTINGS


def test_the_serving_page_lists_every_server_setting() -> None:
    rows = re.findall(r"^\| (`DESK_.+?) \|", (DOCS / "serving.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"DESK_\w+", row)} | SETTINGS
    assert named == {*variables(ServerSettings)} | SETTINGS


def test_every_command_is_shown_and_every_command_shown_exists() -> None:
    named = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    commands = {name.replace("_", "-") for name in named} | {str(group.name) for group in app.registered_groups}
    shown = set(re.findall(r"^\.venv/bin/desk ([\w-]+)", (DOCS / "commands.md").read_text(), re.MULTILINE))
    assert shown == commands - {"demo", "eval"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_in_the_docs_leads_to_an_existing_file_and_heading(page: Path) -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_test_named_in_the_docs_exists() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", page.read_text())}
    assert len(named) > 60
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_the_documented_fault_matrix_is_complete_and_shows_no_failure_of_the_desk() -> None:
    found = re.findall(r"^\| ([\w:, -]+?) \|((?: \d+ \|)+)$", DURABILITY, re.MULTILINE)
    table = {name: [int(number) for number in re.findall(r"\d+", numbers)] for name, numbers in found}
    total = table.pop("all")
    assert set(table) == {cell.group for cell in [*cells(), *kills()]}
    assert total == [sum(column) for column in zip(*table.values(), strict=True)]
    assert total[1:5] == [0, 0, 0, 0]
    assert f"Under {total[0]} faults, ADK's `ManagedAgent` paid twice in {total[6]}; the desk in none" in README


def test_python_in_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    snippets = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), {})
        assert "emulator" in capsys.readouterr().out


def test_every_message_on_the_troubleshooting_page_is_one_of_the_program() -> None:
    messages = list(texts_of_the_program())
    rows = re.findall(r"^\| (.+?) \| .+? \| .+? \|$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    quoted = [part for row in rows for text in re.findall(r"`([^`]+)`", row) for part in text.split("…")]
    assert len(quoted) >= 25
    for words in filter(None, map(fixed_words, quoted)):
        assert any(in_order(words, message) for message in messages), " ".join(words)


def texts_of_the_program() -> Iterator[str]:
    """Each string of the application, with a space for each value that is filled in."""
    for file in (ROOT / "tools").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else " " for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def fixed_words(text: str) -> list[str]:
    """The words of a quoted message that no value fills in: those without digits and capitals, or all of them."""
    words = re.findall(r"[\w/'-]+", text)
    return [word for word in words if word.islower()] or words


def in_order(words: list[str], text: str) -> bool:
    """Whether a text has these words in this order."""
    return re.search(".*?".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words), text, re.DOTALL) is not None
