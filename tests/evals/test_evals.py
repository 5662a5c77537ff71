"""The evaluation as a person runs it: all sets on the emulator, by `adk eval`, live within a budget, and compared."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from google.adk.evaluation.eval_set import EvalSet
from typer.testing import CliRunner, Result

from evals.budget import USD_PER_MILLION
from evals.result import load_run
from evals.scoring import run_score
from evals.set_selection import load_sets
from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.conftest import ROOT
from tests.forks import run
from tests.kill.test_kill import until
from tests.scripts import call, research_brain, said
from tools.cli.app import app
from tools.interactions import backend
from tools.settings import load_settings


def desk(*arguments: str) -> Result:
    """`desk eval` with these arguments."""
    return CliRunner().invoke(app, ["eval", *arguments])


def sample_cases(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Leaves of each set one of so many cases."""
    every = load_sets

    def fewer(folder: Path, public: Path | None = None) -> dict[str, EvalSet]:
        found = every(folder, public)
        return {n: each.model_copy(update={"eval_cases": each.eval_cases[::step]}) for n, each in found.items()}

    monkeypatch.setattr("evals.evaluation.load_sets", fewer)


def test_sampled_cases_pass_on_the_emulator_and_appear_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the cases every fourteenth: `make eval` plays all."""
    sample_cases(monkeypatch, 14)
    result = desk("--name", "all", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    run = load_run(tmp_path / "all.json")
    assert len(run.cases) >= 25 and all(case.passed for case in run.cases)
    expected = [turn.expected for turn in run.turns]
    assert {said.route for said in expected} >= {"desk", "assistant", "illustrator", "moderator", "researcher"}
    assert len({said.verdict for said in expected} & {"safe", "spam", "inappropriate", "harmful"}) >= 3
    assert {case.set for case in run.cases} == {*load_sets(ROOT / "evals")}
    assert run_score(run, "false_research_starts") == 1
    assert run.models["runs of researcher"].startswith("deep-research")
    assert run_score(run, "false_starts") == run_score(run, "missed_yeses") == run_score(run, "brief_quality") == 1
    assert run.creates == run.allowed > 0
    assert "Deep Research: " in result.output and f"{run.creates} create requests" in result.output
    page = (tmp_path / "all.html").read_text()
    assert run.paid in page and all(name in page for name in ("brief quality", "false starts", "missed yeses"))
    assert all(case.key in page for case in run.cases)
    assert "<script" not in page and not re.search(r'(?:src|href)="http', page)  # it loads and runs nothing
    assert page.count("<svg") == 4  # metrics, routes, verdicts, calibration


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("ask_above_usd", "cases"),
    [
        ("3", ["research.evalset.json:max-is-agreed-to,cancel-after-it-is-done"]),
        ("0", ["conversation.evalset.json:quote-go-for-it", "memory.evalset.json:a-name"]),
    ],
)
def test_adk_eval_runs_our_sets_with_our_metrics(
    use: Any, index: Path, monkeypatch: pytest.MonkeyPatch, ask_above_usd: str, cases: list[str]
) -> None:
    monkeypatch.setenv("DESK_ASK_ABOVE_USD", ask_above_usd)
    with Emulator(speed=math.inf, index=index) as api:
        use(api)
        arguments = ("agents/desk", *(f"evals/{each}" for each in cases), "--config_file_path", "evals/criteria.json")
        result = run("google.adk.cli", "eval", *arguments)
    assert result.returncode == 0, result.stderr[-3000:]
    assert sum(map(int, re.findall(r"Tests passed: (\d+)", result.stdout))) == 2, result.stdout[-3000:]
    assert not any(map(int, re.findall(r"Tests failed: (\d+)", result.stdout)))


@pytest.mark.nightly
def test_comparison_reports_a_broken_prompt_as_worse_and_not_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample_cases(monkeypatch, 16)
    configs = tmp_path / "configs"
    subprocess.run(["cp", "-r", str(ROOT / "configs"), str(configs)], check=True)
    file = configs / "assistant.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"description": "Looks after the plants."}))
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    assert desk("--sets", "tools", "--name", "good", "--out", str(tmp_path)).exit_code == 0
    broken = desk("--sets", "tools", "--name", "bad", "--out", str(tmp_path), "--config", str(configs / "desk.yaml"))
    assert broken.exit_code == 1
    os.environ.pop("DESK_CONFIG")
    compared = desk("compare", str(good), str(bad))
    assert compared.exit_code == 1
    assert re.search(r"route accuracy .* worse", compared.output), compared.output
    assert "fails now: tools/" in compared.output
    same = desk("compare", str(good), str(good))
    assert same.exit_code == 0 and "worse" not in same.output
    assert "better" in desk("compare", str(bad), str(good)).output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--sets", "no_such"), "no set `no_such`; there are conversation, memory"),
        (("compare", "nothing", "nothing"), "reports/evals/nothing.json: No such file"),
        (("--sets", ""), "--sets is empty: name sets with commas between them, or leave it out to play all"),
        (("--sets", " , "), "--sets is empty"),
        (("--name", "…"), "--name becomes the name of a file: it needs a letter or a digit"),
        (("--out", "pyproject.toml"), "is not a folder: name another with --out"),
        (("--live", "--yes"), "--live needs a key"),
        (("--live", "--brain", "model"), "--brain model a local model: choose one"),
    ],
)
def test_invalid_arguments_are_reported_with_the_reason(arguments: tuple[str, ...], says: str, use: Any) -> None:
    with Emulator(brain=judging) as api:
        use(api)
        result = desk(*arguments)
    assert result.exit_code
    assert says in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


def test_a_live_run_without_a_key_starts_no_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_BACKEND", "auto")
    result = desk("--live", "--yes")
    assert result.exit_code == 2 and "--live needs a key" in result.output
    assert not (load_settings().data_dir / "emulator" / "address.json").exists()


def test_a_terminated_evaluation_leaves_no_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs in this process, because a process of its own would import ADK's evaluation once more."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    address = "desk-eval-*/emulator/address.json"

    def terminate() -> str:
        until(lambda: any(tmp_path.glob(address)))
        url = str(json.loads(next(tmp_path.glob(address)).read_text())["url"])
        until(lambda: httpx2.get(url).is_success)
        signal.raise_signal(signal.SIGTERM)
        return url

    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # so that a signal that comes late ends no tests
    try:
        with ThreadPoolExecutor(1) as pool:
            url = pool.submit(terminate)
            ended = desk("--sets", "conversation", "--out", str(tmp_path / "out"))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (ended.exit_code, "Stopped. No results were saved." in ended.stderr) == (130, True)
    with pytest.raises(httpx2.TransportError):
        httpx2.get(url.result())
    assert not any(tmp_path.glob("desk-eval-*"))


def test_missing_public_samples_are_left_out_with_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample_cases(monkeypatch, 40)
    monkeypatch.setenv("DESK_EVAL_DATA", str(tmp_path / "nowhere"))
    result = desk("--public", "--sets", "memory", "--out", str(tmp_path))
    assert result.exit_code == 0
    assert "left out: the public samples: there is no folder" in result.output


def test_a_local_model_answers_and_is_named_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is at the address, so that each case fails, with the model's name."""
    sample_cases(monkeypatch, 40)
    options = ("--brain", "model", "--model-url", "http://127.0.0.1:9/v1", "--model", "qwen3")
    result = desk("--sets", "memory", "--name", "local", "--out", str(tmp_path), *options)
    assert result.exit_code == 1, result.output
    played = load_run(tmp_path / "local.json")
    assert "answers by qwen3 at http://127.0.0.1:9/v1" in played.backend
    assert set(played.models.values()) == {"qwen3"}
    assert "qwen3 at http://127.0.0.1:9/v1" in (tmp_path / "local.html").read_text()


