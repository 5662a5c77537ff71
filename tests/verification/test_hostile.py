"""No page and no report takes quadratic time to check."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

LIMIT = 900
"""Seconds allowed for work that takes about two hundred. With any quadratic work it takes longer."""


@pytest.mark.nightly
def test_no_page_takes_quadratic_time() -> None:
    command = [sys.executable, "-m", "tests.verification.hostile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
    assert done.stdout.endswith("\ndone\n"), done.stdout + done.stderr
