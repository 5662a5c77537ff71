"""A metric: the number of research jobs by state."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import cache
from threading import Thread

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from tools.research.database_errors import DATABASE_ERRORS
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.telemetry import SCOPE_NAME
from tools.settings import load_settings

log = logging.getLogger(__name__)


@cache
def register_job_gauge() -> None:
    """Registers the gauge of jobs by state; it reads the ledger each time metrics are collected."""
    metrics.get_meter(SCOPE_NAME).create_observable_gauge(
        "research.jobs", [_observe], "{job}", "Research runs in the ledger, by state, of all replicas."
    )


def _observe(options: CallbackOptions) -> list[Observation]:
    counts: dict[State, int] = {}

    def count() -> None:
        try:
            counts.update(asyncio.run(_counts(load_settings().ledger_url)))
        except DATABASE_ERRORS as error:
            log.warning("the research runs in the ledger cannot be counted: %s", error)

    thread = Thread(target=count)  # metrics may be collected in the thread of an event loop
    with suppress(RuntimeError):  # no thread can start while the interpreter shuts down (Python 3.12)
        thread.start()
        thread.join()
    return [Observation(count, {"research.state": state.value}) for state, count in counts.items()]


async def _counts(url: str) -> dict[State, int]:
    ledger = Ledger(url)  # own connections: the application's belong to another event loop
    try:
        return await ledger.count_by_state()
    finally:
        await ledger.close()
