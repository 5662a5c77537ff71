"""What the command line promises. Where the process is the promise it is one, elsewhere the command is called."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.forks import run
from tests.routing.test_conversation import brain
from tests.scripts import PIXEL
from tests.talk import creates
from tools.cli.app import app
from tools.interactions import backend
from tools.research.job import new_job
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.settings import load_settings


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=brain, speed=math.inf) as server:
        use(server)
        yield server


def desk(*arguments: str, typed: str = "") -> SimpleNamespace:
    """A command in this process, which has everything imported and knows no backend yet."""
    backend.current.cache_clear()
    result = CliRunner().invoke(app, [*arguments], input=typed)
    return SimpleNamespace(returncode=result.exit_code, stdout=result.stdout, stderr=result.stderr)


def test_the_demo_shows_each_feature_and_buys_one_run(use: Any, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "tides.md").write_text("# Tides\n\nThe moon causes the tides of the sea by pulling at the water.\n")
    with Emulator(corpus=documents) as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv("DESK_CORPUS", str(documents))
        environment.setenv("DESK_ASK_ABOVE_USD", "0")  # as it is without a setting
        use(server)
        shown = desk("demo", "--out", str(tmp_path / "reports"))
        again = desk("demo", "--out", str(tmp_path / "reports"))
        bought = [i for i in server.interactions() if i["target"].startswith("deep-research")]
    assert (shown.returncode, again.returncode) == (0, 0), shown.stderr + again.stderr
    assert "it is shown again, and nothing is paid twice" in again.stdout
    text = " ".join(shown.stdout.replace("*", "").split())  # lines are wrapped
    for said in ("Lisbon", "spam", "Nothing was started. Say yes", "Sources"):
        assert said in text
    assert text.count("The moon causes the tides") >= 2  # the answer and the report
    assert "was found in the local documents" not in text
    assert len(bought) == 1
    assert {path.name for path in (tmp_path / "reports").rglob("report.*")} == {
        "report.md",
        "report.html",
        "report.json",
    }


def test_a_saved_report_links_to_copies_of_documents_that_outlive_the_emulator_and_its_port(
    use: Any, tmp_path: Path
) -> None:
    documents, saved = tmp_path / "documents", [tmp_path / "first", tmp_path / "second"]
    documents.mkdir()
    (documents / "tides.md").write_text("# Tides\n\nThe moon causes the tides of the sea by pulling at the water.\n")
    with Emulator(corpus=documents) as server:
        use(server)
        job = json.loads(desk("research", "tides of the sea", "--json", "--out", str(saved[0])).stdout)["job"]
    with Emulator(corpus=documents) as server:  # on another port
        use(server)
        assert desk("report", job, "--out", str(saved[1])).returncode == 0
    for folder in saved:
        text, page = ((folder / job / name).read_text() for name in ("report.md", "report.html"))
        link = re.search(r"\((sources/[^)]+)\)", text)
        assert link and f'href="{link[1]}"' in page and "/documents/" not in text + page
        assert "The moon causes the tides" in (folder / job / link[1]).read_text()


def test_a_report_is_saved_in_the_requested_formats(api: Emulator, tmp_path: Path) -> None:
    result = desk("research", "tides", "--out", str(tmp_path), "--format", "md", "--format", "html")
    assert result.returncode == 0, result.stderr
    assert "searching: tides moon" in result.stderr
    saved = [Path(line) for line in result.stdout.splitlines()]
    assert sorted(path.name for path in saved) == ["figure-1.png", "report.html", "report.md"]
    assert "\n[^1]: [" in saved[0].read_text()


def test_a_repeated_brief_shows_the_existing_report_unless_again_is_given(api: Emulator, tmp_path: Path) -> None:
    first, second = (json.loads(desk("research", "tides", "--json").stdout) for _ in range(2))
    assert (first["job"], first["report"]["title"]) == (second["job"], "Tides")
    assert api.log()["creates"] == 1
    third = json.loads(desk("research", "tides", "--json", "--again").stdout)
    assert third["job"] != first["job"]
    assert api.log()["creates"] == 2
    listed = [json.loads(line) for line in desk("jobs", "--json").stdout.splitlines()]
    assert [job["job"] for job in listed] == [third["job"], first["job"]]


def test_a_failed_research_run_exits_with_status_1_and_the_reason(api: Emulator) -> None:
    api.faults({"on": "create", "status": 403})
    result = desk("research", "tides")
    assert result.returncode == 1
    assert "nothing was started" in result.stderr


def test_ask_attaches_files_and_saves_drawn_pictures(api: Emulator, tmp_path: Path) -> None:
    (tmp_path / "boat.png").write_bytes(PIXEL)
    told = desk("ask", "draw a boat", "--attach", str(tmp_path / "boat.png"), "--out", str(tmp_path), "--session", "s")
    assert str(tmp_path / "s" / "draw-a-boat.png") in told.stdout
    assert (tmp_path / "s" / "draw-a-boat.png").read_bytes() == PIXEL
    assert any("image" in str(body["input"]) for body in creates(api))
    assert "no.png: No such file" in desk("ask", "draw", "--attach", "no.png").stderr


def test_ask_continues_a_named_conversation(api: Emulator) -> None:
    assert "[assistant]: WEATHER Lisbon" in desk("ask", "weather in Lisbon", "--session", "trip").stdout
    assert "WEATHER Lisbon" in desk("ask", "and tomorrow", "--session", "trip").stdout


def test_check_prints_the_agent_tree_and_reports_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = desk("check")
    assert result.returncode == 0
    for text in ("use_interactions_api=True", "get_weather", "output_schema: Verdict", "attach_seconds: 240"):
        assert text in result.stdout
    (tmp_path / "desk.yaml").write_text("name: desk\ninstrution: hello\n")
    monkeypatch.setenv("DESK_CONFIG", str(tmp_path / "desk.yaml"))
    result = desk("check")
    assert result.returncode == 1
    assert "desk.yaml:2" in result.stderr.replace("\n", "")
    assert "did you mean `instruction`?" in result.stderr.replace("\n", " ")


def test_doctor_reports_what_is_in_use_and_fails_when_something_is_missing(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "very-secret")
    result = desk("doctor")
    assert result.returncode == 0, result.stdout
    assert "GEMINI_API_KEY is set" in result.stdout
    assert "very-secret" not in result.stdout + result.stderr
    monkeypatch.setenv("K_SERVICE", "desk")
    monkeypatch.delenv("GEMINI_API_KEY")
    result = desk("doctor")
    assert result.returncode == 1
    assert "no emulator in a deployed environment" in " ".join(result.stdout.split())


def test_a_missing_api_key_exits_with_status_1_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_BACKEND", "gemini")
    result = run("tools", "ask", "hello")
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert "needs GEMINI_API_KEY" in result.stderr


def test_the_emulator_command_starts_a_server_and_prints_its_address() -> None:
    command = [sys.executable, "-m", "tools", "emulator", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
    finally:
        process.terminate()
        process.wait()


EACH = """
import sys
from contextlib import suppress
from tools.cli.app import app
for command in sys.stdin.read().splitlines():
    with suppress(SystemExit):
        app(command.split(), prog_name="desk")
    print("----", flush=True)
