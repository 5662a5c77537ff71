"""Uses the emulator's control endpoints for the evaluation: stops its clock, and counts create requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from evals.timeouts import EMULATOR_TIMEOUT_SECONDS
from tools.interactions import backend

KEPT_BODIES = 1_000
"""Number of newest requests whose bodies the emulator keeps (`interactions_emulator.engine.request_log`)."""
TURNS_PER_READ = 40
"""Number of turns between two reads of the log. A turn makes fewer than ten requests."""


@asynccontextmanager
async def clock_stopped() -> AsyncIterator[None]:
    """Stops the emulator's clock in the block, so that no run ends. On other servers a run takes minutes anyway."""
    url = _url()
    if not url:
        yield
        return
    speed = (await _control(url, "clock"))["speed"]
    await _control(url, "clock", {"speed": 0})
    try:
        yield
    finally:
        await _control(url, "clock", {"speed": speed})


@dataclass
class CreateCount:
    """Counts the create requests of Deep Research that the emulator accepted, from its request log."""

    creates: int | None = 0
    """The count so far. None: unknown, since the server is not an emulator, or the log was not read often enough."""
    _seen: int | None = None
    """Number of requests in the log at the last read."""
    _turns: int = 0
    """Number of turns since the last read."""

    async def begin(self) -> None:
        """Starts counting. Requests that are already in the log do not count."""
        url = _url()
        self._seen = len(_requests(await _control(url, "log"))) if url else None
        self.creates = self.creates if url else None

    async def read(self, turns: int = TURNS_PER_READ) -> None:
        """Counts the new requests if at least `TURNS_PER_READ` turns were played since the last read.

        Args:
            turns: number of turns since the last call; the default is enough to read now.
        """
        self._turns += turns
        if self._seen is None or self.creates is None or self._turns < TURNS_PER_READ:
            return
        self._turns = 0
        requests = _requests(await _control(_url(), "log?bodies"))
        new = requests[self._seen :]
        self._seen = len(requests)
        self.creates = None if len(new) > KEPT_BODIES else self.creates + sum(map(_is_create, new))


def _is_create(request: Mapping[str, Any]) -> bool:
    body = request.get("body")
    return (
        request["method"] == "POST"
        and request["status"] == 200
        and request["path"].endswith("/interactions")
        and isinstance(body, dict)
        and str(body.get("agent", "")).startswith("deep-research")
    )


def _requests(log: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = log["requests"]
    return found


def _url() -> str:
    """The emulator's address; empty if another server is in use."""
    found = backend.current()
    return found.url if found.kind == "emulator" else ""


async def _control(url: str, what: str, body: Any = None) -> dict[str, Any]:
    async with httpx2.AsyncClient(timeout=EMULATOR_TIMEOUT_SECONDS) as client:
        response = await client.request("GET" if body is None else "POST", f"{url}/_emulator/{what}", json=body)
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found
