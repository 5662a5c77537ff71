"""`desk research` is an order, up to a price; what costs more, and what deletes, asks or is told beforehand."""

from __future__ import annotations

import json
import os
import pty
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from interactions_emulator import Emulator
from tests.cli.test_commands import api, desk
from tests.conftest import ROOT, Desk
from tests.forks import Fork
from tests.scripts import PIXEL
from tools.cli.price_confirmation import starts_run
from tools.research.job import Job, new_job
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.service import Research

__all__ = ("api",)
Edit = Callable[[str, str], None]
MAX = "deep-research-max-preview-04-2026"
pytestmark = pytest.mark.usefixtures("asks")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed comes from a person."""
    for module in ("confirmation", "research"):
        monkeypatch.setattr(f"tools.cli.{module}.can_ask", lambda: True)


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Replaces words in a copy of the researcher's YAML, which is used from then on."""
    copy = tmp_path / "configs"

    def replace_words(old: str, new: str) -> None:
        if not copy.exists():
            shutil.copytree(ROOT / "configs", copy)
            monkeypatch.setenv("DESK_CONFIG", str(copy / "desk.yaml"))
        text = (copy / "researcher.yaml").read_text()
        assert old in text
        (copy / "researcher.yaml").write_text(text.replace(old, new))

    return replace_words


def listed() -> list[dict[str, Any]]:
    return [json.loads(line) for line in desk("jobs", "--json").stdout.splitlines()]


def ordered(*options: str, typed: str = "") -> dict[str, Any]:
    result = desk("research", "tides", "--json", *options, typed=typed)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("options", [(), ("--plan",)], ids=str)
def test_a_standard_run_starts_without_a_question(api: Emulator, options: tuple[str, ...]) -> None:
    assert ordered(*options)["state"] in ("completed", "awaiting_approval")
    assert api.log()["creates"] == 1


def test_on_a_terminal_each_run_at_a_real_server_needs_a_yes_to_its_price(
    api: Emulator, terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.interactions.backend._is_emulator", lambda url: False)
    monkeypatch.setenv("DESK_BACKEND", "gemini")
    monkeypatch.setenv("GEMINI_API_KEY", "any")
    refused = desk("research", "tides", typed="n\n")
    assert (refused.returncode, "about $1 to $3" in refused.stderr, api.log()["creates"]) == (1, True, 0)
    agreed = desk("research", "tides", typed="y\n")
    assert (agreed.returncode, api.log()["creates"]) == (0, 1), agreed.stderr


def test_a_more_expensive_run_starts_only_after_a_yes_to_its_quote(
    api: Emulator, terminal: None, tmp_path: Path
) -> None:
    base = ordered()["job"]
    (tmp_path / "boat.png").write_bytes(PIXEL)
    order = ("research", "the moon", "--max", "--from", base, "--attach", str(tmp_path / "boat.png"), "--plan")
    refused = desk(*order, typed="n\n")
    assert (refused.returncode, api.log()["creates"], len(listed())) == (1, 1, 1)
    for fact in (
        "brief: the moon",
        f"agent: {MAX}",
        "price: about $3 to $7",
        "time: usually 5 to 20 minutes",
        f"builds on: {base} (tides)",
        "files: 1 (image/png)",
        "plan: comes first",
    ):
        assert fact in refused.stderr
    assert desk(*order, typed="y\n").returncode == 0
    assert (api.log()["creates"], listed()[0]["agent"]) == (2, MAX)


def test_a_more_expensive_run_without_a_terminal_is_refused_and_not_recorded(api: Emulator) -> None:
    refused = desk("research", "tides", "--max", typed="y\n")
    assert (refused.returncode, refused.stdout, listed(), api.log()["creates"]) == (1, "", [], 0)
    line = refused.stderr.splitlines()[-1]
    assert line.startswith("error:")
    assert f"{MAX} costs about $3 to $7 a run: agree to it with --yes-up-to 7" in line


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        (("--max", "--yes-up-to", "7"), True),
        (("--max", "--yes-up-to", "6.99"), False),
        (("--yes-up-to", "2.99"), False),
        (("--yes-up-to", "0"), False),
        (("--yes-up-to", "3"), True),
    ],
    ids=str,
)
def test_a_price_within_yes_up_to_needs_no_question(api: Emulator, options: tuple[str, ...], starts: bool) -> None:
    assert desk("research", "tides", *options).returncode == (0 if starts else 1)
    assert api.log()["creates"] == int(starts)


@pytest.mark.parametrize("usd", ["-1", "nan", "much"])
def test_an_invalid_yes_up_to_price_is_refused(api: Emulator, usd: str) -> None:
    assert desk("research", "tides", "--max", "--yes-up-to", usd).returncode == 2
    assert api.log()["creates"] == 0


def test_joining_an_existing_run_needs_no_second_yes_but_a_new_run_does(api: Emulator) -> None:
    first = ordered("--max", "--yes-up-to", "7")
    assert ordered("--max")["job"] == first["job"]
    refused = desk("research", "tides", "--max", "--again")
    assert (refused.returncode, "--yes-up-to 7" in refused.stderr, api.log()["creates"]) == (1, True, 1)
    assert ordered("--max", "--again", "--yes-up-to", "7")["job"] != first["job"]
    assert api.log()["creates"] == 2


def test_repeating_a_run_that_never_started_asks_again(api: Emulator) -> None:
    api.faults({"on": "create", "status": 403})
    assert desk("research", "tides", "--max", "--yes-up-to", "7").returncode == 1
    assert listed()[0]["state"] == "failed"
    assert "--yes-up-to 7" in desk("research", "tides", "--max").stderr
    assert api.log()["creates"] == 0


