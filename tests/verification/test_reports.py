"""The checks of a report's sources are kept with the report, shown with it, and never delay or lose it."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.metrics import passages_found, supported_addresses
from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain, TimedStep, Turn
from tests.cli.test_commands import desk as command
from tests.conftest import Desk
from tests.evals.turns import score, turn
from tests.research.test_promises import ORDER, lines_while_time_passes
from tests.verification.test_verifier import FACT, PAGE, report
from tests.verification.web import FILLING, Web, silent
from tools.cli import verify
from tools.research.report.export import save
from tools.research.report.markdown_rendering import to_chat
from tools.research.report.report import from_json, to_json
from tools.research.verification.checks import Verdict, Verification
from tools.research.verification.verifier import Verifier
from tools.settings import load_settings

PLACES = {
    "alive.example/": PAGE,
    "gone.example/": 404,
    "misquoted.example/": PAGE.replace("240", "420"),
    "twice.example/a/": PAGE,
    "twice.example/a?utm_source=x": PAGE,
    "unknown.example/": f"<p>{FACT}</p>{FILLING}",
}
COPY = "http://web.archive.org/web/2020/http://gone.example/"


@pytest.fixture
def brain(web: Web) -> Brain:
    """A run that reads and cites pages of the web; one that it cites it has not read."""
    archive = {"archived_snapshots": {"closest": {"url": COPY}}}
    web.pages = {**PLACES, "archive.example/available": ({}, json.dumps(archive).encode())}

    def cite(turn: Turn) -> Iterator[TimedStep]:
        urls = [web.url(place) for place in PLACES]
        read = [{"url": url, "status": "success"} for url in urls[:-1]]
        yield TimedStep(60, {"type": "url_context_call", "id": "c1", "arguments": {"urls": urls[:-1]}})
        yield TimedStep(60, {"type": "url_context_result", "call_id": "c1", "result": read})
        block = f"{FACT}\n\n"
        cited = [
            {
                "type": "url_citation",
                "url": url,
                "title": url,
                "start_index": 0,
                "end_index": n * len(block) + len(FACT),
            }
            for n, url in enumerate(urls)
        ]
        part = {"type": "text", "text": block * len(urls), "annotations": cited}
        yield TimedStep(60, {"type": "model_output", "content": [part]})

    return cite


async def test_the_sources_are_checked_after_the_report_was_saved(desk: Desk, web: Web, tmp_path: Path) -> None:
    saved: list[bool] = []

    def page(handler: Any) -> None:
        with sqlite3.connect(tmp_path / "ledger.db") as ledger:
            saved.extend(bool(text) for (text,) in ledger.execute("SELECT report FROM research_jobs"))
        handler.answer(PAGE)

    web.pages["alive.example/"] = page
    service = desk.service(verifier=web.verifier())
    job, _ = await service.start(ORDER)
    told = await lines_while_time_passes(desk, service, job)
    report = await desk.service().report(job.id)
    assert saved == [True]
    assert report and report.verification
    assert sorted(line for line in told if line.startswith("checked")) == [
        "checked source 1 of 6: found",
        "checked source 2 of 6: not reachable",
        "checked source 3 of 6: misquoted",
        "checked source 4 of 6: found",
        "checked source 5 of 6: found",
        "checked source 6 of 6: found",
    ]
    assert report.verification.found_share == 4 / 6
    assert report.verification.sound_share == 4 / 6
    answer = turn(to_chat(report))
    assert score(passages_found, answer, turn()) == 4 / 6
    unsupported = [source.in_run is False for source in report.verification.sources]
    assert score(supported_addresses, answer, turn()) == 1 - sum(unsupported) / 6 < 1
    assert desk.creates == 1, "the checks cost nothing"


async def test_without_the_setting_no_page_is_fetched(desk: Desk, web: Web) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    report = await service.report(job.id)
    assert report and report.verification is None
    assert web.asked == []


async def test_a_report_is_shown_although_its_sources_cannot_be_checked(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise ZeroDivisionError

    service = desk.service(verifier=Verifier(client=broken))
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    report = await service.report(job.id)
    assert report and report.verification is None
    assert f"`desk verify {job.id}` tries again" in caplog.text


async def test_checks_that_were_broken_off_can_be_repeated_by_another_process(desk: Desk, web: Web) -> None:
    web.pages["alive.example/"] = silent(web)
    service = desk.service(verifier=web.verifier())
    job, _ = await service.start(ORDER)
    watching = asyncio.create_task(lines_while_time_passes(desk, service, job))
    await asyncio.to_thread(web.hangs.wait)
    await service.close()
    watching.cancel()
    web.pages["alive.example/"] = PAGE
    other = desk.service(verifier=web.verifier())
    before = await other.report(job.id)
    assert before and before.verification is None
    await other.verify(job.id)
    after = await other.report(job.id)
    assert after and after.verification
    assert after == replace(before, verification=after.verification)


async def test_checks_are_not_saved_with_other_sources_than_they_were_made_for(desk: Desk, web: Web) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    web.pages["alive.example/"] = silent(web)
    checker = desk.service(verifier=web.verifier())
    checking = asyncio.create_task(checker.verify(job.id))
    await asyncio.to_thread(web.hangs.wait)
    saved = await service.report(job.id)
    assert saved
    changed = replace(saved, sources=saved.sources[1:])
    await service.ledger.change(job.id, {(await service.job(job.id)).state}, 1.0, report=to_json(changed))
    web.goes_on.set()
    await checking
    assert await service.report(job.id) == changed


def test_reports_of_older_versions_are_read() -> None:
    value = json.loads(to_json(report("https://e.org/a")))
    del value["run_pages"], value["verification"]
    old = from_json(json.dumps(value))
    assert (old.run_pages, old.verification) == (None, None)


async def test_a_saved_report_marks_each_source_and_lists_the_checks(web: Web, tmp_path: Path) -> None:
    web.pages = {
        **PLACES,
        "archive.example/available": ({}, b'{"archived_snapshots": {"closest": {"url": "%s"}}}' % COPY.encode()),
    }
    cited = report(*map(web.url, PLACES), read=[web.url(place) for place in list(PLACES)[:-1]])
    checked = replace(cited, verification=Verification("2026-11-30T07:00:00Z", await web.verifier().check(cited)))
    assert from_json(to_json(checked)) == checked
    save(checked, tmp_path)
    text, page = ((tmp_path / name).read_text() for name in ("report.md", "report.html"))
    for line in (
        "— ✓ found\n",
        f"— † not reachable, [archived copy]({COPY})\n",
        "— ! misquoted\n",
        "— ✓ found, unsupported by the run",
        "| 3 | ! misquoted | 240 MW is not there |",
        "| 5 | ✓ found | same page as 4 |",
    ):
        assert line in text
    assert f'<a href="{COPY}"' in page
    assert page.count("<tr>") == 1 + len(PLACES)
    assert "Checks of the sources" not in text.replace("## Checks of the sources", "", 1)


@pytest.fixture
def checked_run(brain: Brain, web: Web, use: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a finished run of the command line, whose sources may be checked on the web of this machine."""
    monkeypatch.setattr("tools.research.factory.new_verifier", web.verifier)
    with Emulator(brain=brain, speed=math.inf) as api:
        use(api)
        yield json.loads(command("research", "tides", "--json").stdout)["job"]


