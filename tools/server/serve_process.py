"""A process of `desk serve`: builds its application from the environment and from the command's options."""

from __future__ import annotations

import gc
import json
import os
import warnings
from dataclasses import asdict, dataclass

from starlette.types import ASGIApp

from tools.server.app import build_server
from tools.server.settings import agent_address, load_server_settings
from tools.server.uvicorn_server import timed_protocol
from tools.settings import SettingsError, load_settings
from tools.telemetry import setup_logging, setup_telemetry

FACTORY, PROTOCOL = f"{__name__}:build", f"{__name__}:Protocol"
"""Names that uvicorn imports in each worker process."""
Protocol = timed_protocol(load_server_settings().request_seconds)
_OPTIONS = "_DESK_SERVE_OPTIONS"
"""Variable that passes the command's options to its workers, as JSON."""


@dataclass(frozen=True)
class Options:
    """Options of `desk serve`; see its help."""

    host: str
    port: int
    workers: int
    otel: str
    cloud_trace: bool
    a2a: bool
    mcp: bool
    plain: bool
    contents: bool

    def pass_on(self) -> None:
        """Passes the options to processes that this process starts, and to `build`."""
        os.environ[_OPTIONS] = json.dumps(asdict(self))


def build() -> ASGIApp:
    """Builds the application of this process, with logs and telemetry.

    Raises:
        DeskError: a setting or an option is unusable.
    """
    warnings.filterwarnings("ignore", r"\[EXPERIMENTAL\]", UserWarning)  # ADK 2.13 warns about parts of its server
    options = Options(**json.loads(os.environ[_OPTIONS]))
    setup_telemetry(options.otel or None, options.cloud_trace)
    setup_logging(not options.plain, options.contents)
    settings, server = load_settings(), load_server_settings()
    if options.workers > 1 and server.sessions_url.startswith("memory:"):
        raise SettingsError(
            f"{options.workers} workers cannot share conversations in memory: leave out DESK_SESSIONS_URL, or name a"
            " database in it, or use one worker"
        )
    address = agent_address(settings.public_url, options.host, options.port) if options.a2a else ""
    app = build_server(settings, server, options.host, address, options.mcp)
    collect_less_garbage()
    return app


def collect_less_garbage() -> None:
    """Excludes all existing objects from garbage collection, and makes it run less often.

    Otherwise, scans of 240,000 permanent objects take a sixth of a busy server's CPU time. A turn makes thousands of
    objects, and hardly any cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)  # 700 by default