def test_a_run_deleted_while_it_is_joined_is_not_started_again_without_a_yes(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ordered("--max", "--yes-up-to", "7")
    order = Order("tides", "user", "command-line", MAX, server=first["server"])
    job = replace(new_job(order, 1000.0, State.COMPLETED), id=first["job"])
    assert desk("forget", first["job"], "--yes").returncode == 0
    known, newest = iter([job]), Research.latest_attempt  # it is deleted after the command has looked

    async def looked(service: Research, order: Order) -> Job | None:
        return next(known, None) or await newest(service, order)

    monkeypatch.setattr(Research, "latest_attempt", looked)
    waiting = desk("research", "tides", "--max")
    (now,) = listed()
    assert (waiting.returncode, now["state"], api.log()["creates"]) == (0, "awaiting_approval", 1)
    assert "price: about $3 to $7" in waiting.stdout
    assert f"desk approve {now['job']};" in waiting.stderr  # it has no plan that could be changed
    assert desk("approve", now["job"]).returncode == 0
    assert api.log()["creates"] == 2


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "never sent"])
@pytest.mark.parametrize("state", list(State))
async def test_the_cli_asks_exactly_when_the_service_would_start_a_run(desk: Desk, state: State, sent: bool) -> None:
    service = desk.service()
    known = replace(new_job(Order("tides", "ada", "s1", MAX), 1000.0, state), interaction_id="v1_a" if sent else None)
    await service.ledger.add(known)
    await service.ledger.take_lease(known.id, "another process", 1000.0, 1e10)  # it stays as it is
    job, new = await service.start(known.order, confirm=True)
    assert (starts_run(known, again=False), job.id == known.id) == (new, not new)
    if not new:
        again = await service.start_again(job, confirm=True)
        assert starts_run(known, again=True) == (again.id != known.id)


def test_an_empty_brief_and_a_missing_max_agent_are_refused(api: Emulator, edit: Edit) -> None:
    empty = desk("research", " ")
    assert (empty.returncode, "it is empty" in empty.stderr) == (2, True)
    edit(f"max_agent: {MAX}", "")
    lacks = desk("research", "tides", "--max", "--yes-up-to", "7")
    assert (lacks.returncode, "`max_agent`" in lacks.stderr, listed()) == (2, True, [])
    assert api.log()["creates"] == 0


def test_approvals_plan_changes_and_questions_obey_the_limits(api: Emulator, edit: Edit) -> None:
    planned = [desk("research", brief, "--plan", "--json") for brief in ("tides", "the moon")]
    first, second = (json.loads(each.stdout)["job"] for each in planned)
    edit("usd_per_day: 60", "usd_per_day: 5")
    assert desk("approve", first).returncode == 0
    for refused in (
        desk("approve", second),
        desk("approve", second, "--changes", "shorter"),
        desk("follow-up", first, "And the moon?"),
    ):
        assert (refused.returncode, refused.stderr.splitlines()[-1][:6]) == (1, "error:")
        assert "limit $5.00" in refused.stderr
    assert {job["job"]: job["state"] for job in listed()}[second] == "awaiting_approval"
    assert api.log()["creates"] == 3
    edit("usd_per_day: 5", "usd_per_day: 60")
    edit("plans_per_job: 5", "plans_per_job: 1")
    assert f"{second} has had 1 plans" in desk("approve", second, "--changes", "shorter").stderr
    assert desk("approve", second).returncode == 0


def test_forget_asks_before_it_deletes(api: Emulator, terminal: None) -> None:
    job = ordered()["job"]
    kept = desk("forget", job, typed="n\n")
    assert (kept.returncode, f"{job} (completed): tides" in kept.stderr) == (1, True)
    assert "cannot be undone" in kept.stderr
    assert (len(listed()), len(api.interactions())) == (1, 1)
    assert "deleted at the server" in desk("forget", job, typed="y\n").stdout
    assert (listed(), api.interactions()) == ([], [])


@pytest.mark.parametrize(("key", "status"), [(KeyboardInterrupt, 130), (EOFError, 1)])
def test_ctrl_c_and_ctrl_d_at_a_question_are_a_no(
    api: Emulator, terminal: None, monkeypatch: pytest.MonkeyPatch, key: type[BaseException], status: int
) -> None:
    def ended(*_: Any, **__: Any) -> bool:
        try:
            raise key
        except key:
            raise typer.Abort from None  # as typer does

    job = ordered()["job"]
    monkeypatch.setattr(typer, "confirm", ended)
    told = desk("forget", job)
    assert (told.returncode, told.stderr.splitlines()[-1], len(listed())) == (status, "Nothing was done.", 1)


def test_forget_without_a_terminal_deletes_nothing_and_names_the_yes_option(api: Emulator) -> None:
    job = ordered()["job"]
    refused = desk("forget", job, typed="y\n")
    assert (refused.returncode, refused.stdout, len(listed()), len(api.interactions())) == (1, "", 1, 1)
    assert refused.stderr.splitlines()[-1].endswith(f"desk forget {job} --yes")
    assert "deleted at the server" in desk("forget", job, "--yes").stdout
    assert "no job" in desk("forget", job).stderr


@pytest.fixture
def keyboard() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal: the keys, and what a process reads them from."""
    keys, terminal = pty.openpty()
    yield keys, terminal
    os.close(keys)
    os.close(terminal)


def test_forget_on_a_terminal_waits_for_typed_confirmation(api: Emulator, keyboard: tuple[int, int]) -> None:
    job = ordered()["job"]
    keys, terminal = keyboard
    os.write(keys, b"y\n")
    with tempfile.TemporaryFile("w+") as told:
        status = Fork("tools", "forget", job, stdin=terminal, stderr=told).wait()
        told.seek(0)
        assert (status, "[y/N]" in told.read()) == (0, True)
    assert (listed(), api.interactions()) == ([], [])
