"""Plays one research run against a server with malformed answers, and checks what must always hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.malformed_answers.server import FormServer, form_server
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.report.html_rendering import to_html
from tools.research.report.markdown_rendering import to_chat, to_markdown
from tools.research.service import Research
from tools.research.timeouts import ResearchTimeouts

AGENT = "deep-research-preview-04-2026"
MEASURED_MAX_HELD_S = 0.25
"""CPU seconds for which the event loop may be blocked in `python -m tests.malformed_answers`, which measures."""
HANGING_S = 5.0
"""The same for the test suite, which must pass on any machine. Quadratic work on a text takes longer than this.
"""
_BEAT_S = 0.005
_ASKED = 2
"""How often a person asks for the same research."""


class Heartbeat:
    """Measures how long the event loop was blocked, in CPU time of the process: other load does not count."""

    def __init__(self) -> None:
        self.held = 0.0

    async def __aenter__(self) -> None:
        self.held = 0.0
        self._beating = asyncio.create_task(self._beat())

    async def __aexit__(self, *_: object) -> None:
        self._beating.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.process_time()
            await asyncio.sleep(_BEAT_S)
            self.held = max(self.held, time.process_time() - before)


@dataclass
class Place:
    """A server, a ledger, and a service whose waits end at once."""

    server: FormServer
    service: Research
    heart: Heartbeat
    max_held_s: float
    clock: float = 1e9
    waits: list[float] = field(default_factory=list)
    """Seconds that the service wanted to wait."""

    async def research(self, brief: str) -> Job:
        """Asks for research until it is over, at most twice, and returns the job."""
        order = Order(brief=brief, user="ada", session="s", agent=AGENT)
        async with self.heart:
            for _ in range(_ASKED):
                job, _ = await self.service.start(order)
                with suppress(ApiError):  # the server refuses the read; the next attempt may succeed
                    async for _line in self.service.watch(job.id, seconds=60):
                        pass
                job = await self.service.job(job.id)
                if job.state in (State.COMPLETED, State.START_UNKNOWN):
                    break
        return job


@asynccontextmanager
async def place(folder: Path, max_held_s: float = HANGING_S) -> AsyncIterator[Place]:
    """A place with virtual time: each wait ends at once."""
    async with form_server() as server:
        transport = Transport(gemini_endpoint(server.url, "k"))
        found: list[Place] = []

        async def sleep(seconds: float) -> None:
            found[0].waits.append(seconds)
            found[0].clock += seconds
            await asyncio.sleep(0)

        service = Research(
            Ledger(f"sqlite+aiosqlite:///{folder}/forms.db"),
            InteractionsClient(lambda: transport),
            timeouts=ResearchTimeouts(first_poll_s=150, max_poll_s=300, stall_after_s=600),
            clock=lambda: found[0].clock,
            sleep=sleep,
        )
        found.append(Place(server, service, Heartbeat(), max_held_s))
        try:
            yield found[0]
        finally:
            await service.close()
            await transport.aclose()


async def check(where: Place, brief: str, *, report: str | None = None) -> Job:
    """Plays a research run and asserts what must hold whatever the server answers.

    Args:
        report: text that was paid for, if the server says that the research is completed.
    """
    job = await where.research(brief)
    assert where.server.started <= 1, "paid for twice"
    assert where.heart.held <= where.max_held_s, f"the event loop was held for {where.heart.held:.2f} s"
    assert job.state not in (State.INTENDED, State.STARTING), "the job has not ended"
    found = await where.service.report(job.id)
    assert found is not None or job.error or job.state is State.RUNNING, "the job ended without a report or an error"
    if job.state is State.COMPLETED:
        assert found is not None
        for text in (to_markdown(found), to_chat(found), to_html(found)):
            assert text
            text.encode()  # fails on a lone surrogate
            assert "\0" not in text
        if report:
            assert report in found.text
    return job
