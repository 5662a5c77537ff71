"""Ports for servers of tests that run as processes of their own."""

from __future__ import annotations

import random

from interactions_emulator.http.serving import bind


def free_port() -> int:
    """A port that nothing listens on.

    The port lies below those that the system gives to outgoing connections (from 32,768 on Linux), since such a
    connection might take the port before the server listens on it.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        try:
            bind(port).close()
        except OSError:
            continue
        return port
