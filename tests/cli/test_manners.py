"""How all commands behave: one line for a failure, the same exit statuses, standard input, pipes and narrow windows."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.errors._stale_session_error import StaleSessionError
from typer.main import get_command

from interactions_emulator import Emulator
from tests.cli.test_commands import api, desk
from tests.conftest import ROOT
from tests.forks import Fork
from tests.talk import creates
from tools.cli import attachments
from tools.cli.app import app
from tools.cli.help import GROUPS, topics
from tools.cli.job_data import ago
from tools.cli.status import show_job
from tools.cli.terminal import out
from tools.research.job import new_job
from tools.research.order import Order

__all__ = ["api"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (("ask", "hello"), ("research", "tides"), ("moderate", "hello"), ("interaction", "v1_x"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("status", [401, 404, 500])
def test_an_api_error_is_at_most_three_lines_without_a_traceback(
    api: Emulator, command: tuple[str, str], status: int
) -> None:
    api.faults(*({"on": kind, "status": status, "times": 0} for kind in ("create", "create_stream", "get")))
    result = desk(*command)
    said = (result.stdout + result.stderr).strip()
    assert result.returncode == 1
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 3, said


def test_an_unreachable_server_is_reported_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_BACKEND", "gemini")
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    result = desk("ask", "hello")
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert "http://127.0.0.1:1 (GOOGLE_GEMINI_BASE_URL)" in result.stderr


@pytest.mark.parametrize("command", [("jobs",), ("sessions",), ("spending",), ("research", "tides"), ("ask", "hello")])
def test_an_unwritable_data_folder_is_a_one_line_error(
    api: Emulator, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DESK_DATA_DIR", str(tmp_path / "file" / "data"))
    result = desk(*command)
    assert (result.returncode, len(result.stderr.strip().splitlines()), "file" in result.stderr) == (1, 1, True)


def test_an_unexpected_error_is_one_line_and_a_traceback_with_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr("tools.cli.jobs.show_jobs", fail)
    plain, debugged = desk("jobs"), desk("--debug", "jobs")
    assert (plain.returncode, len(plain.stderr.strip().splitlines())) == (1, 1)
    assert "ZeroDivisionError: a mistake of ours. `desk --debug`" in plain.stderr
    assert "Traceback" in debugged.stderr


def test_a_dash_reads_standard_input(api: Emulator) -> None:
    assert desk("ask", "-", typed="hello from a pipe\n").returncode == 0
    asked = api.log(bodies=True)["requests"][-1]["body"]
    assert "hello from a pipe" in json.dumps(asked)


def test_a_byte_order_mark_is_no_part_of_a_text_from_standard_input(api: Emulator) -> None:
    assert desk("research", "-", "--plan", typed="\ufefftides").returncode == 0
    assert json.loads(desk("jobs", "--json").stdout)["brief"] == "tides"


def test_an_endless_standard_input_is_refused() -> None:
    command = [sys.executable, "-m", "tools", "ask", "-"]
    with Path("/dev/zero").open() as endless:
        told = subprocess.run(command, cwd=ROOT, stdin=endless, capture_output=True, text=True)
    assert (told.returncode, "more than 10,000,000 characters" in told.stderr) == (2, True)


@pytest.mark.parametrize("command", ["ask", "research", "moderate"])
@pytest.mark.parametrize("text", ["", " \n", "-"])
def test_an_empty_text_is_refused_before_anything_is_sent(api: Emulator, command: str, text: str) -> None:
    result = desk(command, text)
    assert (result.returncode, "it is empty" in result.stderr, api.log()["requests"]) == (2, True, [])


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("research", "tides", "--from", ""), "--from"),
        (("ask", "hello", "--session", " "), "--session"),
        (("schedules", ""), "SCHEDULE"),
        (("status", ""), "JOB"),
    ],
    ids=lambda value: value[0],
)
def test_an_empty_value_is_refused_before_anything_is_sent(api: Emulator, command: tuple[str, ...], name: str) -> None:
    result = desk(*command)
    assert (result.returncode, api.log()["requests"]) == (2, [])
    assert name in result.stderr and "it is empty: write a value" in result.stderr


def test_input_that_is_not_utf_8_is_refused_in_each_locale(api: Emulator) -> None:
    command = [sys.executable, "-m", "tools", "research", "-"]
    for locale in ("C", "C.UTF-8"):
        environment = {**os.environ, "LC_ALL": locale}
        told = subprocess.run(command, cwd=ROOT, env=environment, input=b"tides \xff", capture_output=True)
        assert (told.returncode, b"it is not UTF-8" in told.stderr) == (2, True)
    assert "it is not UTF-8" in desk("ask", os.fsdecode(b"tides \xff")).stderr
    assert api.log()["requests"] == []


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("jobs >&-", 0),
        pytest.param("help runs >&-", 0, marks=pytest.mark.nightly),
        ("jobs 2>&-", 0),
        ("ask - <&-", 2),
    ],
)
def test_a_closed_input_or_output_is_no_error_of_the_program(listed: str, command: str, status: int) -> None:
    line = f"{sys.executable} -m tools {command}"
    told = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
    assert (told.returncode, "Traceback" in told.stderr) == (status, False), line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has this device, which is a full disk")
@pytest.mark.parametrize("command", ["--help", "help runs", "jobs", "check"])
def test_output_that_cannot_be_written_is_an_error_of_one_line(listed: str, command: str) -> None:
    with Path("/dev/full").open("w") as full, tempfile.TemporaryFile("w+") as told:
        status = Fork("tools", *command.split(), stdout=full, stderr=told).wait()
        told.seek(0)
        assert status == 1
        assert re.fullmatch(r"error: (standard output: )?No space left on device\n", told.read())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has this device, which is a full disk")
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["files", "json"])
def test_a_full_disk_at_the_output_names_the_run_and_how_to_get_its_report(
    listed: str, options: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full, tempfile.TemporaryFile("w+") as told:
        status = Fork("tools", "research", "tides", *options, stdout=full, stderr=told).wait()
        told.seek(0)
        last = told.read().splitlines()[-1]
    assert (status, last.startswith("error: ")) == (1, True)
    assert f"No space left on device. {listed} is kept: `desk attach {listed}` follows it" in last


def test_ctrl_c_before_the_first_progress_names_the_run_and_the_command_to_come_back(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tools.cli.report_output.show_progress", interrupted)
    told = desk("research", "tides")
    (job,) = (json.loads(line)["job"] for line in desk("jobs", "--json").stdout.splitlines())
    assert told.returncode == 130
    assert f"Stopped. {job} was not cancelled: `desk attach {job}` follows it" in told.stderr


def test_a_damaged_database_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_DATA_DIR", str(tmp_path))
    for command, name in (("jobs", "ledger.db"), ("sessions", "sessions.db")):
        (tmp_path / name).write_bytes(b"no database" * 1000)
        told = desk(command)
        assert (told.returncode, len(told.stderr.splitlines())) == (1, 1)
        assert name in told.stderr and "restore a copy of the file, or move it away" in told.stderr


def test_a_second_command_in_a_conversation_is_told_to_wait(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async def faster(*_: Any, **__: Any) -> None:
        raise StaleSessionError("the session is stale")

    monkeypatch.setattr("tools.cli.ask._ask", faster)
    told = desk("ask", "hello", "--session", "s")
    assert (told.returncode, "another command writes in this conversation now: wait" in told.stderr) == (1, True)


def test_a_warning_of_desk_doctor_is_not_shown_as_good(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_CONFG", "x")
    told = desk("doctor").stdout
    assert "warning\tconfiguration\tDESK_CONFG is not a setting of the desk, did you mean `DESK_CONFIG`?" in told


def test_an_error_of_desk_interaction_says_what_to_do(api: Emulator) -> None:
    api.faults({"on": "get", "status": 401, "times": 0})
    assert "`desk doctor` checks the address and the key" in desk("interaction", "v1_x").stderr


def test_a_wrong_choice_is_refused_in_plain_words(api: Emulator) -> None:
    told = desk("research", "tides", "--format", "xyz").stderr
    assert "'xyz' is not one of 'md', 'html'" in told and "Value error" not in told


@pytest.mark.parametrize(
    ("status", "checked"), [(401, "GEMINI_API_KEY"), (404, "the `agent` in the researcher's YAML")]
)
def test_a_refused_start_names_what_to_check(api: Emulator, status: int, checked: str) -> None:
    api.faults({"on": "create", "status": status, "times": 0}, {"on": "create_stream", "status": status, "times": 0})
    result = desk("research", "tides")
    told = result.stdout + result.stderr
    assert "nothing was started" in told and f"check {checked}" in told
    assert ".." not in told


def test_files_that_are_too_large_empty_missing_or_of_another_kind_are_refused_before_anything_is_sent(
    api: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MAX_ATTACHED_BYTES", 2**20)
    (tmp_path / "large.png").write_bytes(bytes(2**20 + 1))
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("program.exe", "unnamed"):
        (tmp_path / name).write_bytes(b"MZ\0\xff")
    for name in ("noise.pdf", "page.PNG"):
        (tmp_path / name).write_bytes(b"<html>Not found</html>")
    for name, complaint in (
        ("large.png", "1 MB together"),
        ("empty.png", "is empty"),
        ("no.png", "No such file"),
        ("pipe.png", "a pipe or a device, not a file: save its contents to a file first"),
        ("", "Is a directory"),
        ("program.exe", "no picture, PDF, sound or text"),
        ("unnamed", "no picture, PDF, sound or text"),
        ("noise.pdf", "the contents are no PDF"),
        ("page.PNG", "the contents are no PNG"),
    ):
        for command in ("ask", "research"):
            result = desk(command, "look", "--attach", str(tmp_path / name))
            assert (result.returncode, complaint in result.stderr) == (2, True)
    assert api.log()["creates"] == 0


def test_a_text_file_whose_name_says_nothing_is_attached_as_text(api: Emulator, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("all: tides")
    assert desk("research", "tides", "--attach", str(tmp_path / "Makefile")).returncode == 0
    [sent] = creates(api)
    assert "text/plain" in json.dumps(sent)


def test_an_unwritable_output_folder_is_refused_before_anything_is_paid(api: Emulator, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = desk("research", "tides", "--out", str(tmp_path / "file" / "reports"))
    assert (result.returncode, "is not a folder" in result.stderr, api.log()["creates"]) == (2, True, 0)


def test_an_unwritable_report_is_kept_and_the_command_to_save_it_is_shown(api: Emulator, tmp_path: Path) -> None:
    job = json.loads(desk("research", "tides", "--json").stdout)["job"]
    (tmp_path / job).touch()  # where the folder of the report would be
    failed = desk("research", "tides", "--out", str(tmp_path))
    assert (failed.returncode, f"The report is kept: desk report {job} --out DIR" in failed.stderr) == (1, True)
    assert desk("report", job, "--out", str(tmp_path / "other")).returncode == 0


def test_json_output_lists_the_saved_report_files(api: Emulator, tmp_path: Path) -> None:
    told = json.loads(desk("research", "tides", "--json", "--out", str(tmp_path), "--format", "md").stdout)
    assert told["files"] == [str(tmp_path / told["job"] / name) for name in ("report.md", "figure-1.png")]
    assert all(Path(file).exists() for file in told["files"])


@pytest.fixture
def listed(api: Emulator) -> Iterator[str]:
    yield json.loads(desk("research", "tides", "--json").stdout)["job"]


def test_jobs_output_in_a_pipe_is_tab_separated(listed: str) -> None:
    (line,) = desk("jobs").stdout.splitlines()
    job, state, started, brief = line.split("\t")
    assert (job, state, brief) == (listed, "completed", "tides")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", started)


def test_the_list_of_runs_has_one_line_and_the_same_words_in_a_pipe_as_on_a_terminal(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk("research", "tides\n" * 500, "--plan")
    _, state, _, brief = desk("jobs").stdout.rstrip("\n").split("\t")
    monkeypatch.setattr(out, "_force_terminal", True)
    with out.capture() as shown:
        desk("jobs")
    assert state == "awaiting approval" and state in shown.get()
    assert len(brief) == 80 and brief.endswith("…")


@pytest.mark.parametrize("width", [50, 80])
def test_jobs_output_on_a_terminal_fits_its_width(
    listed: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(out, "_force_terminal", True)
    monkeypatch.setattr(out, "_width", width)
    with out.capture() as shown:
        desk("jobs")
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in shown.get().splitlines()]
    assert max(map(len, lines)) <= width
    assert lines[1].split()[:3] == [listed, "completed", "now"]


def test_a_job_that_was_not_sent_yet_is_shown_as_starting() -> None:
    with out.capture() as shown:
        show_job(new_job(Order("tides", "ada", "s1", "deep-research-preview-04-2026"), 0.0), False, 0.0)
    assert shown.get().splitlines()[0].endswith("  starting")


def test_ages_are_shown_as_short_words() -> None:
    ages = [ago(seconds) for seconds in (5, 200, 7300, 200_000)]
    assert ages == ["now", "3 min ago", "2 h ago", "2 d ago"]
    assert [ago(seconds, short=True) for seconds in (200, 7300, 200_000)] == ["3m", "2h", "2d"]


@pytest.mark.parametrize(
    ("text", "fail_on", "status"),
    [("spam", "unsafe", 3), ("spam", "spam", 3), ("spam", "harmful", 0), ("fine", "unsafe", 0)],
)
def test_fail_on_sets_exit_status_3_for_matching_verdicts(
    use: Any, monkeypatch: pytest.MonkeyPatch, text: str, fail_on: str, status: int
) -> None:
    said = {"fine": "What a lovely day.", "spam": "You won a free prize, click here now!!!"}[text]
    with Emulator() as server:
        use(server)
        assert desk("moderate", said, "--fail-on", fail_on).returncode == status


def test_every_command_is_in_a_help_group_and_every_topic_has_a_page() -> None:
    command = get_command(app)
    assert {name for names in GROUPS.values() for name in names} == set(command.commands)  # type: ignore[attr-defined]
    for topic in topics():
        assert desk("help", topic).stdout.startswith("# ")
    assert "--fail-on" in desk("help", "moderate").stdout
    assert "DESK_CORPUS" in desk("help", "emulator").stdout
    assert desk("help", "nonsense").returncode == 2
    for wrong, meant in (("exit", "exit-codes"), ("reserch", "research")):
        assert f"did you mean `desk help {meant}`?" in desk("help", wrong).stderr
    assert desk("--version").stdout.startswith("desk ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_in_the_docs_can_be_parsed(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = get_command(app)
    for line in re.findall(r"^(?:[A-Z_]+=\S+ )*\.venv/bin/desk (.+?)(?: &)?$", page.read_text(), re.MULTILINE):
        words = shlex.split(line.replace("…", "x"), comments=True)
        if words[0] in ("emulator", "eval"):  # commands of their own
            continue
        words = [word.split("#")[0] for word in words]
        sub = command.commands[words[0]]  # type: ignore[attr-defined]
        monkeypatch.setattr(sys, "stdin", None)
        assert sub.make_context(words[0], words[1:]), line


def test_a_pipe_that_closes_early_causes_no_error(listed: str) -> None:
    command = f"{sys.executable} -m tools jobs | true"
    told = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")


def test_forget_names_the_saved_copies_that_it_leaves_alone(
    listed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports" / listed).mkdir(parents=True)
    assert f"reports/{listed}: left alone, these are your copies" in desk("forget", listed, "--yes").stdout


@pytest.mark.parametrize("name", ["../../evil", "a/b", ".hidden"])
def test_an_invalid_conversation_name_is_refused_before_anything_is_sent(api: Emulator, name: str) -> None:
    assert desk("ask", "hello", "--session", name).returncode == 2
    assert api.log()["requests"] == []


def test_a_misspelt_setting_is_named_before_an_order(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_BAKEND", "emulator")
    assert "DESK_BAKEND is not a setting of the desk, did you mean `DESK_BACKEND`?" in desk("research", "tides").stderr
