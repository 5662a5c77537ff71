"""`desk report --all`: all reports in one zip file, which is written whole or not at all."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import weakref
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from interactions_emulator import Emulator
from tests.cli.test_commands import api, desk
from tests.documents.reports import report
from tools.research import limited_process
from tools.research.job import Job, new_job
from tools.research.order import Order
from tools.research.report import documents
from tools.research.report.archive import save_archive
from tools.research.report.report import Report

__all__ = ["api"]
JOBS = {job.id: job for job in (new_job(Order(f"brief {n}", "user", "s", "agent"), 1e9) for n in range(3))}


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def read_with(change: Callable[[str], None]) -> Callable[[str], object]:
    async def read(job_id: str) -> tuple[Job, Report]:
        change(job_id)
        return JOBS[job_id], report(f"# Report {job_id}\n\nText & <b>more</b>.")

    return read


async def test_an_archive_has_each_report_in_a_folder_and_lists_of_them(tmp_path: Path) -> None:
    archived = await save_archive(tmp_path / "a.zip", JOBS, read_with(str), ("md", "json"), pytest.fail)

    with zipfile.ZipFile(tmp_path / "a.zip") as found:
        assert found.testzip() is None
        entries = set(found.namelist())
        listed = found.read("README.md").decode(), found.read("index.html").decode()
    files = ("report.md", "report.json", "figure-1.png")
    assert entries == {"README.md", "index.html", *(f"{job}/{file}" for job in JOBS for file in files)}
    assert [each.folder for each in archived] == list(JOBS)
    for job in JOBS:
        assert all(
            f"{job}/report.md" in text and f"Report {job}".replace("_", mark) in text
            for text, mark in zip(listed, ("\\_", "_"), strict=True)
        )


async def test_an_archive_that_cannot_be_completed_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("the old one")

    def fail_at_the_end(job_id: str) -> None:
        if job_id == [*JOBS][-1]:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        await save_archive(tmp_path / "a.zip", JOBS, read_with(fail_at_the_end), ("md",), print)
    assert (tmp_path / "a.zip").read_text() == "the old one"
    assert names(tmp_path) == ["a.zip"]


async def test_a_report_that_cannot_be_read_or_converted_is_named_and_the_others_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = JOBS
    said = list[str]()

    def break_one(job_id: str) -> None:
        if job_id == first:
            raise ValueError("this JSON is not a research report")
        monkeypatch.setattr(limited_process.sys, "executable", "/bin/false")  # no document can be made

    await save_archive(tmp_path / "a.zip", JOBS, read_with(break_one), ("md", "epub"), said.append)

    with zipfile.ZipFile(tmp_path / "a.zip") as found:
        reports = [name for name in found.namelist() if "/report." in name]
    assert reports == [f"{second}/report.md", f"{third}/report.md"]
    assert [text.partition(":")[0] for text in said] == [f"{first} is left out", second, third]


async def test_an_archive_holds_one_report_in_memory(tmp_path: Path) -> None:
    seen = list[weakref.ref[Report]]()

    async def read(job_id: str) -> tuple[Job, Report]:
        for _ in range(50):  # the thread that wrote the last report may hold it for a moment
            gc.collect()
            held = [ref for ref in seen if ref() is not None]
            if not held:
                break
            await asyncio.sleep(0.01)
        assert held == []
        found = report("# Report\n\nText.")
        seen.append(weakref.ref(found))
        return JOBS[job_id], found

    assert len(await save_archive(tmp_path / "a.zip", JOBS, read, ("md",), print)) == len(JOBS)


def test_the_command_saves_all_reports_and_refuses_what_does_not_fit(api: Emulator, tmp_path: Path) -> None:
    assert "there is no report yet" in desk("report", "--all", "--out", str(tmp_path / "a.zip")).stderr
    jobs = [json.loads(desk("research", topic, "--json").stdout)["job"] for topic in ("tides", "moons")]
    saved = desk("report", "--all", "--out", str(tmp_path / "new" / "a.zip"), "--format", "md", "--json")
    told = json.loads(saved.stdout)
    assert (saved.returncode, set(told["reports"]), told["problems"]) == (0, set(jobs), [])
    with zipfile.ZipFile(told["file"]) as found:
        assert {f"{job}/report.md" for job in jobs} <= set(found.namelist())
    for arguments, complaint in (
        (("--all", jobs[0]), f"leave out {jobs[0]}, or --all"),
        (("--all", "--show"), "leave out --show, or --all"),
        (("--all", "--resolve-links"), "leave out --resolve-links, or --all"),
        (("--all", "--out", str(tmp_path)), "is a folder: name a file"),
        ((), "name a JOB, as `desk jobs` lists them, or --all"),
    ):
        refused = desk("report", *arguments)
        assert (refused.returncode, complaint in " ".join(refused.stderr.split())) == (2, True), refused.stderr
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    refused = desk("report", "--all", "--out", str(pipe))
    assert (refused.returncode, refused.stderr) == (1, f"error: {pipe}: Not a regular file. Nothing was written\n")


def test_documents_are_saved_by_the_command_that_orders_the_research(api: Emulator, tmp_path: Path) -> None:
    formats = [argument for name in ("pdf", "docx", "epub") for argument in ("--format", name)]
    told = json.loads(desk("research", "tides", "--json", "--out", str(tmp_path), *formats).stdout)
    starts = {Path(file).suffix: Path(file).read_bytes()[:4] for file in told["files"]}
    assert starts | {".png": b""} == {".pdf": b"%PDF", ".docx": b"PK\3\4", ".epub": b"PK\3\4", ".png": b""}


def test_a_format_whose_extra_is_missing_is_refused_before_anything_is_paid(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "find_spec", lambda name: None)
    refused = desk("research", "tides", "--format", "md", "--format", "pdf")
    assert (refused.returncode, api.log()["creates"]) == (2, 0)
    assert "pip install 'research-desk[documents]'" in " ".join(refused.stderr.split())
    assert desk("research", "tides", "--format", "md").returncode == 0


def test_a_document_that_cannot_be_made_is_a_failure_that_names_it_and_keeps_the_rest(
    api: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = json.loads(desk("research", "tides", "--json").stdout)["job"]
    monkeypatch.setattr(limited_process.sys, "executable", "/bin/false")
    for arguments in (("report", job, "--out", str(tmp_path)), ("report", "--all", "--out", str(tmp_path / "a.zip"))):
        failed = desk(*arguments, "--format", "md", "--format", "pdf")
        assert (failed.returncode, "cannot be made" in failed.stderr) == (1, True)
    assert (tmp_path / job / "report.md").exists()
    with zipfile.ZipFile(tmp_path / "a.zip") as found:
        assert f"{job}/report.md" in found.namelist()
