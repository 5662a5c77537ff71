"""Receives notices in the chaos runs, on a real socket, sends what is due, and judges at the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tools.research.database_errors import DATABASE_ERRORS
from tools.research.ledger import Ledger
from tools.research.notices.delivery import deliver_due
from tools.research.notices.event import Event
from tools.research.notices.outbox import NOTICE_STATES
from tools.research.notices.targets import Target
from tools.research.notices.timeouts import NOTICE_LEASE_S

NAME = "hook"


@dataclass
class Receiver:
    """Takes webhooks and counts the copies of each notice."""

    url: str = ""
    copies: Counter[str] = field(default_factory=Counter)

    @property
    def targets(self) -> dict[str, Target]:
        return {NAME: Target(url=self.url, secret="whsec_c2VjcmV0", events=[*Event], private=True)}

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):  # the sender was killed
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
            await reader.readexactly(int(headers["content-length"]))
            self.copies[headers["webhook-id"]] += 1
            writer.write(b"HTTP/1.1 204 ok\r\n\r\n")
            await writer.drain()
        writer.close()

    async def keep_sending(self, ledger: Ledger) -> None:
        """Sends what is due, until it is cancelled, as each process does in the background."""
        while True:
            with suppress(*DATABASE_ERRORS):
                await deliver_due(ledger, lambda: self.targets, time.time)
            await asyncio.sleep(0.02)

    async def judge(self, url: str, session: str, kills: int) -> bool:
        """Sends what is left, long after. Returns whether a notice is lost, or was sent twice without a kill."""
        ledger = Ledger(url)
        late = time.time() + 2 * NOTICE_LEASE_S
        await deliver_due(ledger, lambda: self.targets, lambda: late)
        jobs = await ledger.find(session=session)
        notices = [notice for job in jobs for notice in await ledger.notices.of_job(job.id)]
        noticed = {(notice.job, notice.state) for notice in notices if notice.id in self.copies}
        await ledger.close()
        lost = any(job.state in NOTICE_STATES and (job.id, job.state) not in noticed for job in jobs)
        lost = lost or any(notice.ended is None or notice.error for notice in notices)
        return lost or sum(self.copies.values()) - len(self.copies) > kills


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield receiver
    finally:
        server.close()
