"""DeepResearch Bench: what its scripts read, nothing paid for twice, and never more than was allowed."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evals.deep_research_bench import Bench, TaskResult
from evals.deep_research_files import Task, TasksError, article, read_tasks, write_articles
from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain, Ending, TimedStep, Turn
from tests.conftest import Desk
from tests.forks import Fork, run
from tests.kill.test_kill import researches, until
from tests.scripts import research_brain, said
from tools.interactions.citations import Citation, cite
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.report.report import Picture, Report
from tools.research.service import Research

TASKS = [Task(i, f"Tides of sea {i}") for i in range(1, 6)]


def failing(turn: Turn) -> Iterator[TimedStep]:
    """A research that cannot be finished where the brief speaks of sea 3."""
    if "sea 3" in str(turn.steps):
        raise RuntimeError("no such sea")
    yield from research_brain(turn)


def bench(service: Research, max_usd: float = 100.0, name: str = "a") -> Bench:
    return Bench(service, lambda prompt: Order(prompt, "bench", name, "deep-research-preview-04-2026"), max_usd)


async def play(desk: Desk, tasks: list[Task] = TASKS, at_once: int = 5, **wishes: object) -> list[TaskResult]:
    """Runs tasks while time passes."""
    retry = bool(wishes.pop("retry", False))
    say = wishes.pop("say", lambda task, line: None)
    runner = bench(desk.service(), **wishes)  # type: ignore[arg-type]

    async def pass_time() -> None:
        while True:
            await asyncio.to_thread(desk.api.advance, 60)
            await asyncio.sleep(0.01)  # the researches have something to do too

    passing = asyncio.create_task(pass_time())
    try:
        return [done async for done in runner.run(tasks, at_once, say, retry)]  # type: ignore[arg-type]
    finally:
        passing.cancel()


async def test_each_task_becomes_one_json_line_in_the_benchmark_format(desk: Desk, tmp_path: Path) -> None:
    tasks = [Task(7, "海洋潮汐的成因是什么？"), Task("x-1", "What makes the tides?")]
    done = await play(desk, tasks)
    file = tmp_path / "raw_data" / "desk.jsonl"
    write_articles(file, tasks, {each.task: each.report for each in done if each.report})
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [list(json.loads(line)) for line in lines] == [["id", "prompt", "article"]] * 2
    assert [json.loads(line)["id"] for line in lines] == [7, "x-1"]  # in the order of the tasks, each as it was
    assert "海洋潮汐的成因是什么？" in lines[0]
    text = json.loads(lines[1])["article"]
    assert "[1]" in text and "](" not in text
    assert text.rstrip().splitlines()[-1].startswith("[") and "http" in text.rstrip().splitlines()[-1]


def test_an_article_has_plain_citation_numbers_and_a_reference_list_with_urls() -> None:
    text, sources = cite(
        "# Bees\n\nThey dance.\n\n![figure-1](figure-1.png)", [Citation("A [x]", "https://a.example/(1)", 20)]
    )
    picture = Picture("figure-1.png", "image/png", b"")
    report = Report("Bees", text, sources, (picture,), {}, "i", "a", "")
    assert article(report) == "# Bees\n\nThey dance.[1]\n\n## References\n\n[1] A [x] https://a.example/(1)\n"


async def test_repeating_a_run_joins_its_existing_jobs(desk: Desk) -> None:
    first = await play(desk)
    again = await play(desk)
    assert desk.creates == len(TASKS)
    assert {each.job.id for each in first if each.job} == {each.job.id for each in again if each.job}
    assert all(each.report for each in again)


async def test_another_name_starts_another_run(desk: Desk) -> None:
    await play(desk, TASKS[:1])
    await play(desk, TASKS[:1], name="b")
    assert desk.creates == 2


async def test_no_more_tasks_run_at_once_than_allowed(desk: Desk) -> None:
    running, peak = 0, 0

    def say(task: Task, line: str) -> None:
        nonlocal running, peak
        running += line.endswith("begins")
        peak = max(peak, running)

    async def pass_time() -> None:
        while True:
            await asyncio.to_thread(desk.api.advance, 60)
            await asyncio.sleep(0.01)  # the researches have something to do too

    passing = asyncio.create_task(pass_time())
    async for _ in bench(desk.service()).run(TASKS, 2, say):
        running -= 1
    passing.cancel()
    assert peak == 2
    assert desk.creates == len(TASKS)


async def test_the_cost_limit_is_never_exceeded_even_across_repeated_runs(desk: Desk) -> None:
    price = 3.0  # of one, at most
    done = await play(desk, max_usd=2 * price + 1)
    assert sum(each.report is not None for each in done) == desk.creates == 2
    assert sum(each.job is None for each in done) == 3
    assert await bench(desk.service()).estimate(TASKS) == (2 * price, 3 * price)
    await play(desk, max_usd=2 * price + 1)
    assert desk.creates == 2
    await play(desk, max_usd=5 * price)
    assert desk.creates == 5


async def test_all_tasks_of_one_run_name_share_the_cost_limit(desk: Desk) -> None:
    await play(desk, TASKS[:2], max_usd=6)
    done = await play(desk, TASKS[2:], max_usd=6)
    assert [each.job for each in done] == [None] * 3
    assert desk.creates == 2


async def test_a_refused_task_costs_nothing_and_is_started_by_the_next_run(desk: Desk) -> None:
    desk.api.faults({"on": "create", "status": 403})
    [refused] = await play(desk, TASKS[:1], max_usd=3)
    assert refused.job and refused.job.state is State.FAILED
    assert await bench(desk.service()).estimate(TASKS[:1]) == (0, 3)
    [done] = await play(desk, TASKS[:1], max_usd=3)
    assert done.report and desk.creates == 1


async def test_a_task_with_an_unknown_start_is_paid_for_again_only_on_request(desk: Desk) -> None:
    desk.api.faults({"on": "create", "after_accept": True})
    [unknown] = await play(desk, TASKS[:1])
    assert unknown.job and unknown.job.state is State.START_UNKNOWN
    await play(desk, TASKS[:1])
    assert desk.creates == 1
    assert await bench(desk.service()).estimate(TASKS[:1], retry=True) == (3, 3)  # the first may have to be paid, too
    [done] = await play(desk, TASKS[:1], retry=True)
    assert done.report and desk.creates == 2


async def test_an_unreadable_task_does_not_stop_the_others(desk: Desk) -> None:
    desk.api.faults(
        {"on": "create_stream", "cut_after": 2},
        {"on": "resume", "status": 403, "times": 0},
        {"on": "get", "status": 403},
    )
    one, other = await play(desk, TASKS[:2], at_once=1)
    assert one.job and one.job.id in one.error and "cannot be read" in one.error
    assert other.report and not other.error
    desk.api.faults()
    assert all(each.report for each in await play(desk, TASKS[:2]))
    assert desk.creates == 2


async def test_tasks_already_running_count_towards_the_concurrency_limit(desk: Desk) -> None:
    earlier = bench(desk.service())
    await earlier.service.start(earlier.new_order(TASKS[1].prompt))
    running: list[int] = []

    def say(task: Task, line: str) -> None:
        if line.endswith("begins"):
            running.append(sum(each["status"] == "in_progress" for each in researches(desk.api)))

    done = await play(desk, TASKS[:3], at_once=1, say=say)
    assert [each.task for each in done] == [TASKS[1], TASKS[0], TASKS[2]]
    assert running == [0, 0]


class TestPaidFor:
    @pytest.fixture
    def brain(self) -> Brain:
        fates = iter(
            [
                [TimedStep(60, said("# Half\n\nHalf of it.")), Ending("incomplete")],
                [Ending("failed")],
                [TimedStep(60, said(" "))],
            ]
        )
        return lambda turn: next(fates)

    async def test_a_paid_report_is_kept_when_a_later_run_brings_none(self, desk: Desk) -> None:
        [half] = await play(desk, TASKS[:1])
        assert half.report and half.report.title == "Half"
        for max_usd, state in ((3.0, None), (6.0, State.FAILED)):
            [done] = await play(desk, TASKS[:1], retry=True, max_usd=max_usd)
            assert (done.job.state if done.job else None, done.report) == (state, half.report)
        [empty] = await play(desk, TASKS[:1], retry=True)
        assert empty.report == half.report and "without a text" in empty.error
        assert desk.creates == 3


class TestFailures:
    @pytest.fixture
    def brain(self) -> Brain:
        return failing

    async def test_a_failed_task_is_reported_and_paid_for_again_only_on_request(self, desk: Desk) -> None:
        done = {each.task: each for each in await play(desk)}
        lost = done[TASKS[2]]
        assert lost.report is None and lost.job and lost.job.state is State.FAILED
        await play(desk)
        assert desk.creates == 5
        await play(desk, retry=True)
        assert desk.creates == 6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1: not a JSON object"),
        ('{"id": 1}', "line 1: not a JSON object with `id` and `prompt`"),
        (
            '{"id": 1, "prompt": "a"}\n\n{"id": 2, "prompt": "a"}',
            "line 3: the `prompt` is empty",
        ),
        ('{"id": 1, "prompt": "a"}\n{"id": 1, "prompt": "b"}', "line 2: the `id` is"),
        ('{"id": 0, "prompt": "a"}', "line 1: the `id` is"),
        ('{"id": true, "prompt": "a"}', "line 1: the `id` is"),
        ("", "no tasks"),
    ],
)
def test_an_invalid_task_file_is_refused_with_the_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "query.jsonl"
    file.write_text(text)
    with pytest.raises(TasksError, match=says):
        read_tasks(file)


def test_a_task_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "query.jsonl"
    file.write_bytes('{"id": 1, "prompt": "海洋"}'.encode("gbk"))
    with pytest.raises(TasksError, match="not UTF-8"):
        read_tasks(file)


def test_only_a_line_feed_ends_a_task(tmp_path: Path) -> None:
    file = tmp_path / "query.jsonl"
    file.write_bytes('{"id": 1, "prompt": "one\u2028two\u0085three"}\r\n{"id": 2, "prompt": "b"}\r\n'.encode())
    assert read_tasks(file) == [Task(1, "one\u2028two\u0085three"), Task(2, "b")]


def test_the_source_id_of_the_benchmark_is_used_as_the_task_id(tmp_path: Path) -> None:
    file = tmp_path / "query.jsonl"
    file.write_text('{"id": 3, "prompt": "a", "language": "en"}\n{"id": "drb-059", "source_id": 59, "prompt": "b"}\n')
    assert read_tasks(file) == [Task(3, "a"), Task(59, "b")]


def count_jobs_with_id(data: Path) -> int:
    """How many researches have an id in the ledger."""
    try:
        with closing(sqlite3.connect(f"file:{data / 'ledger.db'}?mode=ro", uri=True)) as ledger:
            return int(
                ledger.execute("select count(*) from research_jobs where interaction_id is not null").fetchone()[0]
            )
    except sqlite3.OperationalError:
        return 0


@pytest.mark.nightly
def test_a_killed_benchmark_run_continues_and_pays_for_nothing_twice(tmp_path: Path, environment: Path) -> None:
    tasks, folder = tmp_path / "query.jsonl", tmp_path / "raw_data"
    tasks.write_text("".join(json.dumps({"id": task.id, "prompt": task.prompt}) + "\n" for task in TASKS[:3]))
    command = ["tools", "eval", "deepresearch-bench", "--tasks", str(tasks), "--at-once", "2"]
    command += ["--out", str(folder), "--name", "desk-1"]
    with Emulator(brain=research_brain, speed=0) as api:
        env = os.environ | {"DESK_BACKEND": "emulator", "GOOGLE_GEMINI_BASE_URL": api.url}
        first = Fork(*command, env=env)
        until(lambda: count_jobs_with_id(environment) == 2)  # else nobody could say whether they were started
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        second = Fork(*command, env=env)
        until(lambda: api.advance(60) or second.poll() is not None)
        assert second.returncode == 0
        assert len(researches(api)) == 3
    assert [json.loads(line)["id"] for line in (folder / "desk-1.jsonl").read_text().splitlines()] == [1, 2, 3]
    assert set(json.loads((folder / "desk-1.facts.json").read_text())) == {"1", "2", "3"}


def test_the_command_lists_failed_tasks_with_reasons_and_writes_the_others(tmp_path: Path, use: Any) -> None:
    tasks = tmp_path / "query.jsonl"
    tasks.write_text("".join(json.dumps({"id": task.id, "prompt": task.prompt}) + "\n" for task in TASKS[:3]))
    command = ["eval", "deepresearch-bench", "--tasks", str(tasks), "--at-once", "1"]
    command += ["--out", str(tmp_path), "--name", "desk-1", "--max-cost", "3"]
    with Emulator(brain=research_brain, speed=math.inf) as api:
        use(api)
        api.faults({"on": "create", "status": 403})
        result = run("tools", *command)
    assert result.returncode == 1
    refused, poor = result.stderr.splitlines()[-2:]
    assert refused.startswith("1: ") and "nothing was started" in refused
    assert poor == "3: not started: the limit of --max-cost is reached"
    assert [json.loads(line)["id"] for line in (tmp_path / "desk-1.jsonl").read_text().splitlines()] == [2]
