"""`desk serve`: the production server."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tools.cli.console import fail
from tools.errors import DeskError
from tools.settings import SettingsError

SHUTDOWN_GRACE_S = 8
"""Seconds for requests to finish after SIGTERM; Cloud Run kills the process after 10 seconds."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; authentication is optional only on loopback.")] = "",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, show_default="PORT of the environment, or 8080", help="Port.")
    ] = 0,
    workers: Annotated[
        int, typer.Option(min=0, show_default="DESK_WORKERS, or 1", help="Processes that serve, on one port.")
    ] = 0,
    otel: Annotated[
        str, typer.Option("--otel", metavar="URL", help="Send traces and metrics to this OTLP collector.")
    ] = "",
    cloud_trace: Annotated[bool, typer.Option("--cloud-trace", help="Send traces to Google Cloud Trace.")] = False,
    a2a: Annotated[bool, typer.Option("--a2a", help="Serve other agents too, by the A2A protocol.")] = False,
    mcp: Annotated[bool, typer.Option("--mcp", help="Serve research to other agents over MCP, at /mcp.")] = False,
    plain: Annotated[bool, typer.Option("--plain-logs", help="Logs as text, not as JSON.")] = False,
    contents: Annotated[bool, typer.Option("--log-contents", help="Log messages and DEBUG records too.")] = False,
) -> None:
    """Serve the desk: ADK's API with authentication, limits, health, webhooks. `adk web` is for development."""
    import uvicorn

    host = host or ("0.0.0.0" if "PORT" in os.environ else "127.0.0.1")
    try:
        from tools.server.settings import load_server_settings

        workers = workers or load_server_settings().workers
        from tools.server.worker import FACTORY, PROTOCOL, Options, build

        port = port or _port(os.environ.get("PORT") or "8080")
        Options(host, port, workers, otel, cloud_trace, a2a, mcp, plain, contents).pass_on()
        app = build()  # also before workers start, so that an unusable setting ends the command with its sentence
    except DeskError as error:
        fail(error)
    uvicorn.run(
        FACTORY if workers > 1 else app,
        factory=workers > 1,
        workers=workers,
        host=host,
        port=port,
        http=PROTOCOL,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
        access_log=False,
        proxy_headers=True,
        log_config=None,
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65_535:
        raise SettingsError(f"PORT={text!r} is not a port: write a number from 1 to 65535")
    return int(text)
