"""Settings of Python's that make a long-running process faster, and a work-around for what ADK does each turn."""

from __future__ import annotations

import gc
import importlib.util
import sys


def settle(*, collect: bool = False) -> None:
    """Takes what was imported out of garbage collection, which then looks less often.

    Without it each collection looks at some 240,000 objects that never go: a sixth of the CPU time of a busy server.

    Args:
        collect: whether what is garbage by now goes before, which takes a tenth of a second.
    """
    if collect:
        gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def skip_missing_a2a() -> None:
    """Lets an import that fails do so at once.

    ADK 2.13 tries to import its agent for A2A in each turn (`workflow/utils/_workflow_graph_utils.py:96`). Without the
    A2A SDK that fails, which Python does not remember: two modules are executed again each time, 0.5 ms, and 9 ms
    where no compiled ones are kept. The test in tests/config/test_tuning.py tells when this can go.
    """
    if importlib.util.find_spec("a2a") is None:
        sys.modules.setdefault("google.adk.agents.remote_a2a_agent", None)  # type: ignore[arg-type]
