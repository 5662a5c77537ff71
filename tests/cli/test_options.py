"""What all commands refuse before they do anything: texts that are too long, and options that would be ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from interactions_emulator import Emulator
from tests.cli.test_commands import api, desk
from tools.cli.app import app

__all__ = ["api"]


@pytest.mark.parametrize(
    "command",
    [("research", "-"), ("schedule", "-", "--max-usd", "9", "--every", "week", "--yes"), ("follow-up", "j", "-")],
)
def test_a_brief_that_is_too_long_is_refused_with_the_limit_before_anything_is_sent(
    api: Emulator, command: tuple[str, ...]
) -> None:
    result = desk(*command, typed="word " * 80_000)
    assert (result.returncode, api.log()["requests"]) == (2, [])
    assert "400,000 characters, and at most 20,000 are taken" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("command", "ignored"),
    [
        (("report", "job_22222222", "--show", "--format", "json"), "--format"),
        (("report", "job_22222222", "--show", "--out", "x"), "--out"),
        (("report", "job_22222222", "--all"), "job_22222222"),
        (("research", "tides", "--json", "--format", "md"), "--format"),
        (("schedules", "sched_22222222", "--delete", "--json"), "--json"),
        (("interaction", "v1_x", "--yes"), "--yes"),
        (("interaction", "v1_x", "--delete", "--input"), "--input"),
        (("eval", "--price", "3"), "--price"),
        (("eval", "--model", "m"), "--model"),
        (("eval", "--sets", "tools", "compare", "a", "b"), "--sets"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(api: Emulator, command: tuple[str, ...], ignored: str) -> None:
    result = desk(*command)
    assert (result.returncode, api.log()["requests"]) == (2, [])
    assert ignored in result.stderr and "leave" in result.stderr


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (("jobs", "--debug"), "--debug is written before the command: `desk --debug jobs …`"),
        (("--json", "jobs"), "--json is written after the command: `desk COMMAND --json`"),
        (("--nosuch", "jobs"), "No such option: --nosuch"),
    ],
)
def test_an_option_on_the_wrong_side_of_the_command_is_told_its_place(command: tuple[str, ...], place: str) -> None:
    result = desk(*command)
    assert (result.returncode, place in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (("moderate", "--file", "texts.csv", "--out", "-"), "- is standard output: name a file"),
        (("moderate", "--file", "texts.csv", "--out", "."), ". is a folder: name a file"),
        (("spending", "--svg", "-"), "- is standard output: name a file"),
        (("spending", "--svg", "."), ". is a folder: name a file"),
        (("spending", "--svg", "/proc/x.svg"), "/proc cannot be written to"),
        (("report", "--all", "--out", "-"), "- is standard output: name a file"),
    ],
)
def test_an_output_file_that_cannot_be_made_is_refused_before_anything_is_done(
    api: Emulator, command: tuple[str, ...], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.csv").write_text("text\nhello\n")
    result = desk(*command)
    assert (result.returncode, result.stdout, api.log()["requests"]) == (2, "", [])
    assert complaint in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["texts.csv"]


def test_a_relative_data_folder_is_refused_with_the_whole_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_DATA_DIR", "data")
    result = desk("jobs")
    assert (result.returncode, f"write {Path('data').absolute()}\n" in result.stderr) == (1, True)
    assert result.stderr.startswith("error: DESK_DATA_DIR=")
    assert not Path("data").exists()


def test_each_option_says_what_its_value_is() -> None:
    def values(command: Any) -> Iterator[Any]:
        yield from (p for p in command.params if not getattr(p, "is_flag", False))
        for each in getattr(command, "commands", {}).values():
            yield from values(each)

    choices = {"formats", "by", "fail_on", "brain"}  # their values are shown
    for param in values(get_command(app)):
        assert param.name in choices or re.fullmatch(r"[A-Z]+([-|:][A-Z]+)*", param.metavar or ""), param.name


def test_a_missing_folder_of_an_output_file_is_created(api: Emulator, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text\nhello\n")
    verdicts = tmp_path / "new" / "folder" / "verdicts.jsonl"
    assert desk("moderate", "--file", str(tmp_path / "texts.csv"), "--out", str(verdicts)).returncode == 0
    assert verdicts.exists()
