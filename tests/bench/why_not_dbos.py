"""Counts the paid creates after a SIGKILL, with DBOS and with the desk: `make bench-dbos`.

Both start a research run at the emulator, which accepts the create request but does not answer. Both are killed then,
and started again. DBOS runs a step again unless its result was recorded, so a create inside a step is paid for twice.
docs/scaling.md draws the conclusion.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from interactions_emulator import Emulator
from tools.research.timeouts import ResearchTimeouts

WORKFLOW = Path(__file__).with_name("dbos_workflow.py")
PATIENCE_S = 120.0
LEASE_S = ResearchTimeouts().lease_s
"""Seconds until the lease of the killed desk expires."""


def creates(command: Sequence[str], environment: Mapping[str, str], api: Emulator) -> int:
    """Runs a command, kills it once the server has accepted its create, runs it again; returns how many were accepted.

    Raises:
        SystemExit: the first run sent no create, or the second did not end.
    """
    api.faults({"on": "create", "after_accept": True, "hang": True})
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        end = time.monotonic() + PATIENCE_S
        while api.log()["creates"] == 0:
            if first.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{' '.join(command)} sent no create request")
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    time.sleep(LEASE_S + 1)
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, env=environment, timeout=PATIENCE_S, check=False, **quiet)  # type: ignore[call-overload]
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{' '.join(command)} did not end") from None
    return int(api.log()["creates"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts paid creates after a SIGKILL.")
    parser.add_argument("python", help="the Python of an environment with DBOS")
    python = parser.parse_args().python
    print("| | creates accepted by the server |\n|---|---:|")
    for name in ("a step of DBOS", "the desk"):
        with Emulator(speed=1e6) as api, tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "DESK_DATA_DIR": folder, "DESK_BACKEND": "emulator"}
            environment["GOOGLE_GEMINI_BASE_URL"] = api.url
            database = str(Path(folder, "dbos.db"))
            desk = [sys.executable, "-m", "tools", "research", "Python timeouts", "--out", folder]
            command = [python, str(WORKFLOW), api.url, database] if "DBOS" in name else desk
            print(f"| {name} | {creates(command, environment, api)} |", flush=True)


if __name__ == "__main__":
    main()
