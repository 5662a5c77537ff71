"""Chooses the server (Gemini, Vertex AI or the emulator) and builds the clients that call it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import httpx2

from tools.interactions.endpoint import Endpoint, gemini_endpoint, vertex_endpoint
from tools.interactions.errors import BackendError
from tools.interactions.local_emulator import brain_name, keep_alive, start_emulator
from tools.interactions.server_name import normalized_server
from tools.interactions.transport import Transport
from tools.settings import Settings, load_settings
from tools.web_addresses.credentials import without_credentials
from tools.web_addresses.parsing import split_address

if TYPE_CHECKING:
    from google.genai import Client

KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""API key variables, in the SDK's order of preference (google-genai 2.34, `_api_client.get_env_api_key`)."""
DEPLOYED_VARIABLES = ("K_SERVICE", "K_REVISION", "GOOGLE_CLOUD_AGENT_ENGINE_ID")
"""Variables that Cloud Run and Agent Engine set. If one is set, the emulator is never used."""
EMULATOR_KEY = "no-key"
_ON, _OFF = ("1", "true", "yes", "on", "y", "t"), ("0", "false", "no", "off", "n", "f")
_VERSION = re.compile(r"(/v\d+(?:(?:alpha|beta)\d*)?)/*$")
"""Matches an API version at the end of an address."""


@dataclass(frozen=True)
class Backend:
    """The server in use and why it was chosen."""

    kind: Literal["gemini", "vertex", "emulator"]
    reason: str
    url: str = field(default="", repr=False)
    """Base address; may contain a password. Empty for Google's address, or for an emulator that is not started yet."""
    embedded: bool = False
    """Whether the server is an emulator that the desk itself starts."""

    @property
    def variable(self) -> str:
        """The environment variable that the address comes from."""
        return "GOOGLE_VERTEX_BASE_URL" if self.kind == "vertex" else "GOOGLE_GEMINI_BASE_URL"

    def __str__(self) -> str:
        name = {"gemini": "Gemini API", "vertex": "Vertex AI", "emulator": "local emulator (not Gemini)"}[self.kind]
        return f"{name}{f' at {without_credentials(self.url)}' if self.url else ''}: {self.reason}"


