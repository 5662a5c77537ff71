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
from interactions_emulator.faults import Fault, parse_faults
from interactions_emulator.http.rules import RULES
from interactions_emulator.scenarios import load_scenarios
from interactions_emulator.scenarios.model import Match, ResultMatch, Scenario

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "README.md").read_text()
SCENARIOS = (PROJECT / "docs" / "scenarios.md").read_text()
STRICTNESS = (PROJECT / "docs" / "strictness.md").read_text()


def blocks(language: str, page: str = PAGE) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found, f"the page has no block of {language}"
    return found


@pytest.mark.parametrize("page", [PAGE, SCENARIOS])
@pytest.mark.nightly
def test_python_examples_of_the_pages_run(page: str) -> None:
    known: dict[str, object] = {}
    for block in blocks("python", page):
        exec(compile(block, "page", "exec"), known)


def test_the_fault_table_lists_every_fault_and_no_other() -> None:
    section = PAGE.split("## Break it")[1].split("## ")[0]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == {field.name for field in fields(Fault)}
    given = re.findall(r"(?:x-emulator-fault: |faults -d ')({.*?})'", PAGE)
    assert len(given) >= 2
    for fault in given:
        parse_faults([{"on": "create"} | json.loads(fault)])


def test_the_option_table_lists_every_option_and_no_other() -> None:
    rows = re.findall(r"^\| (?:`--([\w-]+)`)? ?\| (?:`(\w+)`)? ?\|", PAGE, re.MULTILINE)
    options = {name.replace("_", "-") for name in inspect.signature(main).parameters} - {"context"}
    assert {option for option, _ in rows if option} == options
    assert {argument for _, argument in rows if argument} == set(inspect.signature(Emulator).parameters)


@pytest.mark.parametrize("page", [PAGE, SCENARIOS])
def test_scenario_examples_of_the_pages_can_be_loaded(tmp_path: Path, page: str) -> None:
    for block in blocks("yaml", page):
        (tmp_path / "scenarios.yaml").write_text(block)
        loaded = load_scenarios(tmp_path / "scenarios.yaml")
        assert loaded.scenarios or loaded.exchanges


def test_the_tables_of_scenarios_list_every_field_and_no_other() -> None:
    rows = re.findall(r"^\| (`[\w.]+`(?:, `[\w.]+`)*) \|", SCENARIOS, re.MULTILINE)
    nested = {f"function_result.{name}" for name in ResultMatch.model_fields}
    assert set(re.findall(r"`([\w.]+)`", " ".join(rows))) == (
        nested | Match.model_fields.keys() | Scenario.model_fields.keys()
    ) - {"match"}


def test_the_table_of_rules_lists_every_rule_with_its_verdict_and_source() -> None:
    table = [f"| {rule.summary} | {rule.verdict} | {rule.source} |" for rule in RULES]
    assert re.findall(r"^\| .* \| (?:refuse|warn) \| .*$", STRICTNESS, re.MULTILINE) == table


@pytest.mark.parametrize("block", blocks("py"))
@pytest.mark.nightly
def test_the_example_test_of_the_readme_passes(pytester: pytest.Pytester, block: str) -> None:
    pytester.makepyfile("import pytest\nfrom google import genai\n\n\n" + block)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_every_module_named_on_the_readme_exists() -> None:
    table = PAGE.split("## How it is built")[1].split("## ")[0]
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", table))
    assert len(named) > 10
    missing = {name for name in named if not (PROJECT / "src/interactions_emulator" / name).exists()}
    assert missing - {"interactions_emulator/"} == set()
