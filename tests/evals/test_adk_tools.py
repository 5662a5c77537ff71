"""ADK's own tools for prompts and regressions work with this application, as docs/evaluation.md says."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.evaluation.eval_config import EvalConfig

import evals.metrics
from evals.metrics import Metric
from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.forks import run
from tools.adk.model import InteractionsLlm


@pytest.fixture
def api(use: Any, index: Path) -> Iterator[Emulator]:
    with Emulator(speed=math.inf, index=index) as server:
        use(server)
        yield server


def adk(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("google.adk.cli", *arguments)


@pytest.mark.nightly
def test_adk_optimize_runs_on_our_sets_and_proposes_a_better_instruction(api: Emulator, tmp_path: Path) -> None:
    sampler = json.loads((ROOT / "evals" / "optimize.json").read_text())
    sampler |= {"train_eval_case_ids": ["hm"], "validation_eval_case_ids": ["weather-for-nairobi-this-week"]}
    sampler["eval_config"]["criteria"] = {"answer_marks": 1.0, "route_accuracy": 1.1}  # never reached: it has to try
    optimizer = json.loads((ROOT / "evals" / "optimizer.json").read_text()) | {"max_metric_calls": 3}
    files = {"sampler": sampler, "optimizer": optimizer | {"reflection_minibatch_size": 1}}
    arguments = ["optimize", "agents/desk"]
    for name, value in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
        arguments += [f"--{name}_config_file_path", str(tmp_path / f"{name}.json")]
    result = adk(*arguments)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "Optimized root agent instructions" in result.stdout
    asked = {i["target"] for i in api.interactions()}
    assert optimizer["optimizer_model"].removeprefix("interactions:") in asked
    assert "Proposed new text" in result.stdout + result.stderr


@pytest.mark.nightly
def test_adk_test_replays_a_turn_without_a_server(api: Emulator, tmp_path: Path) -> None:
    desk = tmp_path / "agents" / "desk"
    (desk / "tests").mkdir(parents=True)
    for name in ("__init__.py", "agent.py"):
        (desk / name).symlink_to(ROOT / "agents" / "desk" / name)
    recorded = desk / "tests" / "hello.json"
    recorded.write_text(json.dumps({"events": [{"author": "user", "content": {"parts": [{"text": "Hello!"}]}}]}))
    assert adk("test", str(desk), "--rebuild").returncode == 0
    assert "Hello! I am" in recorded.read_text()
    creates = api.log()["creates"]
    replayed = adk("test", str(desk))
    assert replayed.returncode == 0, replayed.stdout[-3000:]
    assert api.log()["creates"] == creates
    recorded.write_text(recorded.read_text().replace("Hello! I am", "Hello! I was", 1).replace('"desk"', '"other"'))
    assert adk("test", str(desk)).returncode == 1


def test_a_model_name_may_carry_the_interactions_prefix() -> None:
    assert InteractionsLlm(model="interactions:gemini-3.8-flash").model == "gemini-3.8-flash"


@pytest.mark.parametrize("name", ["criteria.json", "criteria_live.json"])
def test_each_custom_criterion_names_an_existing_metric(name: str) -> None:
    criteria = EvalConfig.model_validate_json((ROOT / "evals" / name).read_text(encoding="utf-8"))
    for metric in criteria.custom_metrics or {}:
        assert metric in criteria.criteria
        found: Metric = getattr(evals.metrics, metric)
        assert callable(found) and found.__doc__
