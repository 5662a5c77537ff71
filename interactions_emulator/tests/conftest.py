"""Fixtures of all tests: no other machine can be reached, and nothing of the user's is touched."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]
SCRUBBED = ("GOOGLE_", "GEMINI_", "EMULATOR_")


def _only_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """Raises an error when any library connects to another machine."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
        if host != "localhost" and not ipaddress.ip_address(host.split("%")[0]).is_loopback:
            raise RuntimeError(f"a test tried to connect to {arguments[1]}: tests talk to this machine only")
    if event == "socket.getaddrinfo" and not re.fullmatch(r"|localhost|::1|127\.[\d.]+", str(arguments[0] or "")):
        raise RuntimeError(f"a test tried to look up {arguments[0]!r}: tests talk to this machine only")


sys.addaudithook(_only_this_machine)
for _name, _examples in (("quick", 30), ("nightly", 300)):
    settings.register_profile(
        _name, max_examples=_examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
settings.load_profile("quick")  # `make nightly` chooses the other one


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without keys or settings of the user's."""
    for name in list(os.environ):
        if name.startswith(SCRUBBED):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):  # the guard above does not reach child processes; a dead proxy does
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
