"""The command line, `interactions-emulator`: runs the server, or the recorder, as a process."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from interactions_emulator.engine.state_store import JournalError
from interactions_emulator.errors import Refused
from interactions_emulator.faults.help import help_lines
from interactions_emulator.faults.parsing import read_option
from interactions_emulator.http.serving import bind, run, serve
from interactions_emulator.http.settings import HOST, Settings
from interactions_emulator.limits import RETENTION_DAYS, ServerLimits
from interactions_emulator.loopback import is_loopback

if TYPE_CHECKING:
    from interactions_emulator.brain.model import ModelBrain, ResearchLimits


class BrainKind(StrEnum):
    """The kind of brain, which writes the answers."""

    rules = "rules"
    model = "model"


def _path(text: str) -> Path:
    """Read a path. Refuse an empty value, such as that of an unset variable: it would mean the current folder."""
    if not text.strip():
        raise typer.BadParameter("it is empty: name a file or folder, or leave the option out")
    return Path(text)


app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]})


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port to serve on; an error if it is taken. 0: any free port.")] = 0,
    prefer_port: Annotated[int, typer.Option(help="Port to try first; any free port if it is taken.")] = 0,
    corpus: Annotated[
        Path | None,
        typer.Option(
            parser=_path, metavar="PATH", help="Folder of documents to quote. Default: the documents of the emulator."
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(
            parser=_path, metavar="PATH", help="File that keeps the search index of the corpus between starts."
        ),
    ] = None,
    brain: Annotated[
        BrainKind, typer.Option(envvar="EMULATOR_BRAIN", help="Who answers: rules that quote the corpus, or a model.")
    ] = BrainKind.rules,
    model_url: Annotated[
        str,
        typer.Option(envvar="EMULATOR_MODEL_URL", help="OpenAI-compatible API, such as http://localhost:11434/v1."),
    ] = "",
    model: Annotated[str, typer.Option(envvar="EMULATOR_MODEL", help="Name of the model at --model-url.")] = "",
    model_key: Annotated[
        str, typer.Option(envvar="EMULATOR_MODEL_KEY", help="API key of --model-url. Prefer the variable.")
    ] = "",
    model_context: Annotated[
        int, typer.Option(envvar="EMULATOR_MODEL_CONTEXT", min=1024, help="Tokens of context that research may use.")
    ] = 4096,
    search_url: Annotated[
        str, typer.Option(envvar="EMULATOR_SEARCH_URL", help="Search address for the model: GET ?q= answers JSON.")
    ] = "",
    research_minutes: Annotated[
        float, typer.Option(envvar="EMULATOR_RESEARCH_MINUTES", min=0.1, help="Real minutes of a model's research run.")
    ] = 60.0,
    research_tokens: Annotated[
        int, typer.Option(envvar="EMULATOR_RESEARCH_TOKENS", min=1, help="Tokens of a model's research run.")
    ] = 1_000_000,
    state: Annotated[
        Path | None,
        typer.Option(
            parser=_path, metavar="PATH", help="SQLite file that keeps the state across restarts. Default: memory."
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(help="Virtual seconds per real second; 0: only /_emulator/clock moves time; inf: nothing waits."),
    ] = 1.0,
    host: Annotated[
        str, typer.Option(help="Address to serve on. An address other than this machine's needs --token.")
    ] = HOST,
    token: Annotated[
        str | None, typer.Option(envvar="EMULATOR_TOKEN", help="The only API key that is accepted. Default: any.")
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--faults",
            "--fault",
            help="Name of a fault, JSON of a fault, or JSON file with a list of faults; can be repeated. "
            "`interactions-emulator faults` lists them.",
        ),
    ] = None,
    scenarios: Annotated[
        Path | None, typer.Option(parser=_path, metavar="PATH", help="YAML file of scripted or recorded answers.")
    ] = None,
    retention_days: Annotated[
        float,
        typer.Option(min=0, help="Virtual days an interaction is kept: 55 on the paid tier, 1 on the free one."),
    ] = RETENTION_DAYS,
    webhook_host: Annotated[
        list[str] | None, typer.Option(help="Host that may receive webhooks, besides this machine; can be repeated.")
    ] = None,
    most_stored: Annotated[
        int, typer.Option(min=1, help="Interactions that are kept; beyond that, the oldest finished one is deleted.")
    ] = ServerLimits.max_stored,
    address_file: Annotated[
        Path | None,
        typer.Option(
            parser=_path,
            metavar="PATH",
            help='File for the JSON object {"url", "pid"}, written once the server is ready.',
        ),
    ] = None,
    idle_exit: Annotated[
        float | None, typer.Option(min=0, help="Exit after this many seconds without a request or a run.")
    ] = None,
) -> None:
    """Serve the Gemini Interactions API on this machine, without Gemini."""
    if context.invoked_subcommand:
        return
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if token is not None and not token.strip():
        raise _failed("--token is empty, and any API key would do: give one, or leave the option out for any key")
    if not token and not is_loopback(host):
        raise _failed(f"{host} is not this machine: set a --token (or EMULATOR_TOKEN), which clients send as API key")
    chosen: ModelBrain | None = None
    if brain is BrainKind.model:
        from interactions_emulator.brain.model import ResearchLimits

        limits = ResearchLimits(model_context, research_minutes, research_tokens)
        chosen = _model_brain(model_url, model, model_key, search_url, limits)
    elif model or model_url:
        typer.echo("interactions_emulator: --model and --model-url have no effect without --brain model", err=True)
    listener = _listen(host, port, prefer_port)
    url = f"http://{host}:{listener.getsockname()[1]}"

    def ready(stop: Callable[[], None]) -> None:
        if address_file:
            _write(address_file, url)
        key = "…" if token else "any"
        allowed = "your token is the API key" if token else "any API key will do"
        answers = f"answers by {chosen}; " if chosen else ""
        typer.echo(f"Interactions emulator on {url} ({answers}this is not Gemini; {allowed})")
        typer.echo(f'  genai.Client(api_key="{key}", http_options={{"base_url": "{url}"}})')
        typer.echo(f"  or: export GOOGLE_GEMINI_BASE_URL={url} GEMINI_API_KEY={key}")

    def crash() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        rules = [fault for given in faults or () for fault in read_option(given)]
        settings = Settings(
            brain=chosen,
            corpus=corpus,
            index=index,
            state=state,
            speed=speed,
            faults=rules,
            scenarios=scenarios,
            retention_days=retention_days,
            idle_exit=idle_exit,
            token=token or "",
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
    port: Annotated[int, typer.Option(help="Port to serve on; 0 chooses a free port.")] = 0,
    address_file: Annotated[
        Path | None,
        typer.Option(
            parser=_path,
            metavar="PATH",
            help='File for the JSON object {"url", "pid"}, written once the recorder is ready.',
        ),
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


def _model_brain(url: str, model: str, key: str, search_url: str, limits: ResearchLimits) -> ModelBrain:
    """The brain of the options. Reports on stderr a server that does not answer yet: it may be started later."""
    from interactions_emulator.brain.model import ModelBrain

    if not url or not model:
        raise _failed("--brain model needs --model-url and --model, such as http://localhost:11434/v1 and qwen3")
    for name, address in (("--model-url", url), *([("--search-url", search_url)] if search_url else [])):
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _failed(f"{name} {address!r} is no http or https address: give one such as http://localhost:11434/v1")
    brain = ModelBrain(url, model, key, search_url, limits)
    if problem := brain.problem():
        typer.echo(f"interactions_emulator: {problem} Requests fail until then.", err=True)
    return brain


@app.command()
def faults() -> None:
    """List all faults: the fields of a fault, and the faults with a name, each with an example."""
    for line in help_lines():
        typer.echo(line)


def _listen(host: str, port: int, prefer_port: int) -> socket.socket:
    try:
        return bind(port or prefer_port, host)
    except OSError as error:
        if port or not prefer_port:
            raise _failed(str(error)) from error
        return bind(0, host)


def _write(path: Path, url: str) -> None:
    """Write the address atomically. Raises `Refused` (400)."""
    draft = path.parent / f"{path.name}.{os.getpid()}"
    try:
        draft.write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        why = error.strerror
        raise Refused(
            400, f"the address file {path} cannot be written ({why}): name a file in an existing folder"
        ) from error


def _failed(message: str) -> typer.Exit:
    typer.echo(f"interactions_emulator: {message}", err=True)
    return typer.Exit(2)
