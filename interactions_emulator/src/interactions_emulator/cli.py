"""The command line, `interactions-emulator`: runs the server, or the recorder, as a process."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from interactions_emulator.engine.state_store import JournalError
from interactions_emulator.fault_table import NAMED, help_lines
from interactions_emulator.faults import Fault, parse_faults
from interactions_emulator.http.context import ServerLimits
from interactions_emulator.http.errors import Refused
from interactions_emulator.http.serving import HOST, Settings, bind, run, serve
from interactions_emulator.webhooks.registry import is_loopback

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port to serve on; an error if it is taken. 0: any free port.")] = 0,
    prefer_port: Annotated[int, typer.Option(help="Port to try first; any free port if it is taken.")] = 0,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of documents to quote. Default: those that come with the emulator."),
    ] = None,
    index: Annotated[
        Path | None, typer.Option(help="File that keeps the search index of the corpus between starts.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="SQLite file that keeps the state across restarts. Default: memory.")
    ] = None,
    speed: Annotated[
        float,
        typer.Option(help="Virtual seconds per real second; 0: only /_emulator/clock moves time; inf: nothing waits."),
    ] = 1.0,
    host: Annotated[
        str, typer.Option(help="Address to serve on. An address other than this machine's needs --token.")
    ] = HOST,
    token: Annotated[
        str, typer.Option(envvar="EMULATOR_TOKEN", help="The only API key that is accepted. Default: any.")
    ] = "",
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--faults",
            "--fault",
            help="Name of a fault, or JSON file with a list of faults; can be repeated. "
            "`interactions-emulator faults` lists them.",
        ),
    ] = None,
    scenarios: Annotated[Path | None, typer.Option(help="YAML file of scripted or recorded answers.")] = None,
    retention_days: Annotated[
        float,
        typer.Option(help="Virtual days an interaction is kept: 55 on the paid tier, 1 on the free one."),
    ] = 55.0,
    webhook_host: Annotated[
        list[str] | None, typer.Option(help="Host that may receive webhooks, besides this machine; can be repeated.")
    ] = None,
    most_stored: Annotated[
        int, typer.Option(help="Interactions that are kept; beyond that, the oldest finished one is deleted.")
    ] = 10_000,
    address_file: Annotated[
        Path | None, typer.Option(help='File for the JSON object {"url", "pid"}, written once the server is ready.')
    ] = None,
    idle_exit: Annotated[
        float | None, typer.Option(help="Exit after this many seconds without a request or a run.")
    ] = None,
) -> None:
    """Serve the Gemini Interactions API on this machine, without Gemini."""
    if context.invoked_subcommand:
        return
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if not token and not is_loopback(host):
        raise _failed(f"{host} is not this machine: set a --token (or EMULATOR_TOKEN), which clients send as API key")
    listener = _listen(host, port, prefer_port)
    url = f"http://{host}:{listener.getsockname()[1]}"

    def ready(stop: Callable[[], None]) -> None:
        if address_file:
            _write(address_file, url)
        key = "…" if token else "any"
        allowed = "your token is the API key" if token else "any API key will do"
        typer.echo(f"Interactions emulator on {url} (this is not Gemini; {allowed})")
        typer.echo(f'  genai.Client(api_key="{key}", http_options={{"base_url": "{url}"}})')
        typer.echo(f"  or: export GOOGLE_GEMINI_BASE_URL={url} GEMINI_API_KEY={key}")

    def crash() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        rules = [fault for given in faults or () for fault in _faults(given)]
        settings = Settings(
            corpus=corpus,
            index=index,
            state=state,
            speed=speed,
            faults=rules,
            scenarios=scenarios,
            retention_days=retention_days,
            idle_exit=idle_exit,
            token=token,
            webhook_hosts=frozenset(webhook_host or ()),
            limits=ServerLimits(max_stored=most_stored),
        )
        gc.set_threshold(50_000, 20, 100)  # collect garbage rarely: the state is many small, long-lived objects
        run(serve(settings, listener, ready, crash))
    except (Refused, JournalError, OSError, ValueError) as error:
        raise _failed(str(error)) from error


@app.command()
def record(
    file: Annotated[Path, typer.Argument(help="YAML file to write. It must not exist yet, or be empty.")],
    upstream: Annotated[str, typer.Option(help="Address of the API.")] = "https://generativelanguage.googleapis.com",
    port: Annotated[int, typer.Option(help="Port to serve on. 0: a free one.")] = 0,
    address_file: Annotated[
        Path | None, typer.Option(help='File for the JSON object {"url", "pid"}, written once the recorder is ready.')
    ] = None,
) -> None:
    """Forward requests to the real API, and record its answers in a file that --scenarios replays."""
    from interactions_emulator.recording.recorder import record as record_into

    def on_ready(url: str) -> None:
        if address_file:
            _write(address_file, url)

    try:
        record_into(file, upstream, port, on_ready)
    except (Refused, OSError) as error:
        raise _failed(str(error)) from error


@app.command()
def faults() -> None:
    """List all faults: the fields of a fault, and the faults with a name, each with an example."""
    for line in help_lines():
        typer.echo(line)


def _faults(given: str) -> list[Fault]:
    """The faults of a name, or of a JSON file."""
    is_file = given.endswith(".json") or (given not in NAMED and Path(given).exists())
    return parse_faults(json.loads(Path(given).read_text(encoding="utf-8")) if is_file else given)


def _listen(host: str, port: int, prefer_port: int) -> socket.socket:
    try:
        return bind(port or prefer_port, host)
    except OSError as error:
        if port or not prefer_port:
            raise _failed(f"port {port} on {host} cannot be used ({error.strerror}): choose another") from error
        return bind(0, host)


def _write(path: Path, url: str) -> None:
    """Write the address atomically."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
    draft.replace(path)


def _failed(message: str) -> typer.Exit:
    typer.echo(f"interactions_emulator: {message}", err=True)
    return typer.Exit(2)
