"""Whatever is in a file of YAML, it is data, or an error that names file and line."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evals.case_files import CaseError, read_cases
from tests.conftest import ROOT
from tools.config.loader import load_agent
from tools.yaml_files.reading import ConfigError, read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
"""Twelve lines that name thirty billion values."""
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
READ = """
import sys
from pathlib import Path
from tools.config.loader import load_agent
from tools.yaml_files.reading import ConfigError
for name in sys.argv[1:]:
    try:
        load_agent(Path(name))
    except ConfigError as error:
        print(error)
"""


BOMBS = {
    "aliases": (BOMB, r":5: more than 50000 values, with aliases expanded"),
    "merges": (MERGES, r":\d+: more than 50000 values, with aliases expanded"),
    "lists": ("a: " + "[" * 300_000, ":1: more than 50 levels of nesting"),
    "mappings": ("{a: " * 200_000, ":1: more than 50 levels of nesting"),
    "dashes": ("- " * 300_000, ":1: more than 50 levels of nesting"),
    "values": ("a: [" + "x, " * 300_000, ":1: more than 50000 values"),
    "bytes": ("x" * 2_000_000, ":1: more than 1000000 bytes"),
}


def test_an_oversized_yaml_file_is_refused_without_exhausting_memory(tmp_path: Path) -> None:
    """Two gigabytes and a minute are more than a machine at its limit needs, and less than any of these would take."""
    files = {kind: tmp_path / f"{kind}.yaml" for kind in BOMBS}
    for kind, file in files.items():
        file.write_text(BOMBS[kind][0])
    done = subprocess.run(
        [sys.executable, "-c", READ, *map(str, files.values())],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: (
            resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)),
            resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
        ),
    )
    assert done.returncode == 0, done.stderr[-500:]
    for (kind, file), found in zip(files.items(), done.stdout.splitlines(), strict=True):
        assert re.match(re.escape(str(file)) + BOMBS[kind][1], found), found


@pytest.mark.parametrize(
    ("raw", "finding"),
    [
        (b"name: desk\nfirst: \0", ":2: a character that YAML does not have"),
        (b"name: desk\nfirst: \x07", ":2: a character that YAML does not have"),
        (b"name: desk\nfirst: \xff", ":2: not UTF-8"),
        ("name: desk".encode("utf-16"), ":1: not UTF-8"),
        (b"name: desk\nfirst:\n\t- x", ":3: .*cannot start any token"),
        (b"name: desk\nfirst: Note: this", ":2: a value with a colon and a space: put it in quotes"),
        (b"name: desk\n first: x", ":2: not indented like its neighbours"),
        (b"name: desk\nfirst: @x", ":2: a value cannot begin with this character: put it in quotes"),
        (b"name: desk\nfirst: %x", ":2: a value cannot begin with this character: put it in quotes"),
        (b"name: desk\nfirst:\n\tx: y", ":3: a tab: indent with spaces"),
        (b"name: desk\nfirst: 'it's'", ":2: a quote in a quoted value"),
        (b"name: desk\nfirst: [1\nx: y", ":3: a bracket that is opened here or above is not closed"),
        (b'name: desk\nfirst: "C:\\path"', ":2: a backslash in double quotes: use single quotes"),
        (b"name: desk\nfirst: [", ":2: .*did not find expected node content"),
        (b"name: desk\n---\nname: desk", ":2: .*another document"),
        (b"name: desk\n1: x", ":2: `1` is not a text: put it in quotes"),
        (b"name: desk\non: x", ":2: `on` is not a text: put it in quotes"),
        (b"name: desk\n2026-01-01: x", ":2: `2026-01-01` is not a text"),
        (b"name: desk\n? [a]\n: x", ":2: a key is not a text"),
        (b"name: desk\n? !!str [a]\n: x", ":2: a key is not a text"),
        (b"name: desk\nfirst: 2026-13-45", ":2: `2026-13-45` is not a valid timestamp: put it in quotes"),
        (b"name: desk\nfirst: " + b"1" * 5000, ":2: `1{40}` is not a valid int"),
        (b"name: desk\nfirst: !!float x", ":2: `x` is not a valid float"),
        (b"name: desk\nfirst: !!python/object:os.system x", ":2: .*could not determine a constructor"),
        (b"name: desk\nfirst: &a [*a]", r":2: `\*a` refers to a value that contains it"),
        (b"name: desk\nfirst: *a", ":2: .*undefined alias"),
        (b"a: &x 1\nb: &x 2", ":2: .*duplicate anchor"),
        (b"name: desk\n<<: 5", ":2: .*expected a mapping"),
        (b"name: desk\nfirst:\n  a: 1\n  a: 2", ":4: `a` stands here twice"),
    ],
)
def test_invalid_yaml_is_an_error_with_file_and_line(tmp_path: Path, raw: bytes, finding: str) -> None:
    file = tmp_path / "desk.yaml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError, match=finding) as caught:
        read_yaml(file)
    assert str(caught.value).startswith(f"{file}:")
    with pytest.raises(ConfigError, match=finding):
        load_agent(file)


def test_anchors_merges_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text("\ufeffbase: &b {a: 1}\nother:\n  <<: *b\n  c: [*b, *b]\n")
    assert read_yaml(file).data == {"base": {"a": 1}, "other": {"a": 1, "c": [{"a": 1}] * 2}}


@pytest.mark.parametrize("place", ["no.yaml", "."])
def test_an_unreadable_configuration_file_is_named_in_the_error(tmp_path: Path, place: str) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path)):
        load_agent(tmp_path / place)


def test_evaluation_cases_are_read_with_the_same_yaml_limits(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(BOMB)
    with pytest.raises(CaseError, match=r"^s\.yaml: 5: more than 50000 values"):
        read_cases(file)


@pytest.mark.parametrize("name", ["a.yaml", "x/../a.yaml", "b.yaml"])
def test_an_agent_that_contains_itself_is_refused(tmp_path: Path, name: str) -> None:
    head = "model: interactions:gemini-3.8-flash\ninstruction: Talk.\n"
    head += "disallow_transfer_to_parent: true\ndisallow_transfer_to_peers: true\n"
    (tmp_path / "x").mkdir()
    (tmp_path / "a.yaml").write_text(f"name: a\n{head}sub_agents: [{{config_path: {name}}}]")
    (tmp_path / "b.yaml").write_text(f"name: b\n{head}sub_agents: [{{config_path: a.yaml}}]")
    with pytest.raises(ConfigError, match=r"[ab]\.yaml:6: `.*` is its own sub-agent: remove it from `sub_agents`"):
        load_agent(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("code", "reason"),
    [("1 / 0", "division by zero"), ("def (", "invalid syntax"), ("import nowhere", "named 'nowhere'")],
)
def test_a_module_that_cannot_be_imported_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_tools.py").write_text(code)
    file = tmp_path / "desk.yaml"
    file.write_text(
        "name: desk\nmodel: interactions:gemini-3.8-flash\ninstruction: Talk.\ntools:\n  - name: own_tools.search\n"
    )
    with pytest.raises(ConfigError, match=rf"desk\.yaml:5: no object .*`own_tools` cannot be imported \(.*{reason}"):
        load_agent(file)


FILES = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / "configs").glob("*[a-z].yaml")}
AGENTS = sorted(name for name, data in FILES.items() if isinstance(data, dict) and "name" in data)
KEYS = sorted(
    {key for name in AGENTS for key in FILES[name]} | {"server_tools", "research_tools", "output_schema", "model_code"}
)
INNER = ["name", "type", "config_path", "labels", "thinking_config", "response_modalities", "headers", "args", "code"]
WORDS = [
    "",
    ".",
    "..",
    "a..b",
    "{a}",
    "x",
    "desk",
    "desk.yaml",
    "LoopAgent",
    "json.dumps",
    "tools.adk.llm_agent",
    "\x1b[31m",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(INNER), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(AGENTS), st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=2))
def test_any_wrong_value_gives_a_configuration_error_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, file: str, values: dict[str, Any]
) -> None:
    configs = Path(shutil.copytree(ROOT / "configs", tmp_path_factory.mktemp("any") / "configs"))
    (configs / file).write_text(yaml.safe_dump({**FILES[file], **values}))
    try:
        load_agent(configs / "desk.yaml")
    except ConfigError as error:
        assert str(configs) in str(error)


def test_a_caller_may_change_what_it_has_read(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("names: [a]\n")
    read_yaml(file).data["names"].append("b")
    assert read_yaml(file).data == {"names": ["a"]}
