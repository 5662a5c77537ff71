"""No report takes quadratic time, and a page that takes too long to render is shown as plain text."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.research.endless import SIZE, resource, texts
from tests.research.resources import finished, image, text_part
from tools.research import limited_process
from tools.research.report.html_pages import render_fragments, render_html, render_html_blocking
from tools.research.report.html_rendering import to_fragment, to_html, to_plain_fragment, to_plain_html
from tools.research.report.reading import read_report
from tools.research.report.render_limits import MAX_PROCESSES
from tools.research.report.render_queue import RENDERINGS

LIMIT = 600
"""Seconds allowed for work that takes about ten. With any quadratic work it takes longer."""
ROOT = Path(__file__).parents[2]
REPORT = read_report(finished([text_part("# Tides\n\nThe *moon* pulls.", ("moon", "https://e.org/1")), image()]))


@pytest.mark.nightly
def test_no_report_text_takes_quadratic_time() -> None:
    command = [sys.executable, "-m", "tests.research.endless"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired as late:
        begun = (late.stdout or b"").decode().split("\n")
        pytest.fail(f"it is still at work on {begun[-2:]}")
    assert done.stdout.endswith("\ndone\n"), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a table of empty cells", "brackets", "a quotation that goes on"])
def test_a_report_that_renders_too_slowly_is_shown_as_plain_text(name: str) -> None:
    report = read_report(resource(texts(SIZE)[name]))

    assert render_html_blocking(report, timeout_s=0) == to_plain_html(report)


def test_a_report_that_needs_too_much_memory_is_shown_as_plain_text(caplog: pytest.LogCaptureFixture) -> None:
    report = read_report(finished([text_part(f"{'[a] ' * 1_000}\n\n[a]: https://e.org/{'x' * 1_000_000}")]))

    assert render_html_blocking(report, timeout_s=LIMIT) == to_plain_html(report)
    assert "exit status" in caplog.text  # the process ended by itself


async def test_a_report_whose_page_would_be_very_much_longer_is_shown_as_plain_text() -> None:
    report = read_report(finished([text_part(f"{'[a] ' * 200}\n\n[a]: https://e.org/{'x' * 50_000}")]))

    assert len(to_html(report)) > 10_000_000
    assert await render_html(report, "ada", timeout_s=LIMIT) == to_plain_html(report)
    assert await render_fragments([REPORT, report], "ada", timeout_s=LIMIT) == [
        to_fragment(REPORT),
        to_plain_fragment(report),
    ]


def test_a_plain_page_shows_text_sources_and_pictures() -> None:
    page = to_plain_html(REPORT)

    assert "# Tides\n\nThe *moon" in page
    assert "1. [1](https://e.org/1)" in page
    assert f'<img src="data:image/png;base64,{image()["data"]}"' in page


async def test_a_page_rendered_in_a_subprocess_is_identical() -> None:
    assert await render_html(REPORT, "ada") == to_html(REPORT)
    assert render_html_blocking(REPORT) == to_html(REPORT)


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
async def test_a_plain_page_is_shown_when_the_rendering_process_fails(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_process.sys, "executable", program)

    assert await render_html(REPORT, "ada") == to_plain_html(REPORT)


async def test_rendering_a_page_does_not_block_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, goes_on = tmp_path / "begun", tmp_path / "goes_on"
    python = tmp_path / "python"
    wait = f"touch '{begun}'; until test -e '{goes_on}'; do sleep 0.02; done"
    python.write_text(f"#!/bin/sh\n{wait}\nexec '{sys.executable}' \"$@\"\n")
    python.chmod(0o700)
    monkeypatch.setattr(limited_process.sys, "executable", str(python))

    page = asyncio.create_task(render_html(REPORT, "ada", timeout_s=LIMIT))
    while not begun.exists():
        await asyncio.sleep(0.01)
    goes_on.touch()

    assert await page == to_html(REPORT)


def test_deeply_nested_text_is_not_left_out_of_the_page() -> None:
    for depth in range(8, 24):
        for text in (
            ">" * depth + " submerged",
            "".join(f"{'  ' * n}- a\n" for n in range(depth)) + "  " * depth + "- submerged",
        ):
            page = to_html(read_report(finished([text_part(f"# Title\n\n{text}")])))
            assert "submerged" in page, depth


async def test_no_more_than_two_reports_are_rendered_at_a_time_whoever_asks() -> None:
    running, counts, lock = 0, list[int](), threading.Lock()
    pairs = threading.Barrier(MAX_PROCESSES)

    def render(number: int) -> int:
        nonlocal running
        with lock:
            running += 1
            counts.append(running)
        pairs.wait(60)
        with lock:
            running -= 1
        return number

    found = await asyncio.gather(*(RENDERINGS.call(f"reader {number}", render, number) for number in range(6)))
    assert found == [*range(6)]
    assert max(counts) == MAX_PROCESSES


async def test_the_reports_of_one_reader_do_not_keep_those_of_others_waiting() -> None:
    free = threading.Event()
    others = [asyncio.create_task(RENDERINGS.call("ada", free.wait, 60)) for _ in range(5)]
    await asyncio.sleep(0)

    assert await RENDERINGS.call("bob", len, "report") == 6
    assert not any(other.done() for other in others)
    free.set()
    assert await asyncio.gather(*others) == [True] * 5


async def test_a_reader_who_leaves_has_no_second_report_rendered_until_the_first_has_ended() -> None:
    free, begun = threading.Event(), threading.Event()

    def render() -> None:
        begun.set()
        assert free.wait(60)

    first = asyncio.create_task(RENDERINGS.call("ada", render))
    await asyncio.to_thread(begun.wait, 60)
    first.cancel()
    second = asyncio.create_task(RENDERINGS.call("ada", len, "report"))
    for _ in range(5):  # the second process is free for others
        assert await RENDERINGS.call("bob", len, "report") == 6
    assert not second.done()
    free.set()
    assert await second == 6