def test_verify_prints_a_line_for_each_source_and_exits_with_3(checked_run: str, web: Web) -> None:
    found = command("verify", checked_run)
    assert (found.returncode, found.stderr.count("checked source")) == (3, 6)
    lines = [line.split("\t") for line in found.stdout.splitlines()]
    assert [(number, verdict, remarks) for number, verdict, _, _, remarks in lines] == [
        ("1", "found", ""),
        ("2", "not reachable", f"status 404; archived at {COPY}"),
        ("3", "misquoted", "240 MW is not there"),
        ("4", "found", ""),
        ("5", "found", "same page as 4"),
        ("6", "found", "unsupported by the run"),
    ]
    data = json.loads(command("verify", checked_run, "--json").stdout)
    assert (data["doubtful"], data["sources"][2]["verdict"], data["found_share"]) == (True, "misquoted", 4 / 6)
    web.pages |= dict.fromkeys(PLACES, PAGE)
    assert command("verify", checked_run).returncode == 3, "an unsupported source is still one"
    assert command("verify", "job_nothere1").returncode == 1


def test_the_table_of_checks_fits_a_terminal_of_80_columns(
    web: Web, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cited = report(*(f"https://example.org/{'long/' * n * 9}" for n in range(1, 4)))
    checks = asyncio.run(web.verifier().check(cited))
    monkeypatch.setattr(verify.out, "_width", 80)
    verify.out.print(verify._table(Verification("", checks), dict.fromkeys(range(1, 4), f"A title {'and more ' * 20}")))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("not reachable" in line for line in lines) == 3


def test_the_benchmark_reports_the_shares_of_found_passages_and_sound_sources(
    brain: Brain, web: Web, use: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.research.factory.new_verifier", web.verifier)
    (tmp_path / "query.jsonl").write_text('{"id": 7, "prompt": "tides"}')
    bench = ("eval", "deepresearch-bench", "--tasks", str(tmp_path / "query.jsonl"), "--out", str(tmp_path))
    with Emulator(brain=brain, speed=math.inf) as api:
        use(api)
        assert command(*bench).returncode == 0
        assert web.asked == []
        assert "67%" in command(*bench, "--verify").stdout
    facts = json.loads((tmp_path / "desk.facts.json").read_text())["7"]
    assert (facts["found_share"], facts["sound_share"]) == (4 / 6, 4 / 6)


def test_every_passage_of_the_report_of_the_demo_is_found(use: Any, index: Path) -> None:
    brief = "Write a research report about asynchronous context managers in Python, and about coroutines"
    with Emulator(speed=math.inf, index=index) as api:
        use(api)
        job = json.loads(command("research", brief, "--json").stdout)["job"]
        found = command("verify", job, "--json")
    sources = json.loads(found.stdout)["sources"]
    passages = [passage["verdict"] for source in sources for passage in source["passages"]]
    assert (found.returncode, {*passages}, len(sources) > 2, len(passages) > 9) == (0, {Verdict.FOUND}, True, True)
    assert load_settings().data_dir.exists()
