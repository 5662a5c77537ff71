"""A quick look at the ledger sees what the ledger says, and leaves to it what only that can say."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from tools.research.glance import newest, one
from tools.research.job import Answer, Job, Order, Plan, State, new_job
from tools.research.ledger import Ledger
from tools.settings import load_settings

HEAVY = ("typer", "pydantic", "google.adk", "google.genai", "sqlalchemy", "asyncio", "httpx")
COMMAND = f"""
import sys
from tools.cli import main
main()
print([name for name in {HEAVY} if name in sys.modules])
"""


def job(brief: str, created: float) -> Job:
    order = Order(
        brief, "ada", "s1", "deep-research", {"thinking_summaries": "auto"}, ({"type": "image"},), base="j", title="Sea"
    )
    return replace(
        new_job(order, created, State.COMPLETED),
        plan=Plan("1. Look at the moon ☾", "v1_plan", "shorter", True),
        interaction_id="v1_x",
        usage={"total_tokens": 5},
        follow_ups=(Answer("Wann?", "Um drei.", "v1_b", ("v1_a",)),),
        may_run=True,
    )


@pytest.fixture
async def ledger() -> Ledger:
    found = Ledger(load_settings().ledger_url)
    await found.add(job("tides", 1))
    await found.add(job("moons", 2))
    return found


async def test_it_sees_the_jobs_as_the_ledger_gives_them(ledger: Ledger) -> None:
    known = await ledger.find()
    assert len(known) == 2
    assert newest() == known
    assert newest(1) == known[:1]
    assert [one(each.id) for each in known] == known
    assert one("job_nothere1") is None


async def test_another_version_is_for_the_ledger_to_judge(ledger: Ledger) -> None:
    with sqlite3.connect(load_settings().ledger_file) as connection:
        connection.execute("ALTER TABLE research_jobs RENAME COLUMN trace TO traces")
    assert newest() is None


def test_what_is_not_there_is_not_made() -> None:
    assert newest() is None
    assert not load_settings().data_dir.exists()


def test_a_ledger_on_a_server_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_DATABASE_URL", "postgresql+asyncpg://u:p@127.0.0.1:1/d")
    assert newest() is None


def test_looking_loads_nothing_of_adk_the_sdk_or_the_database(ledger: Ledger) -> None:
    jobs = newest()
    assert jobs
    known = jobs[0].id
    for arguments in (["jobs"], ["status", known], ["jobs", "--json"]):
        done = subprocess.run([sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True)
        assert known[:12] in done.stdout, done.stderr
        assert done.stdout.splitlines()[-1] == "[]"
