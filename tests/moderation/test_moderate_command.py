"""What `desk moderate` promises: each row of a file is judged once, whatever happens to the run."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.forks import Fork
from tests.kill.test_kill import until
from tests.routing.test_conversation import text_of
from tests.scripts import said
from tools.cli.app import app
from tools.interactions import backend
from tools.moderation.batch import judge_rows
from tools.moderation.input_file import FileProblem, Row
from tools.moderation.judge import ModerationClient
from tools.moderation.verdict_store import VerdictStore


class Counting:
    """A judge that finds adverts, and counts how often it was asked about each text."""

    def __init__(self) -> None:
        self.asked = Counter[str]()

    def __call__(self, turn: Turn) -> Iterator[TimedStep]:
        text = "\n".join(text_of(turn.steps[-1]).split("\n")[2:-1])
        self.asked[text] += 1
        safe = "ADVERT" not in text
        category = "safe" if safe else "spam"
        verdict = {"is_safe": safe, "category": category, "confidence": 0.9, "reason": f"It says {len(text)}."}
        yield TimedStep(0, said(json.dumps(verdict) if "ODD" not in text else "no idea"))


@pytest.fixture
def judge() -> Counting:
    return Counting()


@pytest.fixture
def api(judge: Counting, use: Any) -> Iterator[Emulator]:
    with Emulator(brain=judge) as server:
        use(server)
        yield server


NIGHTLY = pytest.mark.nightly


def moderate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["moderate", *map(str, arguments)])


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, texts: list[str], **more: Any) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["id", "comment"], *([f"c{i}", text] for i, text in enumerate(texts))])
    else:
        path.write_text("".join(json.dumps({"id": f"c{i}", "comment": t}) + "\n" for i, t in enumerate(texts)))
    return path


TEXTS = ["a nice day", "an ADVERT,\nover two lines", 'said "so"', "", "größer 🌊"]


def test_a_single_text_gets_a_sentence_or_a_json_object(api: Emulator) -> None:
    assert moderate("an ADVERT").stdout == "**Verdict: not safe, spam** (confidence 0.90). It says 9.\n"
    assert json.loads(moderate("a nice day", "--json").stdout)["category"] == "safe"


def test_a_text_that_cannot_be_judged_is_an_error_and_not_a_verdict(api: Emulator) -> None:
    result = moderate("ODD")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not mean safe (INVALID_OUTPUT)" in result.stderr


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_each_row_of_a_file_gets_a_verdict_in_row_order(
    api: Emulator, judge: Counting, tmp_path: Path, kind: str
) -> None:
    file = write(tmp_path / f"comments.{kind}", TEXTS)
    result = moderate("--file", file, "--column", "comment", "--json")
    assert result.exit_code == 0, result.stderr
    target = tmp_path / f"comments.{kind}.verdicts.jsonl"
    assert json.loads(result.stdout) == {
        "file": str(target),
        "judged": 4,
        "flagged": 1,
        "flagged_share": 0.25,
        "categories": {"safe": 3, "spam": 1},
        "failed": 0,
        "empty": 1,
    }
    rows = lines_of(target)
    assert [(row["row"], row["id"]) for row in rows] == [(i + 1, f"c{i}") for i in range(5)]
    assert [(row["verdict"] or {}).get("category") for row in rows] == ["safe", "spam", "safe", None, "safe"]
    assert judge.asked == Counter(text for text in TEXTS if text)


def test_a_second_run_judges_only_failed_changed_and_new_rows(api: Emulator, judge: Counting, tmp_path: Path) -> None:
    file = write(tmp_path / "c.jsonl", ["one", "ODD two", "three", "four"])
    first = moderate("--file", file, "--column", "comment")
    assert first.exit_code == 1
    assert "1 row failed; the same command tries it again. First: row " in first.stderr
    assert "safe: 3\n" in first.stdout
    assert lines_of(tmp_path / "c.jsonl.verdicts.jsonl")[1]["error"]["code"] == "INVALID_OUTPUT"
    judge.asked.clear()
    write(file, ["one", "ODD two", "three, changed", "four", "five"])
    again = moderate("--file", file, "--column", "comment", "--json")
    assert judge.asked == Counter(["ODD two", "three, changed", "five"])
    assert (json.loads(again.stdout)["judged"], json.loads(again.stdout)["failed"]) == (4, 1)
    write(file, ["one"])
    assert moderate("--file", file, "--column", "comment").exit_code == 0
    assert [row["row"] for row in lines_of(tmp_path / "c.jsonl.verdicts.jsonl")] == [1]


def count_verdicts(partial: Path) -> int:
    """How many verdicts the table of a batch under way has."""
    if not partial.exists():
        return 0
    with closing(sqlite3.connect(partial)) as database:
        has_table = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'verdicts'").fetchone()
        [(count,)] = database.execute("SELECT count(*) FROM verdicts") if has_table else [(0,)]
    return int(count)


@pytest.mark.parametrize(("kind", "by"), [("csv", signal.SIGKILL), pytest.param("jsonl", signal.SIGINT, marks=NIGHTLY)])
def test_an_interrupted_batch_continues_and_judges_each_row_once(
    api: Emulator, judge: Counting, tmp_path: Path, kind: str, by: signal.Signals
) -> None:
    texts = [f"text {i}" for i in range(30)]
    file, target = write(tmp_path / f"c.{kind}", texts), tmp_path / "verdicts.jsonl"
    arguments = ("--file", file, "--column", "comment", "--out", target, "--at-once", "4")
    api.faults({"on": "create", "skip": 11, "times": 0, "hang": True})
    log = tmp_path / "stderr.log"
    with log.open("wb") as told:
        process = Fork("tools", "moderate", *map(str, arguments), stderr=told)
    try:
        until(lambda: count_verdicts(tmp_path / "verdicts.jsonl.partial") == 11)
        process.send_signal(by)
        process.wait()
    finally:
        process.kill()
    if by is signal.SIGINT:
        assert (process.returncode, "the same command continues" in log.read_text()) == (130, True)
        assert len({row["row"] for row in lines_of(target)}) == 11  # not always the first: four are asked about at once
    else:
        assert not target.exists()
    api.faults()
    again = moderate(*arguments)
    assert again.exit_code == 0, again.stderr
    assert "continuing: 11 rows are done already" in again.stderr
    assert judge.asked == Counter(texts)
    assert [row["row"] for row in lines_of(target)] == list(range(1, 31))


def test_equal_rows_are_judged_once(api: Emulator, judge: Counting, tmp_path: Path) -> None:
    file = write(tmp_path / "c.csv", ["again and again"] * 20)
    assert json.loads(moderate("--file", file, "--column", "comment", "--json").stdout)["judged"] == 20
    assert judge.asked == Counter(["again and again"])


def test_rows_without_a_text_fail_individually_with_a_reason(api: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text('{"text": "good"}\nnot json\n\n{"text": 7}\n{"other": "x"}\n{"text": "fine", "id": 4}')
    result = moderate("--file", file)
    assert result.exit_code == 1
    rows = lines_of(tmp_path / "c.jsonl.verdicts.jsonl")
    problems = [row.get("error", {}).get("message") for row in rows]
    assert problems == [None, "not a JSON object", "`text` is not a text", "no `text`", None]
    assert rows[-1]["id"] == 4


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("c.csv", "id,comment\n1,hi\n", "no column `text`; its columns: id, comment. Name one of them with --column"),
        ("c.jsonl", '{"id": 1, "comment": "hi"}\n', "no column `text`; its columns: id, comment"),
        ("c.txt", "hi", "a file of texts ends in .csv, .jsonl, .ndjson"),
        ("c.csv", "", "no column `text`; its columns: none"),
        ("c.csv", "text\n", "no rows"),
        ("c.csv", "text,text\na,b\n", "the column `text` is in its first line twice: rename all but one"),
        ("c.csv", "id,text,id\n1,a,2\n", "the column `id` is in its first line twice"),
        ("c.csv", None, "No such file"),
        ("c.csv", b"text\n\xff\xfe\n", "not UTF-8"),
        ("c.csv", 'text\n"open', "unexpected end of data"),
        ("c.csv", 'text\ngood\n"open', "unexpected end of data"),
    ],
)
def test_an_unusable_input_file_is_refused_with_a_reason_and_leaves_no_output(
    api: Emulator, tmp_path: Path, name: str, content: str | bytes | None, complaint: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = moderate("--file", file)
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    assert f"{file}: " in result.stderr
    assert complaint in result.stderr
    assert list(tmp_path.glob("*.verdicts*")) == []


def test_a_bad_input_file_leaves_a_link_as_output_alone(api: Emulator, tmp_path: Path) -> None:
    file, link = tmp_path / "c.csv", tmp_path / "out.jsonl"
    file.write_text('text\ngood\n"open')
    link.symlink_to(tmp_path / "nowhere")
    assert moderate("--file", file, "--out", link).exit_code == 2
    assert (link.is_symlink(), (tmp_path / "nowhere").exists(), [*tmp_path.glob("*.partial")]) == (True, False, [])


def test_a_pipe_as_input_is_refused_without_waiting(api: Emulator, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.csv")
    result = moderate("--file", tmp_path / "c.csv")
    assert (result.exit_code, "a pipe or a device, not a file" in result.stderr) == (2, True)


def test_a_folder_as_input_is_refused(api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = moderate("--file", ".")
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)


@pytest.mark.parametrize("option", [("--column", "comment"), ("--out", "verdicts"), ("--at-once", "2")])
def test_an_option_for_files_is_refused_with_a_text(api: Emulator, option: tuple[str, str]) -> None:
    result = moderate("hello", *option)
    assert (result.exit_code, api.log()["requests"]) == (2, [])
    assert "are for --file: leave them out, or name a file" in result.stderr


def test_an_output_file_with_other_contents_is_never_overwritten(api: Emulator, tmp_path: Path) -> None:
    file = write(tmp_path / "c.jsonl", ["one"])
    for precious in ("dear diary\n", "dear diary", '{"row": 1}\n'):
        (tmp_path / "out").write_text(precious)
        for target in (file, tmp_path / "out"):
            before = target.read_bytes()
            result = moderate("--file", file, "--column", "comment", "--out", target)
            assert (result.exit_code, target.read_bytes()) == (2, before)
            assert "name another with --out" in result.stderr


def test_a_refused_key_stops_the_batch_instead_of_failing_every_row(api: Emulator, tmp_path: Path) -> None:
    file = write(tmp_path / "c.csv", [f"text {i}" for i in range(500)])
    api.faults({"on": "create", "status": 403, "times": 0})
    result = moderate("--file", file, "--column", "comment", "--at-once", "2")
    assert result.exit_code == 1
    assert "HTTP_403" in result.stderr
    assert len(api.log()["requests"]) < 10
    assert "never retrieved" not in result.stderr


def test_a_failed_call_fails_only_its_row(api: Emulator, tmp_path: Path) -> None:
    file = write(tmp_path / "c.csv", ["one", "two", "three"])
    api.faults({"on": "create", "skip": 1, "status": 500, "retry_after_ms": 1, "times": 4})
    result = moderate("--file", file, "--column", "comment", "--at-once", "1")
    assert (result.exit_code, "1 row failed" in result.stderr) == (1, True)
    assert "First: row 2: gemini-3.8-flash answered HTTP 500" in result.stderr
    assert [("error" in row) for row in lines_of(tmp_path / "c.csv.verdicts.jsonl")] == [False, True, False]


async def test_only_a_few_rows_are_in_memory_and_judged_at_once(api: Emulator, judge: Counting, tmp_path: Path) -> None:
    ahead, most = 0, 0

    def endless() -> Iterator[Row]:
        nonlocal ahead, most
        for number in range(1, 400):
            ahead += 1
            most = max(most, ahead)
            yield Row(number, f"text {number}")

    store = VerdictStore(tmp_path / "v.jsonl")
    async for row in judge_rows(endless(), store, ModerationClient("gemini-3.8-flash", "Judge."), 3):
        ahead -= 1
        if row.number > 40:
            break
    assert most <= 3
    assert sum(judge.asked.values()) < 60


def test_a_batch_killed_twice_keeps_the_previous_file_and_all_verdicts(tmp_path: Path) -> None:
    target = tmp_path / "v.jsonl"
    store = VerdictStore(target)
    store.write(Row(1, "one"), None)
    store.close(1)
    before = target.read_bytes()
    for number in (2, 3):  # neither is closed
        VerdictStore(target).write(Row(number, f"text {number}"), None)
    assert target.read_bytes() == before
    again = VerdictStore(target)
    assert (again.judged_before, again.has(Row(2, "text 2")), again.has(Row(3, "another text"))) == (3, True, False)
    assert again.close().empty == 3
    assert [path.name for path in tmp_path.iterdir()] == ["v.jsonl"]


def test_a_partial_file_that_is_not_a_database_is_named_and_left_alone(tmp_path: Path) -> None:
    partial = tmp_path / "v.jsonl.partial"
    partial.write_text("dear diary\n" * 200)
    with pytest.raises(FileProblem, match=r"v\.jsonl\.partial: file is not a database; move the file away"):
        VerdictStore(tmp_path / "v.jsonl")
    assert partial.read_text().startswith("dear diary")


def test_the_last_line_of_a_row_counts_and_an_incomplete_line_is_ignored(tmp_path: Path) -> None:
    target, row = tmp_path / "v.jsonl", Row(1, "one")
    lines = [{"row": 1, "hash": row.digest, "error": {"code": "x", "message": "y"}}, {"row": 1, "hash": row.digest}]
    text = "".join(json.dumps(line) + "\n" for line in (lines[0], {**lines[1], "verdict": None}))
    target.write_text(text + '{"row": 2, "ha')
    store = VerdictStore(target)
    assert (store.judged_before, store.has(row)) == (1, True)
    assert (store.close().failed, len(lines_of(target))) == (0, 1)


@pytest.mark.parametrize("digest", ['"\\ud800"', "null", '"a text"'])
def test_a_line_with_an_invalid_hash_is_refused_and_leaves_no_partial_file(tmp_path: Path, digest: str) -> None:
    (tmp_path / "v.jsonl").write_text(f'{{"row": 1, "hash": {digest}, "verdict": null}}\n')
    with pytest.raises(FileProblem, match="line 1 is not a verdict of a row"):
        VerdictStore(tmp_path / "v.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["v.jsonl"]


def test_a_folder_as_output_is_refused_and_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(FileProblem, match="Not a regular file"):
        VerdictStore(tmp_path / "d")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_missing_api_key_leaves_no_output_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DESK_BACKEND", "gemini")
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    backend.current.cache_clear()
    file = write(tmp_path / "c.csv", ["one"])
    assert moderate("--file", file, "--column", "comment").exit_code == 1
    assert [path.name for path in tmp_path.glob("c.csv*")] == ["c.csv"]
