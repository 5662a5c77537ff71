"""Settings of `desk serve`, from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tools.backend import is_loopback
from tools.settings import SettingsError


class ServerSettings(BaseSettings):
    """`DESK_*` variables that only the server reads."""

    model_config = SettingsConfigDict(env_prefix="DESK_", env_ignore_empty=True)

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
    max_body: int = Field(default=25_000_000, gt=0)
    """Bytes that a request may have."""
    turns_at_once: int = Field(default=4, gt=0)
    """Turns of one user that may run at a time, on one replica."""
    turns_per_minute: int = Field(default=60, gt=0)
    """Turns of one user in a minute, on one replica."""
    pool_size: int = Field(default=5, gt=0)
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
    try:
        return ServerSettings()
    except ValidationError as error:
        lines = [f"DESK_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]  # a value may be a secret
        raise SettingsError("\n".join(lines)) from None


def sessions_url(settings: ServerSettings, ledger_url: str, data_dir: Path) -> str:
    """Conversations live in the ledger's database if that is a server, else in a file beside it."""
    if settings.sessions_url:
        return settings.sessions_url
    return ledger_url if ledger_url.startswith("postgresql") else f"sqlite+aiosqlite:///{data_dir / 'sessions.db'}"
