"""Plays the flows of one client, each a function, and prints a line of JSON for each: its name and its failure."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable


def play(*flows: Callable[[], None]) -> None:
    """Play the flows one after the other. `error` is null for a flow that passed, else the last line of its failure."""
    for flow in flows:
        error = None
        try:
            flow()
        except Exception as failure:
            traceback.print_exc()
            error = f"{type(failure).__name__}: {failure}"[:500]
        print("FLOW", json.dumps({"flow": flow.__name__, "error": error}), flush=True)
