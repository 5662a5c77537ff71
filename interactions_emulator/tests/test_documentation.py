"""What the documentation says is so."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from interactions_emulator import Emulator
from interactions_emulator.cli import main
from interactions_emulator.faults.fault import Fault
from interactions_emulator.faults.help import ANSWERS, FIELDS, REQUESTS, STREAMS, help_lines
from interactions_emulator.faults.named import NAMED
from interactions_emulator.faults.parsing import parse_faults
from interactions_emulator.requests.create_rules import RULES
from interactions_emulator.scenarios import load_scenarios
from interactions_emulator.scenarios.scenario import Match, ResultMatch, Scenario

PROJECT = Path(__file__).resolve().parents[1]
PAGES = {page.name: page.read_text() for page in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))}


def blocks(language: str) -> list[tuple[str, str]]:
    """The page and the text of each block of a language."""
    found = [
        (name, block)
        for name, page in PAGES.items()
        for block in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    ]
    assert found, f"no page has a block of {language}"
    return found


@pytest.mark.nightly
def test_python_examples_of_the_pages_run() -> None:
    known: dict[str, object] = {}
    for page, block in blocks("python"):
        exec(compile(block, page, "exec"), known)


def test_the_fault_tables_list_every_field_and_name_with_its_meaning() -> None:
    assert FIELDS.keys() == {field.name for field in fields(Fault)}
    page = PAGES["faults.md"]
    for group in (REQUESTS, ANSWERS, STREAMS):
        rows = [
            f"| `{name}` | {field.meaning} | `{json.dumps(field.example)}` |"
            for name, field in FIELDS.items()
            if field.group == group
        ]
        assert f"## Fields: {group}\n\n| field | meaning | example |\n|---|---|---|\n" + "\n".join(rows) in page
    names = [f"| `{name}` | {named.meaning} |" for name, named in NAMED.items()]
    assert "| name | meaning |\n|---|---|\n" + "\n".join(names) in page


def test_the_help_lists_every_fault_with_an_example() -> None:
    told = "\n".join(help_lines())
    for example in (
        *(field.example for field in FIELDS.values()),
        *(one for named in NAMED.values() for one in named.faults),
    ):
        assert json.dumps(example) in told and parse_faults([example])


def test_fault_examples_of_the_pages_are_faults() -> None:
    given = re.findall(r"(?:x-emulator-fault: |faults -d ')({.*?})'", PAGES["faults.md"])
    assert len(given) >= 2
    for fault in given:
        parse_faults([{"on": "create"} | json.loads(fault)])


def test_the_option_table_lists_every_option_and_no_other() -> None:
    rows = re.findall(r"^\| (?:`--([\w-]+)`)? ?\| (?:`(\w+)`)? ?\|", PAGES["options.md"], re.MULTILINE)
    options = {name.replace("_", "-") for name in inspect.signature(main).parameters} - {"context"}
    assert {option for option, _ in rows if option} == options
    assert {argument for _, argument in rows if argument} == set(inspect.signature(Emulator).parameters)


def test_scenario_examples_of_the_pages_can_be_loaded(tmp_path: Path) -> None:
    for _, block in blocks("yaml"):
        (tmp_path / "scenarios.yaml").write_text(block)
        loaded = load_scenarios(tmp_path / "scenarios.yaml")
        assert loaded.scenarios or loaded.exchanges


def test_the_tables_of_scenarios_list_every_field_and_no_other() -> None:
    rows = re.findall(r"^\| (`[\w.]+`(?:, `[\w.]+`)*) \|", PAGES["scenarios.md"], re.MULTILINE)
    nested = {f"function_result.{name}" for name in ResultMatch.model_fields}
    assert set(re.findall(r"`([\w.]+)`", " ".join(rows))) == (
        nested | Match.model_fields.keys() | Scenario.model_fields.keys()
    ) - {"match"}


def test_the_table_of_rules_lists_every_rule_with_its_verdict_and_source() -> None:
    table = [f"| {rule.summary} | {rule.verdict} | {rule.source} |" for rule in RULES]
    assert re.findall(r"^\| .* \| (?:refuse|warn) \| .*$", PAGES["strictness.md"], re.MULTILINE) == table


@pytest.mark.parametrize(("page", "block"), blocks("py"))
@pytest.mark.nightly
def test_the_example_tests_of_the_pages_pass(pytester: pytest.Pytester, page: str, block: str) -> None:
    pytester.makepyfile("import pytest\nfrom google import genai\n\n\n" + block)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_every_module_named_on_the_page_of_the_design_exists() -> None:
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", PAGES["design.md"]))
    assert len(named) > 10
    missing = {name for name in named if not (PROJECT / "src/interactions_emulator" / name).exists()}
    assert missing - {"interactions_emulator/"} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    folder = PROJECT if page == "README.md" else PROJECT / "docs"
    links = re.findall(r"\]\(((?!https?:)[^)#\s]+)", PAGES[page])
    targets = [(folder / link).resolve() for link in links]
    assert [target for target in targets if not target.exists() or not target.is_relative_to(PROJECT)] == []
