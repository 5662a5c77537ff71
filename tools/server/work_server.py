"""The server of `desk work`: follows research in the background, and answers health checks only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from tools.interactions import backend
from tools.research.background import background_work, run_worker
from tools.research.database import Database
from tools.research.factory import close
from tools.server.health import Health
from tools.settings import Settings


def build_worker(settings: Settings) -> Starlette:
    """Builds the server.

    Raises:
        LedgerError: the ledger's address is unusable.
        BackendError, SettingsError: no server is configured that research could be read from.
    """
    backend.current()
    database = Database(settings.ledger_url)
    health = Health({"ledger": database.write_nothing})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            async with background_work(run_worker):
                health.open = True
                yield
        finally:
            health.open = False
            await close()  # ends the followers, which release their leases
            await database.close()

    return Starlette(routes=[Route("/healthz", health.alive), Route("/readyz", health.ready)], lifespan=lifespan)
