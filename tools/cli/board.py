"""`desk board`: a web page of one's own research runs, on this machine only."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from ipaddress import IPv4Address
from typing import Annotated

import typer

from tools.cli.command_run import RESEARCH_STOPPED, fail, run
from tools.cli.terminal import err, out


def board(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", show_default="any that is free", help="Port of the page.")
    ] = 0,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            show_default="a new one each time",
            help="Loopback address, such as 127.0.0.1 if SSH forwards the port.",
        ),
    ] = "",
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Show your research runs as a web page: start, watch, read, share and delete them. For you and this machine."""
    if host and not _is_loopback(host):
        raise typer.BadParameter(f"{host} is no loopback address: write --host 127.0.0.1, or leave it out")
    run(_serve(host, port, browser), RESEARCH_STOPPED)


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return IPv4Address(host).is_loopback
    return False


async def _serve(host: str, port: int, browser: bool) -> None:
    import webbrowser

    import uvicorn

    from tools.board.local_server import background_research, listen, local_app, opening_file
    from tools.board.timeouts import LOCAL_SHUTDOWN_GRACE_S
    from tools.server.timeouts import DEFAULT_REQUEST_S
    from tools.server.uvicorn_server import timed_protocol
    from tools.settings import load_settings

    try:
        socket = listen(port, host)
    except OSError as error:
        fail(error, f"port {port} cannot be used ({error.strerror}): name another with --port, or leave it out")
    access = local_app(socket)
    if access.host == "127.0.0.1" and not host:
        err.print("This system has no second loopback address: do not open another program's page at this port.")
    protocol = timed_protocol(DEFAULT_REQUEST_S)  # other users of this machine may send requests that never end
    config = uvicorn.Config(access, http=protocol, log_config=None, access_log=False, lifespan="off")
    config.timeout_graceful_shutdown = LOCAL_SHUTDOWN_GRACE_S
    server = uvicorn.Server(config)
    opening = opening_file(load_settings().data_dir, access.start_address) if browser else nullcontext()
    with socket, opening as file:
        async with background_research():
            err.print("Your research is shown at this address, which only you should know:", soft_wrap=True)
            out.print(access.start_address, soft_wrap=True, markup=False)
            err.print("Ctrl-C ends the page, not the research.", soft_wrap=True)
            if file:
                await asyncio.to_thread(webbrowser.open, file.as_uri())
            await server.serve([socket])
