"""Shared by all commands that run as servers: options for address, telemetry and logs."""

from __future__ import annotations

import os
import socket
from typing import Annotated

import typer

from tools.settings import SettingsError

OtelUrl = Annotated[str, typer.Option("--otel", metavar="URL", help="Send traces and metrics to this OTLP collector.")]
CloudTrace = Annotated[bool, typer.Option("--cloud-trace", help="Send traces to Google Cloud Trace.")]
PlainLogs = Annotated[bool, typer.Option("--plain-logs", help="Logs as text, not as JSON.")]
LogContents = Annotated[bool, typer.Option("--log-contents", help="Log messages and DEBUG records too.")]


def listen_address(host: str, port: int, default_port: int) -> tuple[str, int]:
    """Returns the host and port to listen on.

    Port 0 means `PORT` of the environment, or else `default_port`. An empty host means 127.0.0.1, or all addresses if
    `PORT` is set, because the platform that sets it calls from outside.

    Raises:
        SettingsError: `PORT` is not a port, or nothing can listen there.
    """
    given = os.environ.get("PORT") or str(default_port)
    if not port and (not given.isdecimal() or not 0 < int(given) <= 65_535):
        raise SettingsError(f"PORT={given!r} is not a port: write a number from 1 to 65535")
    host, port = host or ("0.0.0.0" if "PORT" in os.environ else "127.0.0.1"), port or int(given)
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(address)
    except OSError as error:
        used = f"port {port} of {host} cannot be used ({error.strerror or error})"
        raise SettingsError(f"{used}: name others with --host, --port") from None
    return host, port
