"""Settings of `desk serve`, from the environment."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import PositiveFloat, PositiveInt
from sqlalchemy.engine import URL

from tools.database_url import DRIVERS, DatabaseUrl, parse_database_url
from tools.interactions.backend import is_loopback
from tools.settings import EnvironmentSettings, SettingsError, read_settings

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?")
"""As a browser writes it: in lower case, without a path."""


class ServerSettings(EnvironmentSettings):
    """`DESK_*` variables that only the server reads."""

    sessions_url: str = ""
    """Where conversations are kept, as `adk web --session_service_uri` has it; empty: beside the ledger."""
    artifacts_url: str = ""
    """Where files are kept: gs://BUCKET or file://FOLDER; empty: a folder in DESK_DATA_DIR."""
    oidc_issuer: str = ""
    """Issuer of ID tokens, e.g. https://accounts.google.com."""
    oidc_audience: str = ""
    """Whom the tokens have to be for: the client id."""
    iap_audience: str = ""
    """Whom the assertions of Identity-Aware Proxy have to be for, when it stands before the server."""
    allowed_emails: str = ""
    """Who may come in, separated by commas: addresses, domains like @example.com; empty: each user of the issuer."""
    webhook_secrets: str = ""
    """Signing secrets of the registered webhook ("whsec_…"), separated by commas while they change."""
    public_url: str = ""
    """Where others reach the server, for the card of `--a2a`; empty: where it listens."""
    allowed_hosts: str = ""
    """Host names of the server besides its own address, separated by commas; with authentication empty means any."""
    allowed_origins: str = ""
    """Origins of web pages of other sites that may use the server, separated by commas: https://app.example.com."""
    max_body: PositiveInt = 25_000_000
    """Bytes that a request may have."""
    request_seconds: PositiveFloat = 60.0
    """Seconds in which a request has to arrive."""
    sessions_per_user: PositiveInt = 1000
    """Conversations that a user may have."""
    turns_at_once: PositiveInt = 4
    """Turns of one user that may run at a time, on one replica."""
    turns_per_minute: PositiveInt = 60
    """Turns of one user in a minute, on one replica."""
    pool_size: PositiveInt = 5
    """Connections to the database of the conversations that a replica keeps, and as many more for a while."""

    @property
    def emails(self) -> tuple[str, ...]:
        """Who may come in."""
        return _parts(self.allowed_emails.lower())

    @property
    def secrets(self) -> tuple[str, ...]:
        """Of the webhook."""
        return _parts(self.webhook_secrets)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names under which the server is reached."""
        public = urlsplit(self.public_url).hostname
        return (*_parts(self.allowed_hosts.lower()), *([public] if public else []))

    @property
    def origins(self) -> tuple[str, ...]:
        """Of pages that may use the server.

        Raises:
            SettingsError: one is no origin.
        """
        found = _parts(self.allowed_origins)
        for each in found:
            if not _ORIGIN.fullmatch(each):
                raise SettingsError(
                    f"DESK_ALLOWED_ORIGINS: {each} is no origin: write https://HOST or http://HOST:PORT"
                )
        return found

    def public_address(self, host: str, port: int) -> str:
        """Where others reach the server.

        Raises:
            SettingsError: nobody said, and it is not this machine alone that does.
        """
        if self.public_url:
            return self.public_url
        if is_loopback(f"http://{host}"):
            return f"http://{host}:{port}"
        raise SettingsError("DESK_PUBLIC_URL is missing: where other agents reach this server, for its agent card")


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for each in text.split(",") if (part := each.strip()))


def load_server_settings() -> ServerSettings:
    """Reads the environment.

    Raises:
        SettingsError: a variable has an unusable value.
    """
    return read_settings(ServerSettings)


def sessions_url(settings: ServerSettings, ledger_url: str, data_dir: Path) -> DatabaseUrl | None:
    """The database of conversations: the ledger's if that is a server, else a file beside it. None: memory alone.

    Raises:
        SettingsError: an address cannot be used.
    """
    if settings.sessions_url.startswith("memory:"):
        return None
    if settings.sessions_url:
        return parse_database_url(settings.sessions_url, "DESK_SESSIONS_URL")
    ledger = parse_database_url(ledger_url, "DESK_DATABASE_URL")
    if ledger.url.get_backend_name() == "postgresql":
        return ledger
    return DatabaseUrl(URL.create(DRIVERS["sqlite"], database=str(data_dir / "sessions.db")), {})