print(*sys.modules)
"""
"""Runs the command of each line of its input, and tells what was imported."""


@pytest.fixture
async def job() -> str:
    """The name of a research in the ledger."""
    ledger = Ledger(load_settings().ledger_url)
    job, _ = await ledger.add(new_job(Order("tides", "ada", "s1", "deep-research-preview-04-2026"), 1000.0))
    await ledger.close()
    return job.id


def test_help_spending_status_and_jobs_do_not_import_adk(job: str) -> None:
    says = {
        "--help": "Usage: desk",
        "research --help": "--yes-up-to",
        "spending": "Nothing was spent yet",
        "spending --since tomorrow": "it has to be a day",
        "jobs": "tides",
        f"status {job}": "tides",
        "status job_nothere1": "no job job_nothere1",
        "jobs --watch": "--watch needs a terminal",
    }
    command = [sys.executable, "-u", "-c", EACH]
    ran = subprocess.run(
        command, cwd=ROOT, input="\n".join(says), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    *told, loaded = ran.stdout.split("----\n")
    assert [text in said for text, said in zip(says.values(), told, strict=True)] == [True] * len(says), ran.stdout
    assert "tools.cli" in loaded.split()
    assert [name for name in loaded.split() if name.startswith(("google.adk", "google.genai"))] == []


def test_the_env_file_is_read_and_environment_variables_override_it(
    api: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADK_DISABLE_LOAD_DOTENV")
    (tmp_path / ".env").write_text("DESK_BACKEND=gemini\nDESK_ATTACH_SECONDS=never\n")
    result = subprocess.run(
        [str(Path(sys.executable).with_name("desk")), "jobs"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "DESK_ATTACH_SECONDS='never'" in result.stderr.replace("\n", "")


def test_a_planned_run_can_be_approved_asked_about_and_deleted(api: Emulator, tmp_path: Path) -> None:
    planned = desk("research", "tides", "--plan", "--json")
    job = json.loads(planned.stdout)
    assert (planned.returncode, job["state"]) == (0, "awaiting_approval")
    assert f"desk approve {job['job']}" in planned.stderr
    assert desk("approve", job["job"], "--out", str(tmp_path)).returncode == 0
    assert (tmp_path / job["job"] / "report.html").exists()
    assert f"{job['job']}  completed" in desk("status", job["job"]).stdout
    assert "ANSWER" in desk("follow-up", job["job"], "Which source is the newest?").stdout
    assert "deleted at the server" in desk("forget", job["job"], "--yes").stdout
    assert "no job" in desk("report", job["job"]).stderr


def test_two_reports_are_compared_and_a_run_without_a_report_is_named(api: Emulator) -> None:
    first, second = (json.loads(desk("research", text, "--json").stdout)["job"] for text in ("tides", "more on tides"))
    shown = desk("diff", first, second)
    assert shown.returncode == 0 and "only worded differently" in shown.stdout, shown.stderr
    data = json.loads(desk("diff", first, second, "--json").stdout)
    assert data["earlier"] == first and {"changed", "new", "gone", "new_sources", "gone_sources"} <= data.keys()
    missing = desk("diff", first, "job_nowhere")
    assert missing.returncode == 1 and "there is no job job_nowhere" in missing.stderr
    planned = json.loads(desk("research", "plans", "--plan", "--json").stdout)["job"]
    for command in (("diff", first, planned), ("report", planned), ("verify", planned), ("follow-up", planned, "Why?")):
        refused = desk(*command)
        assert refused.returncode == 1 and f"`desk status {planned}` shows what is next" in refused.stderr, command


def test_a_cancel_that_comes_after_the_end_is_refused_and_a_repeated_one_is_not(api: Emulator) -> None:
    ended = json.loads(desk("research", "tides", "--json").stdout)["job"]
    late = desk("cancel", ended)
    assert late.returncode == 1 and f"{ended} is completed, so there is nothing to cancel" in late.stderr
    planned = json.loads(desk("research", "more on tides", "--plan", "--json").stdout)["job"]
    assert [desk("cancel", planned).returncode for _ in range(2)] == [0, 0]
