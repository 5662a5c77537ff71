"""What `adk deploy` stages, captured by stand-ins for gcloud and for the client of Agent Engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

IMAGE = "europe-west1-docker.pkg.dev/p/desk@sha256:1"
"""The image of the service that `gcloud` describes."""
GCLOUD = f"""#!/bin/sh
if [ "$3" = describe ]; then echo {IMAGE}; exit; fi
printf '%s\\n' "$@" > "$CAPTURE/arguments"
while [ $# -gt 0 ]; do
  if [ "$1" = --source ]; then cp -r "$2" "$CAPTURE/staged"; fi
  shift
done
"""
AGENTPLATFORM = '''"""Stands in for the client of Agent Engine: keeps what it is given."""

import json, os, shutil
from types import SimpleNamespace


class Client:
    def __init__(self, **settings):
        self.runtimes = self

    def create(self):
        return SimpleNamespace(api_resource=SimpleNamespace(name="projects/p/locations/r/reasoningEngines/1"))

    def update(self, name, config):
        capture = os.environ["CAPTURE"]
        shutil.copytree(os.getcwd(), f"{capture}/staged")
        with open(f"{capture}/config.json", "w") as file:
            json.dump(config, file)

    def delete(self, name):
        raise AssertionError("the deployment failed")
'''


@dataclass(frozen=True)
class Capture:
    """What one deployment would have sent."""

    folder: Path

    @property
    def staged(self) -> Path:
        """The tree that the image is built from."""
        return self.folder / "staged"

    @property
    def arguments(self) -> list[str]:
        """Of gcloud."""
        return (self.folder / "arguments").read_text().splitlines()

    @property
    def files(self) -> set[str]:
        """All that is staged, by path."""
        return {str(file.relative_to(self.staged)) for file in self.staged.rglob("*") if file.is_file()}


def deploy(target: str, place: Path, *settings: str) -> Capture:
    """Runs a deployment target of the Makefile in a copy of the repository, beside keys and sessions of a developer."""
    repository, programs, folder = place / "repository", place / "programs", place / "capture"
    for name in ("agents", "tools", "configs", "evals"):
        shutil.copytree(ROOT / name, repository / name, symlinks=True, ignore=shutil.ignore_patterns(".adk"))
    shutil.copy(ROOT / "Makefile", repository)
    agent = repository / "agents" / "desk"
    (agent / ".env").write_text("GEMINI_API_KEY=PRIVATE-KEY\n")
    (agent / ".adk").mkdir()
    (agent / ".adk" / "session.db").write_text("PRIVATE-CONVERSATION")
    folder.mkdir(parents=True)
    programs.mkdir()
    (programs / "gcloud").write_text(GCLOUD)
    (programs / "gcloud").chmod(0o755)
    (programs / "agentplatform.py").write_text(AGENTPLATFORM)
    tools = Path(sys.executable).parent
    env = os.environ | {"CAPTURE": str(folder), "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(programs)}
    command = ["make", target, f"BIN={tools}", f"VENV={tools.parent}", "PROJECT=p", "REGION=europe-west1", *settings]
    command += ["-o", f"{tools.parent}/.ready", "-o", f"{tools.parent}/.ready-deploy"]
    done = subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return Capture(folder)
