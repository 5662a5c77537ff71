"""What the command line promises of interactions: those that a research leaves at the server, and any other."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.routing.test_conversation import brain
from tools.cli.app import app

TIME = "%Y-%m-%dT%H:%M:%SZ"


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=brain, speed=math.inf) as server:
        use(server)
        yield server


def desk(*arguments: str) -> SimpleNamespace:
    """A command in this process, which has everything imported."""
    result = CliRunner().invoke(app, [*arguments])
    return SimpleNamespace(returncode=result.exit_code, stdout=result.stdout, stderr=result.stderr)


def researched(brief: str, *options: str) -> dict[str, Any]:
    result = desk("research", brief, "--json", *options)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_research_from_a_job_continues_its_last_question_and_is_paid_once(api: Emulator) -> None:
    base = researched("tides")
    for wording in ("Which source is the newest?", "which source is the  newest?"):
        assert "ANSWER" in desk("follow-up", base["job"], wording).stdout
    deeper = researched("the moon", "--from", base["job"])
    again = desk("research", "the moon", "--from", base["job"], "--json")
    assert json.loads(again.stdout)["job"] == deeper["job"]
    first, question, second = api.interactions()
    assert (question["previous_interaction_id"], second["previous_interaction_id"]) == (first["id"], question["id"])
    assert (deeper["builds_on"], base["follow_ups"], api.log()["creates"]) == (base["job"], [], 3)
    status = desk("status", base["job"]).stdout
    assert f"answers     {question['id']}" in status
    assert f"builds on   {base['job']}" in desk("status", deeper["job"]).stdout
    assert f"interaction {question['id']}: deleted" in desk("forget", base["job"], "--yes").stdout


def test_an_unknown_base_job_is_named_and_nothing_is_started(api: Emulator) -> None:
    result = desk("research", "the moon", "--from", "job_nothere1")
    assert (result.returncode, api.log()["creates"]) == (1, 0)
    assert "there is no job job_nothere1" in result.stderr


def test_status_shows_until_when_the_server_keeps_a_research_run(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = researched("tides")["job"]
    shown = json.loads(desk("status", job, "--json").stdout)
    kept = datetime.strptime(shown["kept_until"], TIME) - datetime.strptime(shown["created"], TIME)
    assert timedelta(days=55) <= kept < timedelta(days=55, hours=1)
    monkeypatch.setenv("DESK_RETENTION_DAYS", "1")
    sooner = json.loads(desk("status", job, "--json").stdout)["kept_until"]
    assert datetime.strptime(shown["kept_until"], TIME) - datetime.strptime(sooner, TIME) == timedelta(days=54)
    assert f"kept until  {sooner.replace('T', ' ')}" in desk("status", job).stdout


def test_an_interaction_is_shown_with_its_answer_and_sources(api: Emulator) -> None:
    id_ = researched("tides")["interaction_id"]
    shown = desk("interaction", id_).stdout
    for text in (f"id: {id_}", "status: completed", "agent: deep-research", "created: ", "usage: total_", "# Tides"):
        assert text in shown
    assert "1. [The moon](https://example.org/moon)" in shown
    assert "> tides" not in shown
    assert "> tides" in desk("interaction", id_, "--input").stdout
    resource = json.loads(desk("interaction", id_, "--json").stdout)
    assert (resource["id"], [step["type"] for step in resource["steps"]][-1]) == (id_, "model_output")
    whole = json.loads(desk("interaction", id_, "--json", "--input").stdout)
    url = f"{api.url}/v1beta/interactions/{id_}?include_input=true"
    assert whole == httpx2.get(url, headers={"x-goog-api-key": "any"}).json()
    assert whole["steps"][1:] == resource["steps"]


def test_a_deleted_interaction_is_reported_as_unknown_with_possible_reasons(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = researched("tides")["interaction_id"]
    api.faults({"on": "delete", "status": 403})
    asked = desk("interaction", id_, "--delete")
    assert (asked.returncode, "--delete --yes" in asked.stderr) == (1, True)
    refused = desk("interaction", id_, "--delete", "--yes")
    assert (refused.returncode, "the server refused" in refused.stderr) == (1, True)
    deleted = desk("interaction", id_, "--delete", "--yes")
    assert (deleted.returncode, deleted.stdout) == (0, f"interaction {id_}: deleted at the server\n")
    assert api.interactions() == []
    monkeypatch.setenv("DESK_RETENTION_DAYS", "1")
    for options in ((), ("--delete", "--yes")):
        gone = desk("interaction", id_, *options)
        assert (gone.returncode, "Traceback" in gone.stderr) == (1, False)
        assert f"has no interaction {id_}" in gone.stderr
        assert "1 days" in gone.stderr
    assert desk("interaction", id_, "--delete", "--json").returncode == 2


def test_private_mode_refuses_commands_that_store_data_at_the_server(
    api: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = researched("tides")["job"]
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    file = tmp_path / "configs" / "researcher.yaml"
    file.write_text(file.read_text().replace("store: true", "store: false"))
    monkeypatch.setenv("DESK_CONFIG", str(tmp_path / "configs" / "desk.yaml"))
    for command in (("research", "the sun"), ("follow-up", job, "And?"), ("approve", job)):
        refused = desk(*command)
        assert (refused.returncode, "`store: false`" in refused.stderr) == (1, True), command
    assert api.log()["creates"] == 1
    for command in (
        ("status", job),
        ("jobs",),
        ("report", job, "--out", str(tmp_path)),
        ("attach", job),
    ):
        assert desk(*command).returncode == 0, command
    assert "deleted at the server" in desk("forget", job, "--yes").stdout
