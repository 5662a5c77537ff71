"""`desk mcp`: research for other agents, over MCP on standard input and output."""

from __future__ import annotations

import sys

from tools.cli.command_run import run
from tools.cli.terminal import err
from tools.extras import install_command
from tools.research.order import LOCAL_USER
from tools.settings import SettingsError


def mcp() -> None:
    """Serve research to an agent over MCP, on standard input and output. The agent's client starts this command."""
    run(_serve())


async def _serve() -> None:
    try:
        from tools.mcp_server.stdio import serve_stdio
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise SettingsError(f"desk mcp needs one more package: {install_command('mcp')}") from None
    if sys.stdin.isatty():
        err.print(
            "desk mcp speaks MCP on standard input: an agent's client starts it, see docs/mcp.md. Ctrl-D ends it."
        )
    await serve_stdio(LOCAL_USER)
