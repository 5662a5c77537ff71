"""Converts a database address from a setting to an address for SQLAlchemy's asynchronous drivers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tools.settings import SettingsError

FORMS = "write sqlite:////FOLDER/FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
"""Maps the database in an address to the driver that is used, whatever driver the address names."""
_READ_BY_SQLALCHEMY = {"host", "port", "ssl", "prepared_statement_cache_size"}
_READ_BY_ASYNCPG = {
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslpassword", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib"),
    *("user", "password", "passfile", "application_name", "options"),
}
"""Parameters of an address that asyncpg 0.32 understands, but SQLAlchemy 2.1 does not pass to it."""
_READ_BY_SQLITE = {"uri", "timeout", "mode", "cache", "immutable", "nolock", "psow", "vfs"}


class DatabaseUrl(NamedTuple):
    """The address of a database, and arguments for its driver."""

    url: URL
    arguments: dict[str, Any]
    """Arguments of the driver's `connect`, in addition to the URL."""


def parse_database_url(text: str, variable: str) -> DatabaseUrl:
    """Parses `sqlite:`, `postgresql:` and `postgres:` addresses, with or without a driver, with libpq's parameters.

    Args:
        variable: name of the setting that holds the address.

    Raises:
        SettingsError: the address cannot be used. The message is one line that names the variable and says what to
            write. It shows no password.
    """
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):  # not chained: the message may contain the password
        encode = "; percent-encode a password, @ as %40 and / as %2F" if "@" in text else ""
        raise SettingsError(f"{variable} is not the address of a database: {FORMS}{encode}") from None
    is_file = url.get_backend_name() == "sqlite"
    if not is_file and "@" in f"{url.host}{url.database}":  # a part of the password, so do not show the address
        raise SettingsError(f"{variable} has more than one @: percent-encode a password, @ as %40 and / as %2F")
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise SettingsError(f"{variable}={redacted_url(url)} names a database that is not supported: {FORMS}")
    url = url.set(drivername=driver)
    return _sqlite(url, variable) if url.get_backend_name() == "sqlite" else _postgresql(url, variable)


def sqlite_file(url: URL) -> Path | None:
    """Returns the file of a SQLite database; None for other databases, and for an address with parameters.

    With parameters, SQLite may read the path as a URI.
    """
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") and not url.query
    return Path(url.database) if is_file and url.database else None


def redacted_url(url: URL) -> str:
    """Formats an address for a message, without the password and without parameters that may contain one."""
    kept = {name: value for name, value in url.query.items() if name in ("host", "port")}
    return url.set(query=kept).render_as_string(hide_password=True)


def _sqlite(url: URL, variable: str) -> DatabaseUrl:
    if url.host or (url.database or "").startswith("~"):
        raise SettingsError(
            f"{variable}={redacted_url(url)} names no file: write sqlite:////FOLDER/FILE, the whole path"
        )
    _check_parameters(url, _READ_BY_SQLITE, variable)
    file = url.database or ":memory:"
    if not file.startswith((":memory:", "file:")) and not Path(file).is_absolute():
        raise SettingsError(
            f"{variable}={redacted_url(url)} names another file in each folder that a command runs in: write"
            f" sqlite:///{Path(file).absolute()}"
        )
    return DatabaseUrl(url, {})


def _postgresql(url: URL, variable: str) -> DatabaseUrl:
    _check_parameters(url, _READ_BY_SQLALCHEMY | _READ_BY_ASYNCPG, variable)
    own = {name: value for name, value in url.query.items() if name in _READ_BY_ASYNCPG}
    arguments = {"dsn": f"postgresql://?{urlencode(own, doseq=True)}"} if own else {}
    return DatabaseUrl(url.difference_update_query(own), arguments)


def _check_parameters(url: URL, known: set[str], variable: str) -> None:
    if unknown := sorted(url.query.keys() - known):
        listed = ", ".join(unknown)
        raise SettingsError(
            f"{variable}={redacted_url(url)}: leave out `{listed}`, which {url.drivername} does not know"
        )
