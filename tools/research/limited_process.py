"""Runs a module of this application in a process that can be ended, for work on hostile input.

A thread cannot be ended, and a parser in a thread blocks other threads. The process imports this module too, so it
imports little: each page waits for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping


def run_module(
    module: str, *arguments: str, data: bytes, timeout_s: float, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs a module as a program, and returns its exit status and its output. Blocks until it ends.

    Args:
        data: what the process reads from stdin.
        timeout_s: seconds after which the process is ended.
        variables: environment variables of the process, in addition to those of this one.

    Raises:
        OSError: the process cannot be started.
        subprocess.TimeoutExpired: it was ended.
    """
    # The process gets the same import path; -P keeps the current folder out of it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **(variables or {})}
    command = [sys.executable, "-P", "-m", module, *arguments]
    return subprocess.run(command, input=data, capture_output=True, timeout=timeout_s, env=environment)


def limit_memory(max_bytes: int) -> None:
    """Limits the memory of this process, on Linux only."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
