"""How long commands of `desk` take to start."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

BIN = Path(sys.executable).parent


def median_start_s(*arguments: str, env: Mapping[str, str], times: int = 15) -> float:
    """Returns the median of the seconds that a command of `desk` takes."""
    took = list[float]()
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([BIN / "desk", *arguments], env=env, check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    return statistics.median(took)
