"""Settings from the environment: one table of what can be set, its type and its default."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from tools.errors import DeskError

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
"""Folder that contains tools/ and configs/, in the repository or in a deployment."""
INSTALLED_CONFIGS = ROOT / "configs"
"""Folder of the agents' YAML files that come with the application."""
Usd = float
Wish = Literal["auto", "gemini", "vertex", "emulator"]


class SettingsError(DeskError):
    """A setting in the environment has a value that cannot be used. The text names the variable."""


def _user_data() -> Path:
    import platformdirs

    return platformdirs.user_data_path("research-desk")


def _configs() -> Path:
    own = Path("configs").absolute()
    return own if (own / "desk.yaml").is_file() else INSTALLED_CONFIGS


@dataclass(frozen=True)
class Settings:
    """`DESK_*` variables. Keys and Google's own variables are read by `tools.interactions.backend`."""

    backend: Wish = "auto"
    config: Path = field(default_factory=lambda: _configs() / "desk.yaml")
    """YAML file of the root agent; default: `./configs/desk.yaml`, which `desk init` makes, else the installed one."""
    data_dir: Path = field(default_factory=_user_data)
    """Folder of the ledger and of the embedded emulator's state."""
    database_url: str = ""
    """Address of the ledger's database, see `tools.database_url`; empty: a SQLite file in `data_dir`."""
    corpus: Path | None = None
    """Folder that the embedded emulator searches; None: the documentation of the installed packages."""
    attach_seconds: float | None = None
    """Seconds for which a turn watches a research run; None: the value in the agent's YAML."""
    ask_above_usd: Usd | None = None
    """Upper price estimate, in USD, up to which a run needs no yes; None: the value in the researcher's YAML."""
    retention_days: float = 55.0
    """Days for which the server keeps interactions: 55 on the paid tier, 1 on the free one."""
    emulator_speed: float = 60.0
    """Virtual seconds that pass per second on the embedded emulator (a research run takes 20 virtual minutes)."""
    weather_url: str = ""
    """Base address of an Open-Meteo compatible service; empty: Open-Meteo, or the emulator when it is used."""

    @property
    def ledger_file(self) -> Path:
        """The ledger's SQLite file, used if `database_url` is empty."""
        return self.data_dir / "ledger.db"

    @property
    def ledger_url(self) -> str:
        """The address of the ledger's database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.ledger_file}"


def variables(kind: type[Any]) -> list[str]:
    """Names of the environment variables that a settings class is read from."""
    return [f"DESK_{each.name.upper()}" for each in fields(kind)]


def read(kind: type[T], env: Mapping[str, str]) -> T:
    """Reads settings from variables; an empty one counts as not set.

    Raises:
        SettingsError: a variable has an unusable value.
    """
    values, wrong = dict[str, Any](), list[str]()
    for each, name in zip(fields(kind), variables(kind), strict=True):  # type: ignore[arg-type]
        if text := env.get(name):
            try:
                values[each.name] = _READERS[str(each.type)](text)
            except ValueError as error:
                wrong.append(f"{name}={text!r}: {error}")
    if wrong:
        raise SettingsError("\n".join(wrong))
    return kind(**values)


def load_settings() -> Settings:
    """Reads the settings from the environment; cached until it changes, because each turn calls this.

    Raises:
        SettingsError: a variable has an unusable value.
    """
    return _read(tuple(map(os.environ.get, _ASKED)))


_ASKED = (*variables(Settings), "HOME", "XDG_DATA_HOME")


@lru_cache
def _read(values: tuple[str | None, ...]) -> Settings:
    return read(Settings, {name: value for name, value in zip(_ASKED, values, strict=True) if value})


def _number(kind: type[float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(0)
        if not value > 0:
            raise ValueError(f"it has to be a {'whole ' if kind is int else ''}number above 0")
        return value

    return number


def _usd(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise ValueError("it has to be a number of US dollars, 0 or more")
    return value


def _wish(text: str) -> str:
    if text not in get_args(Wish):
        raise ValueError(f"it has to be one of {', '.join(get_args(Wish))}")
    return text


_READERS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "Path": Path,
    "Path | None": Path,
    "int": _number(int),
    "float": _number(float),
    "float | None": _number(float),
    "Usd | None": _usd,
    "Wish": _wish,
}
"""Parsers by type of setting."""
