"""Sends the notices that are due. Any number of processes may do so; each notice is sent by one of them at a time."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from tools.errors import DeskError
from tools.research import factory
from tools.research.config import research_settings
from tools.research.database import DATABASE_ERRORS
from tools.research.ledger import Ledger
from tools.research.loops import repeat
from tools.research.notices.message import Message, ceiling_message, event_of, message
from tools.research.notices.outbox import CEILING, MAX_DUE_PER_TARGET, Notice
from tools.research.notices.sender import SEND_TIMEOUT_S, send
from tools.research.notices.targets import Event, Target
from tools.research.report.reading import from_json
from tools.research.report.rendering import to_markdown
from tools.settings import load_settings
from tools.shielded import shielded

log = logging.getLogger(__name__)

INTERVAL_S = 5.0
"""Seconds between two searches of the ledger for notices that are due."""
LEASE_S = 60.0
"""Seconds for which a process has a notice that it sends; longer than `SEND_TIMEOUT_S`."""
RETRY_AFTER_S = (10.0, 60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 50_400.0)
"""Seconds between two attempts at a notice: eight attempts in about a day."""
MAX_CONCURRENT_SENDS = 8
"""Maximum number of notices that a process sends at the same time, and half of it for one target.

So a target that does not answer delays the notices for others by seconds, however many notices wait for it.
"""
MAX_WRITES = 5
"""Maximum number of attempts to write the result of a sending, one a second."""
FINAL_DELIVERY_TIMEOUT_S = SEND_TIMEOUT_S + 5.0
"""Maximum seconds that a command waits for its last notices."""


async def deliver_due(ledger: Ledger, targets: Callable[[], Mapping[str, Target]], clock: Callable[[], float]) -> None:
    """Sends all notices that are due, and waits for those that this process is sending already.

    Args:
        targets: returns the targets by name; called only if a notice is due.
        clock: returns seconds since the epoch.

    Raises:
        DATABASE_ERRORS: the ledger cannot be read.
        ConfigError: the targets cannot be read.
    """
    if await ledger.notices.any_due(clock()):
        known = targets()
        while await _deliver_some(ledger, known, clock):
            pass
    if sending := [*ledger.notices.sending]:
        await asyncio.wait(sending)


async def _deliver_some(ledger: Ledger, known: Mapping[str, Target], clock: Callable[[], float]) -> bool:
    """Sends notices that are due, a limited number for each target. Returns whether more may be due now."""
    due = await ledger.notices.due(clock(), known, clock() - sum(RETRY_AFTER_S))
    count = Counter(notice.target for notice in due)
    free = asyncio.Semaphore(MAX_CONCURRENT_SENDS)
    free_of = {target: asyncio.Semaphore(MAX_CONCURRENT_SENDS // 2) for target in count}

    async def one(notice: Notice) -> bool:
        async with free_of[notice.target], free:
            try:
                await _deliver(ledger, notice, known.get(notice.target), clock)
            except DATABASE_ERRORS as error:
                log.warning("%s: a notice to %s is left for later: %s", notice.job, notice.target, error)
                return False
        return True

    return all(await asyncio.gather(*map(one, due))) and MAX_DUE_PER_TARGET in count.values()


@shielded
async def _deliver(ledger: Ledger, notice: Notice, target: Target | None, clock: Callable[[], float]) -> None:
    """Takes a notice, sends it, and writes the result. Shielded: a cancel between the last two would send it twice."""
    if task := asyncio.current_task():
        ledger.notices.sending.add(task)
        task.add_done_callback(ledger.notices.sending.discard)
    if not await ledger.notices.take(notice, clock() + LEASE_S):
        return  # another process has it
    if target is None:
        error = "no process had a target of this name in `notify:`"
        await ledger.notices.end(notice, clock(), error)
        return
    try:
        sent = await _message(ledger, notice, target)
        if sent is None:
            await ledger.notices.drop(notice)
            return
        error = await send(target.filled(os.environ), sent)
    except DeskError as problem:
        error = str(problem)
    except ValueError:  # a person or a newer program wrote the report
        error = "the report cannot be read"
    await _write_result(ledger, notice, error, clock)


async def _message(ledger: Ledger, notice: Notice, target: Target) -> Message | None:
    """Builds the message of a notice; None if nobody wants it any more."""
    public_url = os.environ.get("DESK_PUBLIC_URL", "")
    if notice.state == CEILING:
        schedule = await ledger.schedules.get(notice.job)
        if schedule is None or Event.CEILING not in target.events:
            return None
        return ceiling_message(notice, schedule, contents=target.contents, public_url=public_url)
    job = await ledger.get(notice.job)
    event = event_of(notice, job) if job else None
    if job is None or event is None or event not in target.events:
        return None
    saved = await ledger.report(job.id) if target.contents else None
    report = await asyncio.to_thread(lambda: to_markdown(from_json(saved))) if saved else None
    return message(notice, event, job, report, contents=target.contents, public_url=public_url)


async def _write_result(ledger: Ledger, notice: Notice, error: str, clock: Callable[[], float]) -> None:
    for attempt in range(1, MAX_WRITES + 1):
        try:
            if not error:
                await ledger.notices.end(notice, clock())
                log.info("%s: a notice was sent to %s", notice.job, notice.target)
            elif notice.attempts < len(RETRY_AFTER_S):
                await ledger.notices.retry(notice, clock() + RETRY_AFTER_S[notice.attempts], error)
                log.warning("%s: a notice to %s was not sent: %s", notice.job, notice.target, error)
            else:
                await ledger.notices.end(notice, clock(), error)
                log.error("%s: a notice to %s is given up: %s", notice.job, notice.target, error)
            return
        except DATABASE_ERRORS:
            if attempt == MAX_WRITES:
                raise
        await asyncio.sleep(1)


async def deliver_loop() -> None:
    """Sends notices every `INTERVAL_S` seconds, until the task is cancelled. Waits until the ledger is in use."""
    await repeat(_deliver_from_here, INTERVAL_S, "notices could not be sent")


async def deliver_remaining(seconds: float = FINAL_DELIVERY_TIMEOUT_S) -> None:
    """Sends what is due before the process ends or gets no more time. After `seconds`, the rest is left for later."""
    with suppress(Exception):  # a notice never changes the result of a command or a message
        async with asyncio.timeout(seconds):
            await _deliver_from_here()


@asynccontextmanager
async def delivering() -> AsyncIterator[None]:
    """Sends notices while the context is open, and once more at its end, unless it is cancelled."""
    loop, command = asyncio.create_task(deliver_loop()), asyncio.current_task()
    try:
        yield
    finally:
        loop.cancel()
        if command and not command.cancelling():
            await deliver_remaining()


async def _deliver_from_here() -> None:
    if (service := factory.opened()) and load_settings().follow:
        await deliver_due(service.ledger, lambda: research_settings().notify, time.time)
