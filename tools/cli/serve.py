"""`desk serve`: the production server."""

from __future__ import annotations

import gc
import os
import warnings
from typing import Annotated

import typer

from tools.cli.console import fail
from tools.cli.server_options import (
    SHUTDOWN_GRACE_S,
    CloudTrace,
    LogContents,
    OtelUrl,
    PlainLogs,
    listen_address,
)
from tools.errors import DeskError

PORT = 8080


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; authentication is optional only on loopback.")] = "",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, show_default=f"PORT of the environment, or {PORT}", help="Port.")
    ] = 0,
    otel: OtelUrl = "",
    cloud_trace: CloudTrace = False,
    a2a: Annotated[bool, typer.Option("--a2a", help="Serve other agents too, by the A2A protocol.")] = False,
    mcp: Annotated[bool, typer.Option("--mcp", help="Serve research to other agents over MCP, at /mcp.")] = False,
    follow: Annotated[
        bool,
        typer.Option(help="Follow research here, or leave that to `desk work`.", show_default="as DESK_FOLLOW says"),
    ] = True,
    plain: PlainLogs = False,
    contents: LogContents = False,
) -> None:
    """Serve the desk: ADK's API with authentication, limits, health, webhooks. `adk web` is for development."""
    import uvicorn

    from tools.server.app import build_server
    from tools.server.protocol import timed_protocol
    from tools.server.settings import agent_address, load_server_settings
    from tools.settings import load_settings
    from tools.telemetry import setup_logging, setup_telemetry

    warnings.filterwarnings("ignore", r"\[EXPERIMENTAL\]", UserWarning)  # ADK 2.13 warns about parts of its server
    if not follow:
        os.environ["DESK_FOLLOW"] = "0"
    try:
        host, port = listen_address(host, port, PORT)
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
