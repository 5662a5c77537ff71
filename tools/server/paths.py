"""The paths that the server serves, and those that need no token."""

from __future__ import annotations

import re

from tools.app import APP_NAME

A2A_PATH = "/a2a/desk"
CARD_PATH = f"{A2A_PATH}/.well-known/agent-card.json"
"""`A2A_PATH` and `CARD_PATH` are the paths of ADK's own servers."""
MCP_PATH = "/mcp"
"""Path of MCP. Without authentication, its user is that of the command line, so the same brief is the same run."""
HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
"""Paths served under any host name: probes use any name or address, and the answers are the same for everybody."""
PUBLIC_PATHS = frozenset({*HEALTH_PATHS, CARD_PATH})
"""Paths that need no token, and whose requests have no body. The webhook needs no token either: it is signed."""
SERVED = re.compile(
    rf"/(?:list-apps|version|run|run_sse|a2a/desk|mcp|apps/{APP_NAME}/app-info"
    rf"|apps/{APP_NAME}/users/(?P<user>[^/]+)/(?P<rest>sessions(?:/(?P<session>[^/]+)(?:/(?P<below>.*))?)?))"
)
"""All served paths. ADK's development routes are missing, and so is its memory, which no agent reads or deletes."""
TURN_PATHS = ("/run", "/run_sse")
"""Paths of ADK's API that run a turn of a conversation."""
