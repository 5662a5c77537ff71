"""What is reported to the packages below us is so with the versions that are installed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.conftest import ROOT

UPSTREAM = ROOT / "docs" / "upstream"
INDEX = (UPSTREAM / "README.md").read_text()
REPORTS = sorted(path for path in UPSTREAM.glob("*.md") if path.name != "README.md")
SHOWN = {
    "adk-cancelled-session-write": (["50"], r"clients have left, a new session of another user is 500 .*locked\n"),
    "adk-failing-import": (["2", "1"], r"2 turns execute _remote_a2a_agent\.py 2 times and remote_a2a_agent\.py 2 t"),
    "genai-create-model": (["2"], r"a request: 6 classes for 3 types.*\n.*12 events: 28 classes for 3 types"),
    "genai-connection-per-stream": (["3"], r"to the end: 3 streams, 3 connections\n.*: 3 streams, 1 connection\n"),
    "genai-bytewise-parser": (["2000"], r": [1-9]\d*\.\d lines of Python for each byte"),
    "mcp-dropped-lines": ([], r"5 messages that are not valid, 0 answers"),
    "httpcore-idle-count": (["10"], r"10 connections kept: one request looks [1-9]\d\d times"),
    "genai-hundred-streams": (["0.5"], r"100 connections for 101 streams; the 101st heard nothing"),
}
# Runs each in a process of its own, forked from one that has imported the SDK: that takes longer than all the rest.
RUN = """
import json, os, runpy, sys
import google.genai._gaos.google_genai
for name, path, arguments in json.loads(sys.argv[1]):
    print("##", name, flush=True)
    child = os.fork()
    if not child:
        sys.argv = [path, *arguments]
        runpy.run_path(path, run_name="__main__")
        sys.exit()
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{path} failed")
"""


@pytest.mark.nightly
def test_each_reproduction_still_shows_its_fault() -> None:
    """If one does not, the fault is gone, and what docs/upstream says we do meanwhile can go."""
    programs = [(name, str(UPSTREAM / f"{name}.py"), arguments) for name, (arguments, _) in SHOWN.items()]
    command = [sys.executable, "-c", RUN, json.dumps(programs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    printed = dict(re.findall(r"^## (\S+)\n((?:(?!##).*\n)*)", done.stdout, re.MULTILINE))
    assert printed.keys() == SHOWN.keys()
    assert {name: printed[name] for name, (_, shown) in SHOWN.items() if not re.search(shown, printed[name])} == {}


@pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.stem)
def test_every_cited_source_line_contains_the_quoted_code(report: Path) -> None:
    named = re.findall(r"`(\w[\w/]*\.py):(\d+)`, `(.+?)`", report.read_text())
    assert len(named) > 2
    for file, number, words in named:
        lines = Path(str(distribution("google-genai").locate_file(file))).read_text().splitlines()
        assert words in lines[int(number) - 1], f"{file}:{number}"


def test_every_upstream_report_has_a_reproduction_and_an_index_row() -> None:
    names = {path.stem for path in REPORTS}
    assert names == {path.stem for path in UPSTREAM.glob("*.py")} == set(SHOWN)
    assert names == set(re.findall(r"^\| \[.+?\]\((.+?)\.md\)", INDEX, re.MULTILINE))


def test_every_test_and_file_named_in_upstream_reports_exists() -> None:
    text = INDEX + "".join(path.read_text() for path in REPORTS)
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert {name for name in re.findall(r"`(test_\w+)`", text) if f"def {name}(" not in tests} == set()
    assert {name for name in re.findall(r"`((?:tools|tests)/[\w/]+\.py)`", text) if not (ROOT / name).exists()} == set()
