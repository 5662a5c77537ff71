"""Settings of `desk serve`, from the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PositiveFloat, PositiveInt
from sqlalchemy.engine import URL

from tools.databases.database_url import DRIVERS, DatabaseUrl, parse_database_url
from tools.interactions.backend import is_loopback
from tools.settings import EnvironmentSettings, SettingsError, WebAddress, read_settings
from tools.web_addresses.parsing import split_address

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?")
"""An origin as a browser sends it: in lower case, without a path."""


def _accounts(value: str) -> str:
    for each in _parts(value):
        if "@" not in each:
            raise ValueError(f"{each} is no address: write NAME@{each} for a person or @{each} for a domain")
    return value


def _host_names(value: str) -> str:
    for each in _parts(value):
        if "/" in each:
            raise ValueError(f"{each} is not the name of a host: write it without https:// and path")
    return value


class ServerSettings(EnvironmentSettings):
    """`DESK_*` variables that only the server reads."""

    sessions_url: str = ""
    """Database of conversations, as in `adk web --session_service_uri`; empty: the default of `sessions_url` below."""
    artifacts_url: str = ""
    """Storage of files: gs://BUCKET or file://FOLDER; empty: a folder in DESK_DATA_DIR."""
    oidc_issuer: WebAddress = ""
    """Issuer of ID tokens, e.g. https://accounts.google.com."""
    oidc_audience: str = ""
    """Required audience of the ID tokens: the client id."""
    iap_audience: str = ""
    """Required audience of the assertions of Identity-Aware Proxy, if the server runs behind it."""
    allowed_emails: Annotated[str, AfterValidator(_accounts)] = ""
    """Allowed accounts, separated by commas: addresses, domains like @example.com; empty: each user of the issuer."""
    webhook_secrets: str = ""
    """Signing secrets of the registered webhook ("whsec_…"), separated by commas during a rotation."""
    allowed_hosts: Annotated[str, AfterValidator(_host_names)] = ""
    """Host names of the server besides loopback, separated by commas.

    If empty, all names are allowed with authentication, and only loopback without it.
    """
    allowed_origins: str = ""
    """Origins of other sites whose pages may use the server, separated by commas: https://app.example.com."""
    max_body: PositiveInt = 25_000_000
    """Maximum bytes of a request body."""
    request_seconds: PositiveFloat = 60.0
    """Timeout for a request to arrive, in seconds."""
    sessions_per_user: PositiveInt = 1000
    """Maximum number of conversations per user."""
    megabytes_per_user: PositiveInt = 500
    """Maximum megabytes of a user's conversations, files and tasks of other agents, together."""
    turns_at_once: PositiveInt = 4
    """Maximum number of turns of one user at a time, per process."""
    turns_per_minute: PositiveInt = 60
    """Maximum number of turns of one user in a minute, per process."""
    workers: PositiveInt = 1
    """Number of processes that serve, on one port. `turns_at_once`, `turns_per_minute`, `pool_size` count for each."""
    pool_size: PositiveInt = 5
    """Database connections for conversations that a process keeps open; under load it opens up to twice as many."""

    @property
    def emails(self) -> tuple[str, ...]:
        """Allowed addresses and domains, in lower case."""
        return _parts(self.allowed_emails.lower())

    @property
    def secrets(self) -> tuple[str, ...]:
        """Signing secrets of the webhook."""
        return _parts(self.webhook_secrets)

    def hosts(self, public_url: str) -> tuple[str, ...]:
        """Returns the host names of the server, whose public address is `public_url` (empty if it has none)."""
        public = split_address(public_url).hostname
        return (*_parts(self.allowed_hosts.lower()), *([public] if public else []))

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins whose pages may use the server.

        Raises:
            SettingsError: a value is not an origin.
        """
        found = _parts(self.allowed_origins)
        for each in found:
            if not _ORIGIN.fullmatch(each):
                raise SettingsError(
                    f"DESK_ALLOWED_ORIGINS: {each} is not an origin: write https://HOST or http://HOST:PORT"
                )
        return found


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for each in text.split(",") if (part := each.strip()))


def agent_address(public_url: str, host: str, port: int) -> str:
    """Returns the address at which other agents reach the server.

    Raises:
        SettingsError: there is no public address and the server does not listen on loopback.
    """
    if public_url:
        return public_url
    if is_loopback(f"http://{host}"):
        return f"http://{host}:{port}"
    raise SettingsError("DESK_PUBLIC_URL is missing: where other agents reach this server, for its agent card")


def load_server_settings() -> ServerSettings:
    """Reads the server's settings from the environment.

    Raises:
        SettingsError: a variable has an unusable value.
    """
    return read_settings(ServerSettings)


def sessions_url(settings: ServerSettings, ledger_url: str, data_dir: Path) -> DatabaseUrl | None:
    """Returns the database of conversations; None: they are kept in memory.

    By default, it is the ledger's database on PostgreSQL, else the SQLite file `sessions.db` in `data_dir`.

    Raises:
        SettingsError: an address is unusable.
    """
    if settings.sessions_url.startswith("memory:"):
        return None
    if settings.sessions_url:
        return parse_database_url(settings.sessions_url, "DESK_SESSIONS_URL")
    ledger = parse_database_url(ledger_url, "DESK_DATABASE_URL")
    if ledger.url.get_backend_name() == "postgresql":
        return ledger
    return DatabaseUrl(URL.create(DRIVERS["sqlite"], database=str(data_dir / "sessions.db")), {})
