"""Settings from the environment: one table of what can be set, its type and its default."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[1]
"""Folder that holds tools/ and configs/: the repository, or the place where a deployment put both."""


class SettingsError(Exception):
    """A setting in the environment has a value that cannot be used. The text names the variable."""


class Settings(BaseSettings):
    """`DESK_*` variables. Keys and Google's own variables are read by `tools.backend`."""

    model_config = SettingsConfigDict(env_prefix="DESK_", env_ignore_empty=True)

    backend: Literal["auto", "gemini", "vertex", "emulator"] = "auto"
    config: Path = ROOT / "configs" / "desk.yaml"
    """YAML file of the root agent."""
    data_dir: Path = Field(default_factory=lambda: platformdirs.user_data_path("research-desk"))
    """Folder of the ledger and of the embedded emulator's state."""
    database_url: str = ""
    """SQLAlchemy URL of the ledger; empty: a SQLite file in `data_dir`."""
    corpus: Path | None = None
    """Folder that the embedded emulator searches; none: the documentation of the installed packages."""
    attach_seconds: float | None = Field(default=None, gt=0)
    """How long a turn watches a research; none: what the agent's YAML says."""
    retention_days: float = Field(default=55.0, gt=0)
    """How long the server keeps interactions: 55 days on the paid tier, 1 on the free one."""
    emulator_speed: float = Field(default=60.0, gt=0)
    """Virtual seconds that pass per second on the embedded emulator (a research takes 20 virtual minutes)."""
    weather_url: str = ""
    """Base address of an Open-Meteo compatible service; empty: Open-Meteo, or the emulator when it is used."""

    @property
    def ledger_url(self) -> str:
        """The ledger's SQLAlchemy URL."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'ledger.db'}"


_VARIABLES = (*(f"DESK_{name.upper()}" for name in Settings.model_fields), "HOME", "XDG_DATA_HOME")


def load_settings() -> Settings:
    """Reads the environment; anew only if it has changed, for each turn asks.

    Raises:
        SettingsError: a variable has an unusable value.
    """
    return _read(tuple(map(os.environ.get, _VARIABLES)))


@lru_cache
def _read(values: tuple[str | None, ...]) -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"DESK_{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg']}" for e in error.errors()]
        raise SettingsError("\n".join(lines)) from None
