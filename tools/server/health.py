"""The health endpoints: liveness and readiness."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response

from tools.interactions import backend
from tools.interactions.errors import BackendError
from tools.research.database_errors import DATABASE_ERRORS
from tools.server.timeouts import PROBE_TIMEOUT_S, READINESS_TTL_S
from tools.settings import SettingsError

log = logging.getLogger(__name__)


@dataclass
class Health:
    """The endpoints `/healthz` and `/readyz`.

    Args:
        write_checks: maps the public name of each store to a function that tests writing and changes nothing. The
            function has to finish even if its caller is cancelled.
    """

    write_checks: Mapping[str, Callable[[], Awaitable[None]]]
    clock: Callable[[], float] = time.monotonic
    open: bool = False
    """Whether the server has started and is not shutting down."""
    _looking: asyncio.Task[dict[str, str]] | None = None
    _looked: float = 0.0

    async def alive(self, request: object) -> Response:
        """Liveness: always 200."""
        return JSONResponse({"status": "ok"})

    async def ready(self, request: object) -> Response:
        """Readiness: 200 if all stores accept writes, a backend is configured and the server is not shutting down."""
        problems = {} if self.open else {"server": "is ending"}
        if self._looking is None or (self._looking.done() and self.clock() - self._looked >= READINESS_TTL_S):
            self._looking = asyncio.create_task(self._look())
        problems |= await asyncio.shield(self._looking)
        try:
            backend.current()
        except (BackendError, SettingsError) as error:
            log.warning("there is no backend: %s", error)
            problems["backend"] = "is not configured: the log says what is missing"
        return JSONResponse({"status": "not ready" if problems else "ok", **problems}, 503 if problems else 200)

    async def _look(self) -> dict[str, str]:
        able = await asyncio.gather(*(_can_write(write) for write in self.write_checks.values()))
        self._looked = self.clock()
        return {name: "cannot be written" for name, can in zip(self.write_checks, able, strict=True) if not can}


async def _can_write(write: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await write()
    except (*DATABASE_ERRORS, TimeoutError) as error:
        log.warning("a store cannot be written: %s", type(error).__name__)
        return False
    return True
