"""Output in encodings and about files that are not UTF-8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from interactions_emulator import Emulator
from tests.cli.test_commands import api, desk
from tests.conftest import ROOT
from tools.research.job import new_job
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.settings import load_settings

__all__ = ["api"]


@pytest.fixture
async def listed() -> str:
    """The id of a job with a brief that only UTF-8 can encode."""
    ledger = Ledger(load_settings().ledger_url)
    job = new_job(Order("潮汐 🎉", "user", "s1", "deep-research-preview-04-2026"), 1000.0)
    await ledger.add(job)
    await ledger.close()
    return job.id


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_character_that_the_output_cannot_encode_is_escaped_and_json_stays_json(listed: str, encoding: str) -> None:
    def said(*command: str) -> str:
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        made = subprocess.run([sys.executable, "-m", "tools", *command], cwd=ROOT, env=environment, capture_output=True)
        assert made.returncode == 0, made.stderr
        return made.stdout.decode(encoding)

    assert r"\u6f6e\u6c50" in said("jobs")
    assert json.loads(said("jobs", "--json"))["brief"] == "潮汐 🎉"


def test_json_on_a_utf_8_output_shows_each_letter_as_it_is(listed: str) -> None:
    assert "潮汐 🎉" in desk("jobs", "--json").stdout


def test_a_file_whose_name_is_not_utf_8_is_moderated_and_its_output_is_named_with_the_same_bytes(
    api: Emulator, tmp_path: Path
) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.csv"
    Path(os.fsdecode(name)).write_text("text\nhello\n")
    command: list[str | bytes] = [sys.executable, "-m", "tools", "moderate", "--file", name]
    made = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert (made.returncode, made.stderr) == (0, b"")
    assert made.stdout.splitlines()[-1] == name + b".verdicts.jsonl"
