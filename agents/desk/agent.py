"""Builds the variables that ADK looks for, `app` and `root_agent`, from configs/."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:  # the `adk` command puts only agents/ on the path
    sys.path.insert(0, ROOT)

from tools.app import build_app  # noqa: E402
from tools.interactions import backend  # noqa: E402

app = build_app()
root_agent = app.root_agent
print(f"Research Desk on {backend.current()}", file=sys.stderr)
