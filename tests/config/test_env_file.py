"""Mistakes in `.env` and misspelt variables are named, and never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tools.cli.app import app
from tools.cli.env_file import env_warnings


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ADK_DISABLE_LOAD_DOTENV")
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".env"


@pytest.mark.parametrize("raw", ["DESK_BACKEND=auto".encode("utf-16"), b"A=\xff\xfe\x00", b"DESK_CORPUS=a\0b\n"])
def test_an_env_file_that_is_no_text_is_an_error_of_one_line(env_file: Path, raw: bytes) -> None:
    env_file.write_bytes(raw)
    result = CliRunner().invoke(app, ["jobs"])
    assert result.exit_code == 1
    assert result.stderr == f"error: {env_file}: not a text in UTF-8: save it in that encoding, one NAME=value a line\n"


def test_an_env_file_that_is_a_pipe_is_refused_without_waiting(env_file: Path) -> None:
    os.mkfifo(env_file)
    result = CliRunner().invoke(app, ["jobs"])
    assert result.exit_code == 1
    assert result.stderr == f"error: {env_file}: a pipe or a device, not a file: save its contents to a file first\n"


def test_skipped_lines_of_the_env_file_are_named(env_file: Path) -> None:
    env_file.write_text("DESK_BACKEND=auto\nGEMINI_API_KEY: key\n# comment\n\n'open\n")
    found = list(env_warnings())
    assert [line.partition(": ")[0] for line in found] == [f"{env_file}:2", f"{env_file}:5"]


def test_lines_of_the_env_file_without_an_effect_are_named(env_file: Path) -> None:
    env_file.write_text("DESK_FOLLOW=1\nDESK_BACKEND\nDESK_FOLLOW=0\n")
    skipped, twice = env_warnings()
    assert skipped == f"{env_file}:2: this line is skipped: write NAME=value"
    assert twice == f"{env_file}:3: DESK_FOLLOW is in line 1 too, without effect: remove one"


def test_a_variable_of_the_env_file_in_lower_case_is_named(env_file: Path) -> None:
    env_file.write_text("desk_backend=auto\n")
    assert list(env_warnings()) == [
        f"{env_file}: desk_backend is not a setting of the desk, did you mean `DESK_BACKEND`?"
    ]


@pytest.mark.parametrize("line", ['DESK_BACKEND="auto', "DESK_BACKEND='auto' now"])
def test_quotes_that_make_a_line_of_the_env_file_unreadable_are_named(env_file: Path, line: str) -> None:
    env_file.write_text(f"{line}\n")
    [found] = env_warnings()
    assert found == f"{env_file}:1: this line is skipped: close its quotes, and let only a comment follow them"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("${NO_SUCH}/data", "`${NO_SUCH}` is not set, so it is empty in"),
        ("$HOME/data", "`$HOME` is not replaced in DESK_DATA"),
    ],
)
def test_a_variable_in_a_value_that_is_not_replaced_is_named(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    env_file.write_text(f"DESK_DATA_DIR={value}\nDESK_CORPUS=${{HOME}}/p$word\n")
    [found] = env_warnings()
    assert found.startswith(f"{env_file}:1: {words}")


def test_a_wrong_value_is_named_with_the_file_and_line_that_set_it(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_RETENTION_DAYS", "-1")
    env_file.write_text("# first\n\nDESK_FOLLOW=maybe\nDESK_EMULATOR_SPEED=fast\nDESK_RETENTION_DAYS=5\n")
    for command in ("jobs", "doctor"):
        for name in ("DESK_FOLLOW", "DESK_EMULATOR_SPEED"):
            monkeypatch.setenv(name, "")  # restores after the test what the command sets
            monkeypatch.delenv(name)
        told = CliRunner().invoke(app, [command]).output
        assert f"{env_file}:3: DESK_FOLLOW='maybe': write 1 or 0" in told
        assert f"{env_file}:4: DESK_EMULATOR_SPEED='fast'" in told
        assert "DESK_RETENTION_DAYS='-1'" in told and f"{env_file}:5" not in told


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DESK_BAKEND", "DESK_BACKEND"),
        ("DESK_OIDC_ISUER", "DESK_OIDC_ISSUER"),
        ("GEMINI_APIKEY", "GEMINI_API_KEY"),
        ("GOOGLE_GENAI_USE_ENTERPRIZE", "GOOGLE_GENAI_USE_ENTERPRISE"),
    ],
)
def test_a_misspelt_variable_is_a_warning_with_the_name_that_was_meant(
    name: str, meant: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text(f"{name}=x\n")
    assert list(env_warnings()) == [f"{env_file}: {name} is not a setting of the desk, did you mean `{meant}`?"]
    env_file.write_text("")
    monkeypatch.setenv(name, "x")
    assert list(env_warnings()) == [f"{name} is not a setting of the desk, did you mean `{meant}`?"]
    assert f"did you mean `{meant}`?" in CliRunner().invoke(app, ["check"]).stderr


def test_variables_of_other_programs_are_no_warning(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file.write_text("POSTGRES_PASSWORD=x\nOTEL_SERVICE_NAME=x\n")
    monkeypatch.setenv("GOOGLE_ANALYTICS_ID", "x")
    monkeypatch.setenv("DESK_MAX_BODY", "5")
    assert list(env_warnings()) == []
