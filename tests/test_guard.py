"""The guard of all tests: a provider cannot be reached by accident."""

from __future__ import annotations

import socket

import httpx2
import pytest


def test_a_connection_to_another_machine_fails_in_every_library() -> None:
    with pytest.raises(RuntimeError, match="this machine only"):
        httpx2.get("https://generativelanguage.googleapis.com/", trust_env=False)
    with pytest.raises(RuntimeError, match="this machine only"):
        socket.create_connection(("192.0.2.1", 443))
