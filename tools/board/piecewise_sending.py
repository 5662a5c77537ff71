"""Sends answers in pieces, so that a client that reads slowly, or not at all, does not fill the memory."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.board.limits import MIN_BYTES_PER_S, PIECE_BYTES
from tools.board.timeouts import MAX_DRAIN_WAIT_S
from tools.load_control.memory_release import LARGE_BYTES, release_memory_soon


@dataclass(frozen=True)
class PiecewiseSending:
    """ASGI middleware that sends answers in pieces.

    `request.state.until_sent` takes context managers, which end when the answer was sent, or could not be. If the
    server gives `request.state.abort`, it cuts off a client that takes nothing, or too little.
    """

    app: ASGIApp
    max_wait_s: float = MAX_DRAIN_WAIT_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        now, waited_s, sent_bytes = asyncio.get_running_loop().time, 0.0, 0

        async def send_in_pieces(message: Message) -> None:
            nonlocal waited_s, sent_bytes
            body = message.get("body", b"")
            for begin in range(0, len(body) or 1, PIECE_BYTES):
                piece = dict(message)
                if len(body) > PIECE_BYTES:
                    piece["body"] = body[begin : begin + PIECE_BYTES]
                    piece["more_body"] = message.get("more_body", False) or begin + PIECE_BYTES < len(body)
                begun, left_s = now(), self.max_wait_s + sent_bytes / MIN_BYTES_PER_S - waited_s
                try:
                    async with asyncio.timeout(min(self.max_wait_s, left_s)):
                        await send(piece)
                except TimeoutError:
                    if abort := scope.get("state", {}).get("abort"):  # else the connection waits for the client
                        abort()
                        await asyncio.sleep(0)  # lets the server notice the abort
                    raise ClientDisconnect from None
                waited_s += now() - begun
                sent_bytes += len(piece.get("body", b""))
            if len(body) > LARGE_BYTES:
                release_memory_soon()

        with suppress(ClientDisconnect), ExitStack() as until_sent:
            state = {**scope.get("state", {}), "until_sent": until_sent}
            await self.app({**scope, "state": state}, receive, send_in_pieces)
