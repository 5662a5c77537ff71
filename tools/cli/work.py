"""`desk work`: follows the research of other processes."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tools.cli.command_run import fail
from tools.cli.server_options import CloudTrace, LogContents, OtelUrl, PlainLogs, listen_address
from tools.errors import DeskError

PORT = 8081


def work(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address of the health checks.")] = "",
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=0, max=65_535, show_default=f"PORT of the environment, or {PORT}", help="Their port."
        ),
    ] = 0,
    otel: OtelUrl = "",
    cloud_trace: CloudTrace = False,
    plain: PlainLogs = False,
    contents: LogContents = False,
) -> None:
    """Follow all research of the ledger and send notices, for servers that run with --no-follow."""
    from tools.server.timeouts import DEFAULT_REQUEST_S
    from tools.server.uvicorn_server import run_server, timed_protocol
    from tools.server.work_server import build_worker
    from tools.settings import load_settings
    from tools.telemetry import setup_logging, setup_telemetry

    os.environ["DESK_FOLLOW"] = "1"  # the servers on this machine may share its environment
    try:
        host, port = listen_address(host, port, PORT)
        setup_telemetry(otel or None, cloud_trace)
        setup_logging(not plain, contents)
        app = build_worker(load_settings())
    except DeskError as error:
        fail(error)
    run_server(app, host, port, timed_protocol(DEFAULT_REQUEST_S))
