"""`desk sessions` and `desk forget-session`, run as commands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from interactions_emulator import Emulator
from tests.routing.test_conversation import brain
from tools.app import build_app
from tools.cli.app import app


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=brain) as server:
        use(server)
        yield server


def desk(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, [*arguments], input=answer)


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "artifacts").rglob("*") if path.is_file()]


def count(folder: Path, table: str) -> int:
    with sqlite3.connect(folder / "sessions.db") as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_sessions_are_listed_newest_first_and_forget_session_deletes_one(api: Emulator, environment: Path) -> None:
    assert desk("sessions").stdout == ""
    desk("ask", "weather in Lisbon", "--session", "trip")
    kept = len(api.interactions())
    desk("ask", "draw a boat", "--session", "art")
    listed = desk("sessions").stdout
    assert listed.index("art") < listed.index("draw a boat") < listed.index("trip") < listed.index("weather in Lisbon")
    assert files(environment)
    forgotten = desk("forget-session", "art", "--yes")
    assert (forgotten.exit_code, "This conversation is forgotten" in forgotten.stdout) == (0, True)
    assert (files(environment), len(api.interactions())) == ([], kept)
    assert "art" not in desk("sessions").stdout
    assert "WEATHER Lisbon" in desk("ask", "and tomorrow", "--session", "trip").stdout
    assert desk("forget-session", "trip", "--yes").exit_code == 0
    assert (api.interactions(), count(environment, "events"), count(environment, "sessions")) == ([], 0, 0)


def test_without_a_yes_nothing_is_deleted(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    desk("ask", "hello", "--session", "trip")
    nobody = desk("forget-session", "trip", answer="y\n")
    assert (nobody.exit_code, "desk forget-session trip --yes" in nobody.stderr) == (1, True)
    monkeypatch.setattr("tools.cli.confirmation.can_ask", lambda: True)
    assert desk("forget-session", "trip", answer="n\n").exit_code == 1
    assert "trip" in desk("sessions").stdout
    assert len(api.interactions()) == 1
    assert desk("forget-session", "trip", answer="y\n").exit_code == 0


def test_the_error_for_an_unknown_conversation_names_it_and_the_next_step(api: Emulator) -> None:
    refused = desk("forget-session", "tripp", "--yes")
    assert refused.exit_code != 0
    assert "there is no conversation tripp" in " ".join(refused.output.split())
    assert "desk sessions" in refused.output


def test_a_refused_deletion_exits_with_1_and_force_keeps_the_remaining_ids(api: Emulator) -> None:
    desk("ask", "hello", "--session", "trip")
    (interaction,) = api.interactions()
    api.faults({"on": "delete", "status": 403, "times": 0})
    refused = desk("forget-session", "trip", "--yes")
    assert (refused.exit_code, "--force" in refused.stderr) == (1, True)
    assert f"interaction {interaction['id']}: not deleted at the server" in refused.stdout
    assert "hello" in desk("sessions").stdout
    forced = desk("forget-session", "trip", "--yes", "--force")
    assert (forced.exit_code, "Forgotten here, but not at the server" in forced.stdout) == (1, True)
    assert "hello" not in desk("sessions").stdout
    api.faults()
    assert desk("forget-session", "trip", "--yes").exit_code == 0
    assert (api.interactions(), "trip" in desk("sessions").stdout) == ([], False)


def test_desk_ask_can_forget_the_conversation(
    api: Emulator, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.app.build_app", lambda: build_app())
    for text in ("weather in Lisbon", "forget this conversation"):
        last = desk("ask", text, "--session", "trip")
    assert "yes, forget it" in last.stdout
    receipt = desk("ask", "yes, forget it", "--session", "trip")
    assert "is forgotten" in receipt.stdout
    assert (api.interactions(), count(environment, "events")) == ([], 1)
