"""Serves MCP on standard input and output, to the client that started this process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TextIO, cast

import anyio
from mcp.server.context import CallNext, HandlerResult
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from tools.mcp_server.invalid_messages import error_for
from tools.mcp_server.server import Context, build_server
from tools.research.factory import close


async def serve_stdio(user: str) -> None:
    """Serves one client until it closes standard input. Runs of killed processes are resumed meanwhile.

    The caller closes the research service afterwards, which releases its leases; runs continue at the server.

    Args:
        user: whose jobs these are.
    """
    server, answered = build_server(lambda _: user), asyncio.Event()

    async def note_answer(ctx: Context, call_next: CallNext) -> HandlerResult:
        try:
            return await call_next(ctx)
        finally:
            answered.set()

    server.middleware.append(note_answer)
    recovery = asyncio.create_task(_recover(answered))
    loop, ending = asyncio.get_running_loop(), list[asyncio.Task[None]]()

    def leave(number: int) -> None:
        ending.append(loop.create_task(_end(number)))

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, leave, number)

    async def valid_lines() -> AsyncIterator[str]:
        async for line in anyio.wrap_file(_take_input()):
            if not line.strip():
                continue
            if error := error_for(line):
                await write.send(SessionMessage(error))
            else:
                yield line

    try:
        # The SDK only iterates over this input, so a generator is enough.
        async with stdio_server(cast("anyio.AsyncFile[str]", valid_lines())) as (read, write):
            await server.run(read, write, server.create_initialization_options())
    finally:
        recovery.cancel()
        with suppress(asyncio.CancelledError):
            await recovery


def _take_input() -> TextIO:
    """Returns a copy of standard input, and gives all other code an empty one, as the SDK does."""
    lines = os.fdopen(os.dup(0), encoding="utf-8", errors="replace", closefd=False)  # a thread may be reading it
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return lines


async def _end(number: int) -> None:
    """Releases the leases and ends the process. Nothing else ends the SDK's thread that reads standard input."""
    with suppress(Exception):
        await close()
    os._exit(128 + number)


async def _recover(answered: asyncio.Event) -> None:
    """Resumes orphaned jobs. Loads the service after the first answer, in a thread, so that no client waits for it."""
    await answered.wait()
    await asyncio.to_thread(_load)
    from tools.research.background import run_background

    await run_background()


def _load() -> None:
    """Imports the research service, and starts the embedded emulator if it is the backend."""
    from tools.interactions import backend

    import_module("tools.mcp_server.tools")

    with suppress(Exception):  # the first call raises the error again, and the client gets its message
        backend.current()
