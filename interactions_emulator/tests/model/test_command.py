"""The command that starts the emulator on a model: its options, its environment, and what it says of mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from interactions_emulator.cli import app
from model.stub import ModelServer, says, scripted
from wire.conftest import MODEL, Wire

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    server = ModelServer(scripted(says("Hello.")))
    yield server
    server.close()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Run]:
    """`command("--brain", "model", NAME="value")`: a child with these options and environment variables."""
    children: list[subprocess.Popen[str]] = []
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "tides.md").write_text("# Tides\n\nThe moon pulls the sea.\n")

    def begin(*options: str, **environment: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", "interactions_emulator", "--corpus", "corpus", *options],
            cwd=tmp_path,
            env=os.environ | environment | {"COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.communicate()


def test_the_environment_chooses_the_model_without_a_complaint(server: ModelServer, command: Run) -> None:
    variables = {"EMULATOR_MODEL_URL": server.url, "EMULATOR_MODEL": "qwen3", "EMULATOR_MODEL_KEY": "sk-1"}
    child = command(EMULATOR_BRAIN="model", **variables)
    assert child.stdout
    said = child.stdout.readline()
    assert f"answers by qwen3 at {server.url}" in said
    assert "sk-1" not in said
    with (wire := Wire(said.split()[3])).http:
        ended = wire.create({"model": MODEL, "input": "Hi"})
    assert ended["steps"][0]["content"][0]["text"] == "Hello."
    assert server.keys == ["Bearer sk-1"]
    child.terminate()
    assert child.stderr and child.stderr.read() == ""


def test_a_model_that_is_not_listed_is_told_and_the_emulator_serves(server: ModelServer, command: Run) -> None:
    child = command("--brain", "model", "--model-url", server.url, "--model", "qwen9")
    assert child.stdout and child.stderr
    assert "Interactions emulator on" in child.stdout.readline()
    child.terminate()
    assert "does not list the model 'qwen9'; it has qwen3, llama" in child.stderr.read()


def test_a_server_that_does_not_run_yet_is_told_and_the_emulator_serves(server: ModelServer, command: Run) -> None:
    server.close()
    child = command("--brain", "model", "--model-url", server.url, "--model", "qwen3")
    assert child.stdout and child.stderr
    assert "Interactions emulator on" in child.stdout.readline()
    assert f"No model server answers at {server.url}" in child.stderr.readline()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--brain", "model"], "--brain model needs --model-url and --model"),
        (
            ["--brain", "model", "--model-url", "localhost:11434", "--model", "m"],
            "'localhost:11434' is no http or https",
        ),
        (["--brain", "poet"], "'poet' is not one of 'rules', 'model'"),
    ],
)
def test_options_that_cannot_work_end_the_command_with_a_sentence(options: list[str], sentence: str) -> None:
    ended = CliRunner().invoke(app, options, env={"COLUMNS": "200"})
    assert sentence in ended.stderr
    assert isinstance(ended.exception, SystemExit) and ended.exit_code == 2


def test_a_model_without_its_brain_is_told() -> None:
    told = CliRunner().invoke(app, ["--model", "qwen3", "--port", "99999"]).stderr
    assert "have no effect without --brain model" in told.splitlines()[0]
