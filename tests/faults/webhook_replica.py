"""A replica that receives the webhooks of a place's runs. It runs beside the processes of a cell, and is not killed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.faults.cells import ANNOUNCED, WAITS
from tools.interactions.run_webhook import WEBHOOK_PATH
from tools.research.database import Database
from tools.server.jwks_cache import JwksCache
from tools.server.webhook_signatures import WebhookSignatures
from tools.server.webhooks import WebhookReceiver

if TYPE_CHECKING:
    from tests.faults.run import Place

MISHAPS = ("none", "twice", "lost", "unanswered")
"""What can happen to a message: two replicas get it at once; it does not arrive; the answer to it does not arrive."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebhookReplica:
    """Receives messages while it is open, and sets the place's webhook for all of the place's services.

    Args:
        mishaps: what happens to the messages, in order of their arrival; nothing to those after the last.
    """

    def __init__(self, place: Place, mishaps: Sequence[str] = ()) -> None:
        self._place, self._mishaps = place, [*mishaps]
        self._answers: list[int] = []

    async def __aenter__(self) -> WebhookReplica:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self._place.webhook_url = f"http://127.0.0.1:{bound.getsockname()[1]}{WEBHOOK_PATH}"
        keys, self._database = JwksCache(f"{self._place.api.url}/.well-known/jwks.json"), Database(self._place.ledger)
        self._services = [self._place.replica() for _ in range(2)]
        self._receivers = [
            WebhookReceiver(WebhookSignatures([], keys), self._database, service.webhooks.handle)
            for service in self._services
        ]
        app = Starlette(routes=[Route(WEBHOOK_PATH, self._receive, methods=["POST"])])
        self._server = _Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._serving = asyncio.create_task(self._server.serve(sockets=[bound]))
        return self

    async def __aexit__(self, *error: object) -> None:
        self._place.webhook_url = ""
        self._server.should_exit = True
        await self._serving
        for service in self._services:
            await service.close()
        await self._database.close()

    async def until_delivered(self, brief: str) -> None:
        """Lets virtual time pass until the runs of a brief have ended, and all messages about them were accepted."""

        async def accepted() -> bool:
            announced = sum(status in ANNOUNCED for status in await self._place.researches(brief))
            return self._answers.count(204) >= announced

        await self._place.pass_time(sum(WAITS))
        await self._place.while_time_passes_until(accepted)

    async def _receive(self, request: Request) -> Response:
        mishap = self._mishaps.pop(0) if self._mishaps else "none"
        await request.body()
        if mishap == "lost":
            return Response(status_code=503)
        receivers = self._receivers if mishap == "twice" else self._receivers[:1]
        answer, *_ = await asyncio.gather(*(receiver.receive(request) for receiver in receivers))
        if mishap == "unanswered":
            return Response(status_code=503)
        self._answers.append(answer.status_code)
        return answer
