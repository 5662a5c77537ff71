"""Ports for servers of tests that run as processes of their own."""

from __future__ import annotations

import random

from interactions_emulator.http.serving import bind


def free_port() -> int:
    """A port that nothing listens on.

    It lies below those that the system gives to outgoing connections (from 32,768 on Linux): one of these may take a
    port between here and the moment when the server listens on it.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        try:
            bind(port).close()
        except OSError:
            continue
        return port
