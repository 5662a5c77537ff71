"""A workflow of DBOS whose only step starts a research run. `why_not_dbos.py` runs it in an environment with DBOS.

Usage: `python dbos_workflow.py SERVER DATABASE`. A second start recovers the workflow that the first one left.
"""

from __future__ import annotations

import json
import sys
import urllib.request

from dbos import DBOS, SetWorkflowID  # type: ignore[import-not-found]

SERVER, DATABASE = sys.argv[1:]
REQUEST = {"agent": "deep-research-preview-04-2026", "background": True, "input": "Python timeouts"}


@DBOS.step()  # type: ignore[untyped-decorator]
def create() -> str:
    """Starts the run and returns its id."""
    headers = {"content-type": "application/json", "x-goog-api-key": "k"}
    url = f"{SERVER}/v1beta/interactions"
    request = urllib.request.Request(url, json.dumps(REQUEST).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["id"])


@DBOS.workflow()  # type: ignore[untyped-decorator]
def research() -> str:
    """Starts the run, as a workflow whose steps are recorded."""
    return str(create())


DBOS(config={"name": "research", "system_database_url": f"sqlite:///{DATABASE}", "application_version": "1"})
DBOS.launch()
with SetWorkflowID("the-order"):  # the same order is the same workflow, also after a crash
    print(DBOS.start_workflow(research).get_result(), flush=True)
DBOS.destroy()
