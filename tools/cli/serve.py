"""`desk serve`: the production server."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tools.cli.command_run import fail
from tools.cli.server_options import CloudTrace, LogContents, OtelUrl, PlainLogs, listen_address
from tools.errors import DeskError

PORT = 8080


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; authentication is optional only on loopback.")
    ] = "",
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=0, max=65_535, show_default=f"PORT of the environment, or {PORT}", help="Port."
        ),
    ] = 0,
    workers: Annotated[
        int,
        typer.Option(metavar="N", min=0, show_default="DESK_WORKERS, or 1", help="Processes that serve, on one port."),
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
    if not follow:
        os.environ["DESK_FOLLOW"] = "0"
    try:
        from tools.server.settings import load_server_settings
        from tools.server.uvicorn_server import run_server

        workers = workers or load_server_settings().workers
        from tools.server.serve_process import FACTORY, PROTOCOL, Options, build

        host, port = listen_address(host, port, PORT)
        Options(host, port, workers, otel, cloud_trace, a2a, mcp, plain, contents).pass_on()
        app = build()  # also before workers start, so that an unusable setting ends the command with its sentence
    except DeskError as error:
        fail(error)
    several = workers > 1
    served = FACTORY if several else app
    run_server(served, host, port, PROTOCOL, factory=several, workers=workers, proxy_headers=True)
