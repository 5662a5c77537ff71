"""Builds the variables that ADK looks for, `app` and `root_agent`, from configs/. Starts and prints nothing."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:  # the `adk` command puts only agents/ on the path
    sys.path.insert(0, ROOT)

from tools.adk.backend_plugin import BackendPlugin  # noqa: E402
from tools.app import build_app  # noqa: E402

app = build_app()
app.plugins.insert(0, BackendPlugin())  # first, because the check of messages already needs the server
root_agent = app.root_agent