def choose(settings: Settings, env: Mapping[str, str]) -> Backend:
    """Chooses the server from the settings and the environment alone.

    Raises:
        BackendError: the requested server cannot be used, or no credentials are set in a deployed environment.
    """
    deployed = next((name for name in DEPLOYED_VARIABLES if env.get(name)), None)
    key = next((name for name in KEY_VARIABLES if env.get(name)), None)
    enterprise = _enterprise(env)
    url = checked_url("GOOGLE_GEMINI_BASE_URL", env.get("GOOGLE_GEMINI_BASE_URL", ""))
    if settings.backend == "emulator" or (settings.backend == "auto" and not enterprise and not key):
        if deployed:
            raise BackendError(
                f"no emulator in a deployed environment ({deployed} is set): set GEMINI_API_KEY, or"
                " GOOGLE_GENAI_USE_ENTERPRISE=1 with GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION"
            )
        wished = "DESK_BACKEND=emulator" if settings.backend == "emulator" else "no key is set"
        if url and not is_loopback(url):
            raise BackendError(
                f"GOOGLE_GEMINI_BASE_URL={without_credentials(url)} is not on this machine and {wished}:"
                " set GEMINI_API_KEY to use it, or unset the address"
            )
        return Backend("emulator", wished, url)
    if settings.backend == "vertex" or (settings.backend == "auto" and enterprise):
        missing = [n for n in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION") if not env.get(n)]
        if missing and not key:
            raise BackendError(f"Vertex AI needs {' and '.join(missing)} (or an API key)")
        reason = "DESK_BACKEND=vertex" if settings.backend == "vertex" else "GOOGLE_GENAI_USE_ENTERPRISE is on"
        url = checked_url("GOOGLE_VERTEX_BASE_URL", env.get("GOOGLE_VERTEX_BASE_URL", ""))
        return Backend("vertex", reason, url)
    if not key:
        raise BackendError("DESK_BACKEND=gemini needs GEMINI_API_KEY (or GOOGLE_API_KEY)")
    if not re.fullmatch(r"[!-~]+", env[key]):  # it could not be sent as a header
        raise BackendError(
            f"{key} is no API key: it has spaces, or characters other than ASCII. Copy the key again, or unset it"
        )
    return Backend("gemini", f"{key} is set", url)


def checked_url(variable: str, text: str) -> str:
    """Returns the base address of a service from a variable's value; empty if the variable is not set.

    Raises:
        BackendError: the value is not a usable address. The message omits the value, which may contain a password.
    """
    url = text.strip()
    try:
        parts = split_address(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        valid = valid and not re.search(r"\s", url)
    except ValueError:
        valid = False
    if url and not valid:
        raise BackendError(f"{variable} is not a web address: write https://HOST or http://HOST:PORT")
    if version := _VERSION.search(url):
        raise BackendError(f"{variable} ends in {version[1]}, which the desk adds itself: leave it out")
    return url


def _enterprise(env: Mapping[str, str]) -> bool:
    """Whether Vertex AI is on. The newer variable overrides the deprecated one, as in google-genai 2.34.

    Raises:
        BackendError: the value is not one of the usual words.
    """
    for name in ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI"):
        if value := env.get(name, "").strip().lower():
            if value not in (*_ON, *_OFF):
                raise BackendError(f"{name}={env[name]!r:.40} is neither yes nor no: write 1 for Vertex AI, else 0")
            return value in _ON
    return False


def is_loopback(url: str) -> bool:
    """Whether an address points at this machine."""
    with suppress(ValueError):
        host = split_address(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    return False


@lru_cache(maxsize=1)
def current() -> Backend:
    """Returns the backend of this process; starts the embedded emulator if it is chosen and not running.

    Raises:
        BackendError: no server can be used with the current settings, or the emulator does not start.
    """
    settings = load_settings()
    backend = choose(settings, os.environ)
    deployed = any(os.environ.get(name) for name in DEPLOYED_VARIABLES)
    if backend.kind == "gemini" and not deployed and is_loopback(backend.url) and _is_emulator(backend.url):
        return Backend("emulator", "GOOGLE_GEMINI_BASE_URL points at one", backend.url)
    if backend.kind == "emulator" and not backend.url:
        url = start_emulator(settings)
        keep_alive(settings)
        answers = f"; answers by {name}" if (name := brain_name()) else ""
        return Backend("emulator", f"{backend.reason}{answers}", url, embedded=True)
    return backend


def _is_emulator(url: str) -> bool:
    try:
        server = httpx2.get(url, timeout=2).headers.get("server", "")
    except httpx2.HTTPError:
        return False
    return str(server).startswith("interactions-emulator")


_transports: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Backend, Transport]] = WeakKeyDictionary()


def transport() -> Transport:
    """Returns the transport of the running event loop: connections cannot be shared between loops."""
    transports = _transports.setdefault(asyncio.get_running_loop(), {})
    chosen = current()
    if chosen not in transports:
        transports[chosen] = Transport(endpoint(chosen))
    return transports[chosen]


def client() -> Client:
    """Returns the SDK's client, for ADK. The application's own requests go through `transport`."""
    return new_client(current())


@lru_cache(maxsize=1)
def new_client(backend: Backend) -> Client:
    """Returns an SDK client for a backend."""
    from google.genai import Client
    from google.genai.types import HttpOptions

    options = HttpOptions(base_url=backend.url or None)
    if backend.kind == "vertex":
        # Pass them explicitly: with a base address, the SDK ignores these variables (2.34, `_api_client.py:1031`).
        project, location = map(os.environ.get, ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"))
        return Client(enterprise=True, project=project, location=location, http_options=options)
    return Client(enterprise=False, api_key=_key(backend), http_options=options)


def server_name() -> str:
    """Returns the name of the server in use. A research run stores the name, because no other server has the run.

    Raises:
        BackendError: no server can be used.
    """
    backend = current()
    place = ""
    if backend.kind == "vertex":
        place = f"{os.environ.get('GOOGLE_CLOUD_PROJECT', '')}/{os.environ.get('GOOGLE_CLOUD_LOCATION', '')}"
    elif backend.kind == "gemini":
        place = backend.url
    return normalized_server(f"{backend.kind} {place}".strip())


def credentials() -> str:
    """Describes for a person where this process's credentials come from."""
    if current().kind == "vertex":
        return "the application default credentials (GOOGLE_APPLICATION_CREDENTIALS, or the service account)"
    return next(filter(os.environ.get, KEY_VARIABLES), "GEMINI_API_KEY")


def endpoint(backend: Backend) -> Endpoint:
    """Returns the endpoint of a backend; keys and projects come from Google's own environment variables."""
    if backend.kind == "vertex":
        project, location = (os.environ.get(f"GOOGLE_CLOUD_{name}", "") for name in ("PROJECT", "LOCATION"))
        return vertex_endpoint(backend.url, project, location, _key(backend))
    found = gemini_endpoint(backend.url, _key(backend))
    if backend.embedded:
        found.restart = _restart
    return found


def _restart() -> str:
    """Restarts the embedded emulator after it has ended, and returns its URL for interactions."""
    return gemini_endpoint(start_emulator(load_settings()), EMULATOR_KEY).url


def _key(backend: Backend) -> str:
    found = next(filter(None, map(os.environ.get, KEY_VARIABLES)), "")
    return EMULATOR_KEY if backend.kind == "emulator" else found
