"""Registers the desk's sessions for `adk web agents --session_service_uri windowed://`; ADK loads this file."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:  # the `adk` command puts only agents/ on the path
    sys.path.insert(0, ROOT)

from tools.adk.sessions.adk_cli_sessions import register  # noqa: E402

register()
