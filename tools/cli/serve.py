"""`desk serve`: the production server."""

from __future__ import annotations

import gc
import os
import warnings
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

    from tools.server.app import build_server
    from tools.server.protocol import timed_protocol
    from tools.server.settings import agent_address, load_server_settings
    from tools.settings import load_settings
    from tools.telemetry import setup_logging, setup_telemetry

    warnings.filterwarnings("ignore", r"\[EXPERIMENTAL\]", UserWarning)  # ADK 2.13 warns about parts of its server
    host = host or ("0.0.0.0" if "PORT" in os.environ else "127.0.0.1")
    try:
        port = port or _port(os.environ.get("PORT") or "8080")
        setup_telemetry(otel or None, cloud_trace)
        setup_logging(not plain, contents)
        settings, server = load_settings(), load_server_settings()
        app = build_server(settings, server, host, agent_address(settings.public_url, host, port) if a2a else "", mcp)
    except DeskError as error:
        fail(error)
    gc.collect()
    gc.freeze()  # else scans of 240,000 permanent objects take a sixth of a busy server's CPU time
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=timed_protocol(server.request_seconds),
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
        access_log=False,
        proxy_headers=True,
        log_config=None,
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65_535:
        raise SettingsError(f"PORT={text!r} is not a port: write a number from 1 to 65535")
    return int(text)