class TestLive:
    """With a key, against a server that is not known to be an emulator."""

    @pytest.fixture
    def api(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
        sample_cases(monkeypatch, 3)
        with Emulator(brain=judging, speed=math.inf) as server:
            monkeypatch.setattr(backend, "_is_emulator", lambda url: False)
            monkeypatch.setenv("GEMINI_API_KEY", "a-key")
            monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
            yield server

    def test_judge_models_score_answers_and_every_token_is_counted(self, api: Emulator, tmp_path: Path) -> None:
        desk("--live", "--yes", "--sets", "refusals", "--max-cost", "90", "--name", "l", "--out", str(tmp_path))
        run = load_run(tmp_path / "l.json")
        assert run_score(run, "rubric_based_final_response_quality_v1") == 1
        used = sum(tokens_of(api, i["id"]) for i in api.interactions())
        assert used > 0
        assert run.usd == pytest.approx(used * USD_PER_MILLION / 1e6, abs=1e-4)

    def test_a_live_run_stops_at_its_cost_limit(self, api: Emulator, tmp_path: Path) -> None:
        result = desk(
            "--live", "--yes", "--sets", "routing", "--max-cost", "0.3", "--name", "l", "--out", str(tmp_path)
        )
        run = load_run(tmp_path / "l.json")
        assert 0 < len(run.cases) < 60
        assert run.usd <= 0.3
        assert "since the budget of $0.30 was reached" in result.output

    def test_a_live_run_starts_no_research_by_default_and_still_detects_false_starts(
        self, api: Emulator, tmp_path: Path
    ) -> None:
        result = desk("--live", "--yes", "--sets", "memory", "--max-cost", "90", "--name", "l", "--out", str(tmp_path))
        assert not any(i["target"].startswith("deep-research") for i in api.interactions())
        mean = run_score(load_run(tmp_path / "l.json"), "false_research_starts")
        assert mean is not None and mean < 0.5  # this brain starts many
        assert result.exit_code == 1

    @pytest.mark.nightly
    def test_live_research_runs_count_towards_the_limit_by_their_price(self, api: Emulator, tmp_path: Path) -> None:
        arguments = ("--live", "--yes", "--research", "--sets", "research", "--name", "l", "--out", str(tmp_path))
        desk(*arguments, "--max-cost", "2.9")  # one may cost 3
        assert not any(i["target"].startswith("deep-research") for i in api.interactions())
        desk(*arguments, "--max-cost", "10", "--at-once", "1")  # two, and what is said in all the turns
        assert sum(i["target"].startswith("deep-research") for i in api.interactions()) == 2

    def test_a_live_run_without_confirmation_sends_no_request(self, api: Emulator) -> None:
        assert desk("--live").exit_code
        assert api.log()["creates"] == 0


def tokens_of(api: Emulator, interaction_id: str) -> int:
    """As the server counts them."""
    resource = httpx2.get(f"{api.url}/v1beta/interactions/{interaction_id}", headers={"x-goog-api-key": "a-key"}).json()
    return int(resource["usage"]["total_tokens"])


def judging(turn: Turn) -> Iterator[TimedStep]:
    """Hands everything to the researcher, which orders a run, unless it is asked as a judge."""
    text, names = json.dumps(turn.steps), {tool.get("name") for tool in turn.tools}
    if turn.is_agent:
        yield from research_brain(turn)
    elif "Verdict:" in text and "Property:" in text:
        rubrics = ("on_point", "honest", "next_step", "no_money")
        lines = [f"ID: {each}\nProperty: {each}\nRationale: it is.\nVerdict: yes" for each in rubrics]
        yield TimedStep(0, said("\n\n".join(lines)))
    elif any(step.get("type") == "function_result" for step in turn.steps[-turn.fresh :]):
        yield TimedStep(0, said("Well."))
    elif "start_research" in names:
        yield TimedStep(
            0, call("start_research", f"c{len(turn.steps)}", title="All", brief=f"Everything ({len(turn.steps)})")
        )
    elif turn.tools:
        yield TimedStep(0, call("transfer_to_agent", f"c{len(turn.steps)}", agent_name="researcher"))
    else:
        yield TimedStep(0, said("Well."))
