"""Sends messages that are not valid to an MCP server on standard input, and counts the answers."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any, cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

CALL = '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": %s}'
LINES = ["{no json", f"[{CALL % '{}'}]", CALL % '"all"', CALL % '{"a": "\\ud800"}', CALL % ("[" * 300 + "]" * 300)]


async def lines() -> AsyncIterator[str]:
    for line in LINES:
        yield f"{line}\n"


async def serve() -> str:
    """Serves until the input ends. Returns what the server has written."""
    server: Server[Any] = Server("demo")
    output = io.StringIO()
    async with stdio_server(cast("Any", lines()), cast("Any", anyio.wrap_file(output))) as (read, write):
        await server.run(read, write, server.create_initialization_options())
    return output.getvalue()


answers = asyncio.run(serve()).splitlines()
print(f"mcp {version('mcp')}: {len(LINES)} messages that are not valid, {len(answers)} answers")
