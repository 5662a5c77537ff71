"""gdr, a terminal client for Deep Research: a run that is streamed, one that is polled, its status and a follow-up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from played import play

home = TemporaryDirectory()
GDR = str(Path(sys.executable).with_name("gdr"))
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": home.name,
    "GEMINI_API_KEY": "any",
    "GOOGLE_GEMINI_BASE_URL": os.environ["EMULATOR"],
    "COLUMNS": "200",
}
QUESTION = "What is a context manager in Python?"
ran: list[str] = []


def gdr(*arguments: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        [GDR, *arguments], env=ENVIRONMENT, cwd=home.name, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def report(folder: str) -> str:
    return "".join(file.read_text() for file in Path(home.name, folder).rglob("*.md"))


def research_streamed() -> None:
    ran.append(gdr("research", QUESTION, "--output", "one", "--no-confirm"))
    assert "context manager" in report("one")


def research_polled() -> None:
    gdr("research", QUESTION, "--no-stream", "--output", "two", "--no-confirm")
    assert "context manager" in report("two")


def status() -> None:
    found = re.search(r"v1_emu_[\w-]+", ran[0] + report("one") + gdr("ls"))
    assert found
    assert "completed" in gdr("status", found[0])


play(research_streamed, research_polled, status)
