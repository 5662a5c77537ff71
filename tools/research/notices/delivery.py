"""Sends the notices that are due. Any number of processes may do so; each notice is sent by one of them at a time.

A process sends one notice at a time to each target, and writes its result before it sends the next one there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from tools.databases.shielded import shielded
from tools.errors import DeskError
from tools.research import factory
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.ledger import Ledger
from tools.research.notices.event import Event
from tools.research.notices.message import Message, ceiling_message, event_of, message
from tools.research.notices.outbox import CEILING, Notice
from tools.research.notices.sender import send
from tools.research.notices.target_checks import resolve_target
from tools.research.notices.targets import Target
from tools.research.notices.timeouts import (
    DELIVERY_INTERVAL_S,
    FINAL_DELIVERY_TIMEOUT_S,
    MAX_WRITES,
    NOTICE_LEASE_S,
    RETRY_AFTER_S,
    SEND_TIMEOUT_S,
)
from tools.research.periodic import repeat_periodically
from tools.research.report.markdown_rendering import to_markdown
from tools.research.report.report import from_json
from tools.research.settings import research_settings
from tools.settings import load_settings

log = logging.getLogger(__name__)


async def deliver_due(ledger: Ledger, targets: Callable[[], Mapping[str, Target]], clock: Callable[[], float]) -> None:
    """Sends all notices that are due, and waits until they are sent; see `start_due`."""
    for _ in range(2):  # a task that runs already may have read the ledger before the newest notice was written
        await start_due(ledger, targets, clock)
        if tasks := [*ledger.notices.sending.values()]:
            await asyncio.wait(tasks)


async def start_due(ledger: Ledger, targets: Callable[[], Mapping[str, Target]], clock: Callable[[], float]) -> None:
    """Starts a task for each target that has notices that are due and no task yet. No target waits for another.

    Args:
        targets: returns the targets by name; called only if a notice is due. Notices for other targets are left to
            other processes, until they are too old.
        clock: returns seconds since the epoch.

    Raises:
        DATABASE_ERRORS: the ledger cannot be read.
        ConfigError: the targets cannot be read.
    """
    sending = ledger.notices.sending
    if due := await ledger.notices.due_targets(clock()):
        known, expired = targets(), clock() - sum(RETRY_AFTER_S)
        for name, oldest in due.items():
            if name not in sending and (name in known or oldest < expired):
                sending[name] = asyncio.create_task(_deliver_to(ledger, name, known.get(name), clock))


async def _deliver_to(ledger: Ledger, name: str, target: Target | None, clock: Callable[[], float]) -> None:
    """Sends the due notices of one target one after the other, so that a killed process repeats at most one."""
    try:
        while notice := await ledger.notices.next_due(name, clock(), None if target else clock() - sum(RETRY_AFTER_S)):
            await _deliver(ledger, notice, target, clock)
    except Exception as error:  # the ledger may be readable later
        log.warning("notices to %s are left for later: %s", name, error)
    finally:
        del ledger.notices.sending[name]


@shielded
async def _deliver(ledger: Ledger, notice: Notice, target: Target | None, clock: Callable[[], float]) -> None:
    """Takes a notice, sends it, and writes the result. Shielded: a cancel between the last two would send it twice."""
    until = clock() + NOTICE_LEASE_S
    if not await ledger.notices.take(notice, until):
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
        if clock() > until - SEND_TIMEOUT_S:
            return  # this process stood still, and another one may have taken the notice
        error = await send(resolve_target(target, os.environ), sent)
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
    """Waits until the ledger is in use, then sends notices every `DELIVERY_INTERVAL_S` seconds. Never returns."""
    await repeat_periodically(lambda: _from_here(start_due), DELIVERY_INTERVAL_S, "notices could not be sent")


async def deliver_remaining(seconds: float = FINAL_DELIVERY_TIMEOUT_S) -> None:
    """Sends due notices before the process ends or gets no more time. After `seconds`, it leaves the rest for later."""
    with suppress(Exception):  # a notice never changes the result of a command or a message
        async with asyncio.timeout(seconds):
            await _from_here(deliver_due)


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


_Deliver = Callable[[Ledger, Callable[[], Mapping[str, Target]], Callable[[], float]], Awaitable[None]]


async def _from_here(deliver: _Deliver) -> None:
    if (service := factory.opened()) and load_settings().follow:
        await deliver(service.ledger, lambda: research_settings().notify, time.time)
