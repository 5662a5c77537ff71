"""Settings of `desk serve`, from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tools.backend import is_loopback
from tools.settings import SettingsError, read


@dataclass(frozen=True)
class ServerSettings:
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
    max_body: int = 25_000_000
    """Bytes that a request may have."""
    turns_at_once: int = 4
    """Turns of one user that may run at a time, on one replica."""
    turns_per_minute: int = 60
    """Turns of one user in a minute, on one replica."""
    pool_size: int = 5
    """Connections to the database of the conversations that a replica keeps, and as many more for a while."""

    @property
    def emails(self) -> tuple[str, ...]:
        """Who may come in."""
        return tuple(part for each in self.allowed_emails.split(",") if (part := each.strip().lower()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Of the webhook."""
        return tuple(part for each in self.webhook_secrets.split(",") if (part := each.strip()))

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


def load_server_settings() -> ServerSettings:
    """Reads the environment.

    Raises:
        SettingsError: a variable has an unusable value.
    """
    return read(ServerSettings, os.environ)


def sessions_url(settings: ServerSettings, ledger_url: str, data_dir: Path) -> str:
    """Conversations live in the ledger's database if that is a server, else in a file beside it."""
    if settings.sessions_url:
        return settings.sessions_url
    return ledger_url if ledger_url.startswith("postgresql") else f"sqlite+aiosqlite:///{data_dir / 'sessions.db'}"
