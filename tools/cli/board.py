"""`desk board`: a web page of one's own research runs, on this machine only."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Annotated

import typer

from tools.cli.console import RESEARCH_STOPPED, fail, run
from tools.cli.terminal import err, out


def board(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, show_default="any that is free", help="Port, on 127.0.0.1.")
    ] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Show your research runs as a web page: start, watch, read, share and delete them. For you and this machine."""
    run(_serve(port, browser), RESEARCH_STOPPED)


async def _serve(port: int, browser: bool) -> None:
    import webbrowser

    import uvicorn

    from tools.board.local import SHUTDOWN_GRACE_S, listen, local_app, opening_file, working
    from tools.settings import load_settings

    try:
        socket = listen(port)
    except OSError as error:
        fail(error, f"port {port} cannot be used ({error.strerror}): name another with --port, or leave it out")
    access = local_app(socket.getsockname()[1])
    # Its parser in C would keep headers of any length in memory, also those of other users of this machine.
    config = uvicorn.Config(access, http="h11", log_config=None, access_log=False, lifespan="off")
    config.timeout_graceful_shutdown = SHUTDOWN_GRACE_S
    server = uvicorn.Server(config)
    opening = opening_file(load_settings().data_dir, access.start_address) if browser else nullcontext()
    with socket, opening as file:
        async with working():
            err.print("Your research is shown at this address, which only you should know:", soft_wrap=True)
            out.print(access.start_address, soft_wrap=True, markup=False)
            err.print("Ctrl-C ends the page, not the research.", soft_wrap=True)
            if file:
                await asyncio.to_thread(webbrowser.open, file.as_uri())
            await server.serve([socket])
