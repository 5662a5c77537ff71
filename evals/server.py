"""What the evaluation asks of the emulator besides its API: to let time stand still, and what was created there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tools.interactions import backend

BODIES = 1_000
"""Newest requests whose bodies the emulator keeps (`interactions_emulator.engine.request_log`)."""
TURNS = 40
"""After so many turns the log is read. A turn makes less than ten requests."""
TIMEOUT_S = 60.0


@asynccontextmanager
async def still() -> AsyncIterator[None]:
    """Within it no time passes on the emulator, so no run ends; elsewhere a run takes minutes anyway."""
    url = _url()
    if not url:
        yield
        return
    speed = (await _ask(url, "clock"))["speed"]
    await _ask(url, "clock", {"speed": 0})
    try:
        yield
    finally:
        await _ask(url, "clock", {"speed": speed})


@dataclass
class CreateCount:
    """Counts the creates of Deep Research that the emulator accepted, by its log of requests."""

    creates: int | None = 0
    """So far; none: not known, for the server is no emulator, or the log was not read often enough."""
    _seen: int | None = None
    """Requests in the log when it was read last."""
    _turns: int = 0
    """Turns since then."""

    async def begin(self) -> None:
        """Goes on from here: what is in the log by now does not count."""
        url = _url()
        self._seen = len(_requests(await _ask(url, "log"))) if url else None
        self.creates = self.creates if url else None

    async def read(self, turns: int = TURNS) -> None:
        """Counts what has come since the last time, if more than `TURNS` turns were played since then.

        Args:
            turns: that were played since the last call.
        """
        self._turns += turns
        if self._seen is None or self.creates is None or self._turns < TURNS:
            return
        self._turns = 0
        requests = _requests(await _ask(_url(), "log?bodies"))
        new = requests[self._seen :]
        self._seen = len(requests)
        self.creates = None if len(new) > BODIES else self.creates + sum(map(_is_create, new))


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
    """Of the emulator; empty: the server in use is none."""
    found = backend.current()
    return found.url if found.kind == "emulator" else ""


async def _ask(url: str, what: str, body: Any = None) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        response = await client.request("GET" if body is None else "POST", f"{url}/_emulator/{what}", json=body)
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found
