"""Reads settings from the environment. `Settings` lists the variables with their types and defaults."""

from __future__ import annotations

import math
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, NonNegativeFloat, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tools.errors import DeskError

ROOT = Path(__file__).resolve().parents[1]
"""Folder that contains tools/ and configs/, in the repository or in a deployment."""
INSTALLED_CONFIGS = ROOT / "configs"
"""Folder of the agents' YAML files as they come with the application."""
BackendChoice = Literal["auto", "gemini", "vertex", "emulator"]
DAY_S = 86_400.0
"""A day in seconds."""
RETENTION_DAYS = 55.0
"""Days for which the server keeps interactions on the paid tier."""
MAX_RETENTION_DAYS = 3650.0
"""Maximum of `DESK_RETENTION_DAYS`, in days."""
JWKS_URL = "https://generativelanguage.googleapis.com/.well-known/jwks.json"
"""Keys of the signatures of per-request webhooks (the samples of ai.google.dev/gemini-api/docs/webhooks, June 2026)."""
MAX_ATTACH_S = 7200.0
"""Maximum of `DESK_ATTACH_SECONDS` and `attach_seconds`, in seconds. A research run takes an hour at most."""
MAX_SPEED = 1e6
"""Maximum of `DESK_EMULATOR_SPEED`, in virtual seconds per second, if it is finite."""


class SettingsError(DeskError):
    """A setting in the environment has a value that cannot be used. The message names the variable."""


def _user_data() -> Path:
    import platformdirs

    return platformdirs.user_data_path("research-desk")


def _configs() -> Path:
    own = Path("configs").absolute()
    return own if (own / "desk.yaml").is_file() else INSTALLED_CONFIGS


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("there is no such user: write the whole path") from None


def _whole(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"it is another folder in each folder that a command runs in: write {path.absolute()}")
    return path


UserPath = Annotated[Path, AfterValidator(_expanded)]
"""A path, with `~` for the user's home folder: a shell does not expand it in quotes, nor in `.env`."""


def _formats(value: str | None) -> str | None:
    if value is not None and value != "none" and not set(value.split(",")) <= {"pdf", "docx", "epub"}:
        raise ValueError("write some of pdf, docx and epub with commas between them, or none")
    return value


def _speed(value: float) -> float:
    if MAX_SPEED < value < math.inf:
        raise ValueError(f"Input should be at most {MAX_SPEED:,.0f}, or inf for no waiting at all")
    return value


def _web_address(url: str) -> str:
    if url and not re.match(r"https?://[^/]", url):
        raise ValueError("not a web address: write https://HOST")
    return url


WebAddress = Annotated[str, AfterValidator(_web_address)]
"""An http or https address, or empty."""


class EnvironmentSettings(BaseSettings):
    """Settings from `DESK_*` variables; an empty variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="DESK_", env_ignore_empty=True, frozen=True, extra="forbid", allow_inf_nan=False
    )


T = TypeVar("T", bound=EnvironmentSettings)


class Settings(EnvironmentSettings):
    """`DESK_*` variables. `tools.interactions.backend` reads API keys and Google's own variables."""

    backend: BackendChoice = "auto"
    config: UserPath = Field(default_factory=lambda: _configs() / "desk.yaml")
    """YAML file of the root agent; default: `./configs/desk.yaml` (created by `desk init`), else the installed file."""
    data_dir: Annotated[UserPath, AfterValidator(_whole)] = Field(default_factory=_user_data)
    """Folder of the ledger and of the embedded emulator's state."""
    database_url: str = ""
    """Address of the ledger's database, see `tools.databases.database_url`; empty: a SQLite file in `data_dir`."""
    corpus: UserPath | None = None
    """Folder that the embedded emulator searches; None: the documents that come with the emulator."""
    attach_seconds: float | None = Field(default=None, gt=0, le=MAX_ATTACH_S)
    """Seconds for which a turn watches a research run; None: the value in the agent's YAML."""
    ask_above_usd: NonNegativeFloat | None = None
    """A run with at most this upper price estimate, in USD, needs no yes; None: the value in the researcher's YAML."""
    report_formats: Annotated[str | None, AfterValidator(_formats)] = None
    """Documents that a conversation gets with a report, such as "pdf,docx", or "none"; None: as the YAML says."""
    retention_days: float = Field(default=RETENTION_DAYS, gt=0, le=MAX_RETENTION_DAYS)
    """Days for which the server keeps interactions: 55 on the paid tier, 1 on the free one."""
    emulator_speed: Annotated[float, Field(gt=0, allow_inf_nan=True), AfterValidator(_speed)] = 60.0
    """Virtual seconds that pass per second on the embedded emulator (a research run takes 20 virtual minutes).

    At most `MAX_SPEED`, or infinite: a wait takes no time.
    """
    public_url: WebAddress = ""
    """Public address of `desk serve`: other agents and share links use it, and each run names it as its webhook."""
    webhooks: bool = True
    """Whether research runs name a webhook at `public_url`."""
    follow: bool = True
    """Whether this process follows research runs. If it does not, run a `desk work` on the same ledger."""
    webhook_jwks_url: WebAddress = JWKS_URL
    """Address of Google's keys (JWKS) for the signatures of these webhooks' messages."""
    weather_url: str = ""
    """Base address of an Open-Meteo compatible service; empty: Open-Meteo, or the emulator if it is the backend."""

    @property
    def retention_s(self) -> float:
        """The seconds for which the server keeps interactions."""
        return self.retention_days * DAY_S

    @property
    def ledger_file(self) -> Path:
        """The SQLite file of the ledger, used if `database_url` is empty."""
        return self.data_dir / "ledger.db"

    @property
    def ledger_url(self) -> str:
        """The address of the ledger's database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.ledger_file}"


def variables(kind: type[EnvironmentSettings]) -> list[str]:
    """Returns the names of the environment variables of a settings class."""
    return [f"DESK_{name.upper()}" for name in kind.model_fields]


def read_settings(kind: type[T]) -> T:
    """Reads the settings of class `kind` from the environment.

    Raises:
        SettingsError: variables have unusable values; the message has one line for each.
    """
    try:
        return kind()
    except ValidationError as error:
        wrong = [
            f"DESK_{str(e['loc'][0]).upper()}={e['input']!r}: {_told(e['type'], e['msg'])}" for e in error.errors()
        ]
        raise SettingsError("\n".join(wrong)) from None


def _told(kind: str, message: str) -> str:
    return "write 1 or 0" if kind == "bool_parsing" else message.removeprefix("Value error, ")


def load_settings() -> Settings:
    """Returns the settings of this process, cached because each turn calls this; follows changes of the environment.

    Raises:
        SettingsError: a variable has an unusable value.
    """
    return _read(tuple(map(os.environ.get, _READ)))


_READ = (*variables(Settings), "HOME", "XDG_DATA_HOME")


@lru_cache(maxsize=16)
def _read(environment: tuple[str | None, ...]) -> Settings:
    return read_settings(Settings)
