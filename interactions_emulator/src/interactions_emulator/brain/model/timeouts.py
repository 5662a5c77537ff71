"""The time-outs and waits of requests to model servers, searches and MCP servers, in real seconds."""

from __future__ import annotations

CONNECT_TIMEOUT_S, PROBE_TIMEOUT_S = 10.0, 3.0
SILENCE_TIMEOUT_S = 600.0
"""Longest silence of a server, if none is given. The first token can take minutes without a GPU."""
RETRY_WAITS_S = (1.0, 4.0)
"""Waits before a request is repeated that the server refused for the moment (429 and 503: full, or loading a model)."""
MAX_RETRY_AFTER_S = 30.0
SEARCH_TIMEOUT_S = 30.0
MCP_TIMEOUT_S = 60.0
