"""What outlives a server, what its log says, and what only this machine may ask."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from interactions_emulator.engine.state_store import Journal, JournalError
from interactions_emulator.http.app import create_app
from interactions_emulator.http.build_context import build_context
from interactions_emulator.http.settings import Settings
from wire.brains import RESEARCH, WAIT, brain, said
from wire.conftest import KEY, MODEL, Wire, research


def test_interactions_and_create_counts_survive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with Emulator(brain=brain, state=state) as api:
        made = Wire(api.url).create({"model": MODEL, "input": "hello"})
        Wire(api.url).create({"model": MODEL, "input": "secret", "store": False})
    with Emulator(brain=brain, state=state) as api:
        assert Wire(api.url).get(made["id"]) == made
        assert (api.log()["creates"], len(api.log()["requests"])) == (2, 1)
        assert [line["input"] for line in api.interactions()] == ["hello"]


def test_what_happens_at_once_is_one_transaction_of_the_state_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state.db")
    with sqlite3.connect(tmp_path / "state.db") as reader:
        with journal:
            journal.write(("interaction", "a", 1), ("clock", "now", 2))
            with journal:
                journal.write(("interaction", "a", 3), ("clock", "now", None))
            assert reader.execute("SELECT * FROM records").fetchall() == []
        assert reader.execute("SELECT * FROM records").fetchall() == [("interaction", "a", "3")]
    journal.close()


def test_what_could_not_be_written_is_written_with_the_next_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path / "state.db")
    assert journal._db
    [pages] = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")  # as on a disk that is full
    journal.write(("interaction", "a", "long " * 10_000))
    assert "the state file cannot be written (database or disk is full): it is tried again" in caplog.text
    journal._db.execute("PRAGMA max_page_count = 1000")
    journal.write(("interaction", "b", "short"))
    journal.close()
    again = Journal(tmp_path / "state.db")
    assert dict(again.read("interaction")) == {"a": "long " * 10_000, "b": "short"}
    again.close()


def test_an_answer_that_does_not_wait_is_stored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[list[str]] = []

    class Counted(Journal):
        def _write_waiting(self) -> None:
            stored.append([kind for kind, _ in self._waiting])
            super()._write_waiting()

    monkeypatch.setattr("interactions_emulator.http.serving.Journal", Counted)
    with Emulator(scenarios=[{"text": "Hi."}], state=tmp_path / "state.db") as api:
        made = Wire(api.url).create({"model": MODEL, "input": "hello"})
        assert stored == [["creates", "clock", "interaction"]]
    with Emulator(scenarios=[{"text": "Hi."}], state=tmp_path / "state.db") as api:
        assert Wire(api.url).get(made["id"]) == made


def test_a_state_file_with_former_field_names_is_read(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with Emulator(brain=brain, state=state, speed=0) as api:
        made = Wire(api.url).create({"model": MODEL, "input": "hello"})
        run = Wire(api.url).create(research())["id"]
    journal = Journal(state)
    for key, record in list(journal.read("interaction")):
        former = {"echoed": "head", "tokens_before": "read"}
        journal.write(("interaction", key, {former.get(name, name): value for name, value in record.items()}))
    journal.close()
    with Emulator(brain=brain, state=state, speed=0) as api:
        assert Wire(api.url).get(made["id"]) == made
        api.advance(WAIT * len(RESEARCH))
        assert Wire(api.url).get(run)["steps"] == RESEARCH


def test_manual_time_does_not_advance_while_the_server_is_down(tmp_path: Path) -> None:
    settings = {"brain": brain, "state": tmp_path / "state.db", "speed": 0, "retention_days": 1}
    with Emulator(**settings) as api:
        kept = Wire(api.url).create({"model": MODEL, "input": "hello"})["id"]
        api.advance(86_399)
    with Emulator(**settings) as api:
        Wire(api.url).get(kept)
        api.advance(1)
        assert Wire(api.url).http.get(f"/interactions/{kept}").status_code == 404


def test_a_different_brain_after_a_restart_fails_the_run(tmp_path: Path) -> None:
    def other(turn: Turn) -> Iterator[TimedStep]:
        yield TimedStep(WAIT, said("something else"))

    state = tmp_path / "state.db"
    with Emulator(brain=brain, state=state, speed=0) as api:
        run = Wire(api.url).create(research())["id"]
        api.advance(WAIT)
    with Emulator(brain=other, state=state, speed=0) as api:
        api.advance(0)
        ended = Wire(api.url).get(run)
    assert (ended["status"], ended["steps"]) == ("failed", RESEARCH[:1])
    assert "another answer" in ended["errors"][0]["message"]


def test_a_state_file_in_use_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with Emulator(brain=brain, state=state), pytest.raises(JournalError, match=r"state\.db is in use"):
        Emulator(brain=brain, state=state).__enter__()


def test_the_log_lists_requests_with_kind_status_and_interaction(api: Emulator, wire: Wire) -> None:
    made = wire.create({"model": MODEL, "input": "hello"})["id"]
    list(wire.stream({"model": MODEL, "input": "hello"}))
    list(wire.resume(made))
    wire.get(made)
    wire.http.post(f"/interactions/{made}/cancel")
    wire.http.delete(f"/interactions/{made}")
    wire.http.post("/interactions", json={})
    lines = [(line["kind"], line["status"], line["interaction_id"] == made) for line in api.log()["requests"]]
    assert lines == [
        ("create", 200, True),
        ("create_stream", 200, False),
        ("resume", 200, True),
        ("get", 200, True),
        ("cancel", 400, True),
        ("delete", 200, True),
        ("create", 400, False),
    ]
    assert api.log()["creates"] == 2


async def test_only_local_clients_may_use_the_control_api() -> None:
    pages = create_app(build_context(Settings(), Journal(), None, brain, asyncio.Event())).pages
    here = "http://127.0.0.1:1"
    for peer, url, origin, status in (
        ("127.0.0.1", here, None, 200),
        ("::1", "http://localhost:1", here, 200),
        ("192.0.2.7", here, None, 403),
        ("127.0.0.1", here, "https://example.org", 403),
        ("127.0.0.1", here, "null", 403),
        ("127.0.0.1", "http://rebound.example.org", None, 403),
    ):
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(pages, client=(peer, 1)), base_url=url) as http:
            for route in ("faults", "clock", "log", "interactions", "deliveries"):
                answer = await http.get(f"/_emulator/{route}", headers={"origin": origin} if origin else {})
                assert answer.status_code == status
            assert (await http.get("/")).status_code == 200


def test_the_clock_can_be_read_and_refuses_invalid_changes(held: Emulator, wire: Wire) -> None:
    clock = f"{held.url}/_emulator/clock"
    before = wire.http.get(clock).json()
    held.advance(12.5)
    after = wire.http.get(clock).json()
    assert (after["now"] - before["now"], after["speed"]) == (12.5, 0)
    for change in ({}, {"advance": "soon"}, {"speed": "fast"}, {"advance": None}, {"tempo": 1}, []):
        assert f'or "inf"}}, not {change!r}' in wire.refused(wire.http.post(clock, json=change), 400)
    for change in ({"advance": -1}, {"speed": -1}):
        assert "-1" in wire.refused(wire.http.post(clock, json=change), 400)
    assert "recursion limit" in wire.refused(wire.http.post(clock, content="[" * 100_000), 400)
    assert "up to the year 9000" in wire.refused(wire.http.post(clock, json={"advance": 1e12}), 400)
    assert wire.http.post(clock, json={"speed": "inf"}).json()["speed"] == "inf"


def test_document_pages_cannot_run_scripts(tmp_path: Path) -> None:
    tides = "The moon pulls the sea, and the sea follows it around the world twice a day, as it has always done."
    (tmp_path / "moon.md").write_text(f"# The moon\n\n{tides}\n\n{tides}<script>alert(1)</script>\n")
    with Emulator(brain=name_documents_url, corpus=tmp_path) as api:
        wire = Wire(api.url)
        link = wire.create({"model": MODEL, "input": "x"})["steps"][0]["content"][0]["text"]
        page = wire.http.get(link + "moon.md", headers=KEY)
        assert "The moon pulls the sea" in page.text and "<script" not in page.text
        policy = page.headers["content-security-policy"]
        assert policy == "default-src 'none'; style-src 'unsafe-inline'"
        assert wire.http.get(api.url).json()["documents"] == 1
        assert "sun.md" in wire.refused(wire.http.get(link + "sun.md"), 404)


def name_documents_url(turn: Turn) -> Iterator[TimedStep]:
    """A brain that says where the documents are."""
    yield TimedStep(0, said(turn.documents_url))


def test_an_exception_in_the_brain_is_logged(api: Emulator, wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        made = wire.create({"model": MODEL, "input": "break"})
    assert made["id"] in caplog.text and "RuntimeError: no idea" in caplog.text


def test_a_database_of_another_program_is_refused_and_not_changed(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE users (name TEXT)")
    database.execute("PRAGMA user_version = 1")  # the number that the emulator uses too
    database.close()
    before = other.read_bytes()
    with pytest.raises(JournalError, match="is not a state file of this version: move it away"):
        Emulator(state=other).start()
    assert other.read_bytes() == before


def test_paths_may_be_strings(tmp_path: Path) -> None:
    (tmp_path / "tides.md").write_text("# Tides\n\nThe moon pulls the sea and makes the tides.")
    state, index = tmp_path / "state.db", tmp_path / "index.db"
    with Emulator(corpus=str(tmp_path), state=str(state), index=str(index)) as api:
        assert Wire(api.url).http.get(f"{api.url}/").json()["documents"] == 1
    assert state.exists() and index.exists()


def test_the_address_of_an_emulator_that_has_not_started_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="has not started: write `with Emulator"):
        print(Emulator().url)


@pytest.mark.parametrize(("made", "shown"), [(None, "None"), ("Hello", "'Hello'")])
def test_a_brain_that_returns_no_entries_is_told_what_to_yield(made: Any, shown: str) -> None:
    with Emulator(brain=lambda turn: made) as api:
        [error] = Wire(api.url).create({"model": MODEL, "input": "Hi"})["errors"]
    assert f"a brain yields TimedStep, TextDelta or Ending, or returns a list of them, not {shown}" in error["message"]
