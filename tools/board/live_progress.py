"""The live progress of a run, as server-sent events. It reads the ledger only, so any replica can send it.

Each line of progress has the id `RUN.NUMBER`: RUN changes when the job gets another interaction, for example when its
plan was approved. A client sends the last id that it received, and gets the lines after it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tools.board.base import Board
from tools.board.job_states import label, phase
from tools.board.limits import MAX_LIVE_PAGES
from tools.board.timeouts import HEARTBEAT_INTERVAL_S, MAX_STREAM_S
from tools.load_control.user_queues import counted
from tools.research.job import Job
from tools.research.ledger import Ledger

_CURSOR = re.compile(r"([0-9a-f]{12})\.(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Cursor:
    """The place after a line of progress."""

    run: str
    number: int

    def __str__(self) -> str:
        return f"{self.run}.{self.number}"


def run_of(job: Job) -> str:
    """Identifies the job's current interaction, without its id."""
    return hashlib.sha256((job.interaction_id or "").encode()).hexdigest()[:12]


def parse_cursor(text: str) -> Cursor | None:
    """Reads the id of an event; None if it is not one."""
    found = _CURSOR.fullmatch(text)
    return Cursor(found[1], int(found[2])) if found else None


async def send_events(board: Board, request: Request) -> Response:
    """Sends the live progress of a run; see `progress`."""
    service, job = await board.own_job(request)
    after = request.headers.get("last-event-id") or request.query_params.get("after", "")
    refusal = HTTPException(429, "Too many live pages are open. This one shows its state when you load it again.")
    stream = counted(board.live_pages, request.user.username, MAX_LIVE_PAGES, refusal)
    request.state.until_sent.enter_context(stream)
    found = progress(service.ledger, service.changes.wait, job.id, parse_cursor(after), with_lines=board.screen is None)
    return StreamingResponse(found, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def progress(
    ledger: Ledger,
    wait: Callable[[Job, float], Awaitable[None]],
    job_id: str,
    after: Cursor | None,
    *,
    with_lines: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[str, None]:
    """Yields events: `reset` (other lines follow), `line`, `state`, and `end` when the page has to be loaded again.

    Args:
        wait: waits until a job changes, for at most so many seconds; see `JobChanges.wait`.
        after: the last line that the client has.
        with_lines: whether lines of progress are sent.
    """
    began = sent = clock()
    yield "retry: 2000\n\n"
    seen: tuple[object, ...] = ()
    shown = ""
    while clock() - began < MAX_STREAM_S:
        job = await ledger.get(job_id, with_files=False)
        if job is None or phase(job) != "running":
            yield _event("end", "")
            return
        if seen != (seen := (job.state, job.interaction_id, job.updated, job.events)):
            if after is None or after.run != run_of(job):
                if after is not None:
                    yield _event("reset", "")
                after = Cursor(run_of(job), 0)
            lines = await ledger.lines(job) if with_lines else []
            for line in lines[after.number :]:
                after = Cursor(after.run, after.number + 1)
                yield _event("line", line, str(after))
                sent = clock()
            if shown != (shown := label(job)):
                yield _event("state", shown)
                sent = clock()
        if clock() - sent >= HEARTBEAT_INTERVAL_S:
            yield ": ping\n\n"
            sent = clock()
        await wait(job, HEARTBEAT_INTERVAL_S - (clock() - sent))


def _event(kind: str, text: str, event_id: str = "") -> str:
    """Formats an event. Its data is a JSON string, so that a line end in the text cannot begin another event."""
    named = f"id: {event_id}\n" if event_id else ""
    return f"{named}event: {kind}\ndata: {json.dumps(text)}\n\n"
