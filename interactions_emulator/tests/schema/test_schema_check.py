"""The comparison with the SDKs finds what is new, and its result is written down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from schema.__main__ import HERE
from schema.compare import compare, report
from schema.read_python import read_names

FOLDER = Path(__file__).parents[3] / "build" / "schema"
KNOWN = HERE / "known-differences.yaml"
SDK = {"endpoint POST /a", "tool.f", "tool.f.name", "tool.g", "tool.g.name", "status=done"}
OURS = {"endpoint POST /a", "tool.f", "tool.f.name", "tool.f.colour"}
WRITTEN_DOWN = [
    {"name": "tool.g", "reason": "not yet"},
    {"name": "tool.f.colour", "reason": "ours"},
    {"name": "status=*", "reason": "never"},
]


def test_differences_that_are_written_down_are_listed_with_their_reason() -> None:
    told = report({"sdk 1": SDK, "sdk 2": SDK - {"tool.g"}}, OURS, set(), WRITTEN_DOWN)
    assert not told.failed
    assert "| `tool.g` | sdk 1 | not yet |" in told.markdown
    assert "| `tool.f.colour` | the emulator | ours |" in told.markdown
    assert "3 differences, 0 of them not written down." in told.markdown


def test_a_new_name_of_an_sdk_fails_the_check() -> None:
    told = report({"sdk 1": SDK | {"tool.f.short_name"}}, OURS, set(), WRITTEN_DOWN)
    assert told.failed and "| `tool.f.short_name` | sdk 1 | **not written down** |" in told.markdown


def test_a_field_that_streams_lose_fails_the_check() -> None:
    told = report({"sdk 1": SDK}, OURS, {"stream step.f.name"}, WRITTEN_DOWN)
    assert told.failed and "| `stream step.f.name` | the emulator's resource | **not written down** |" in told.markdown


def test_a_known_difference_that_no_longer_differs_fails_the_check() -> None:
    told = report({"sdk 1": SDK}, OURS | {"tool.g", "tool.g.name"}, set(), WRITTEN_DOWN)
    assert told.failed and "Remove `tool.g` from the known differences" in told.markdown


def test_every_name_of_the_installed_sdk_is_known_or_written_down() -> None:
    told = compare({"google-genai": read_names()}, KNOWN)
    rows = [line for line in told.markdown.splitlines() if "not written down**" in line]
    assert [row for row in rows if "| google-genai" in row] == []  # an older SDK lacks names that the emulator has


@pytest.mark.nightly
def test_every_difference_to_the_newest_sdks_is_written_down() -> None:
    if not (FOLDER / "javascript").exists():
        pytest.skip("the newest SDKs are not installed: make schema-check")
    command = [sys.executable, "-m", "schema", "--installed", "--folder", str(FOLDER)]
    ran = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
