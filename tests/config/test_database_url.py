"""The address of a database is taken as people write it, or refused in a line that says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tools.databases.database_url import parse_database_url, redacted_url
from tools.server.sessions import new_sessions
from tools.server.settings import ServerSettings, sessions_url
from tools.settings import Settings, SettingsError

PG = "postgresql+asyncpg://ada:secret@db:5433/desk"


@pytest.mark.parametrize(
    ("text", "url", "dsn"),
    [
        ("sqlite:////srv/ledger.db", "sqlite+aiosqlite:////srv/ledger.db", None),
        ("sqlite+pysqlite:////srv/ledger.db", "sqlite+aiosqlite:////srv/ledger.db", None),
        ("sqlite+aiosqlite:////srv/ledger.db?timeout=5", "sqlite+aiosqlite:////srv/ledger.db?timeout=5", None),
        ("postgresql://ada:secret@db:5433/desk", PG, None),
        ("postgres://ada:secret@db:5433/desk", PG, None),
        (" postgresql+psycopg2://ada:secret@db:5433/desk\n", PG, None),
        ("postgresql+psycopg://ada:secret@db:5433/desk", PG, None),
        (PG, PG, None),
        (f"{PG}?ssl=require", f"{PG}?ssl=require", None),
        (f"{PG}?sslmode=require", PG, "postgresql://?sslmode=require"),
        (
            f"{PG}?sslmode=verify-full&sslrootcert=/etc/root.crt&application_name=desk",
            PG,
            "postgresql://?sslmode=verify-full&sslrootcert=%2Fetc%2Froot.crt&application_name=desk",
        ),
        ("postgresql:///desk?host=/cloudsql/a:b:c", "postgresql+asyncpg:///desk?host=%2Fcloudsql%2Fa%3Ab%3Ac", None),
        (
            "postgresql://db/desk?user=ada&password=s",
            "postgresql+asyncpg://db/desk",
            "postgresql://?user=ada&password=s",
        ),
        ("postgresql://ada:p%40s%2Fs@db/desk", "postgresql+asyncpg://ada:p%40s%2Fs@db/desk", None),
    ],
)
def test_common_spellings_of_database_urls_are_accepted(text: str, url: str, dsn: str | None) -> None:
    found = parse_database_url(text, "DESK_DATABASE_URL")
    assert found.url.render_as_string(hide_password=False) == url
    assert found.arguments == ({"dsn": dsn} if dsn else {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/srv/ledger.db", "not the address of a database: write sqlite:////FOLDER/FILE"),
        ("ledger.db", "not the address of a database"),
        ("ada:secret@db/desk", "not the address of a database"),
        ("postgresql://ada:secret@db:port/desk", "not the address of a database"),
        ("jdbc:postgresql://db/desk?password=secret", "not the address of a database"),
        ("mysql://ada:secret@db/desk", "mysql://ada:***@db/desk names a database that is not supported: write sqlite"),
        ("postgresql://ada:a@secret@db/desk", "more than one @: percent-encode a password, @ as %40"),
        ("postgresql://ada:a@sec/secret@db/desk", "more than one @: percent-encode a password, @ as %40 and / as %2F"),
        ("sqlite://ledger.db", "names no file: write sqlite:////FOLDER/FILE"),
        ("sqlite:///~/ledger.db", "names no file: write sqlite:////FOLDER/FILE"),
        (
            "sqlite:///ledger.db",
            f"in each folder that a command runs in: write sqlite:///{Path('ledger.db').absolute()}",
        ),
        ("sqlite:///data/x.db?timeout=5", "in each folder that a command runs in: write sqlite:////"),
        ("sqlite:ledger.db", "not the address of a database: write sqlite:////FOLDER/FILE"),
        ("ftp://ada:secret@db/desk", "ftp://ada:***@db/desk names a database that is not supported: write sqlite"),
        ("sqlite:////srv/ledger.db?sslmode=require", "leave out `sslmode`, which sqlite+aiosqlite does not know"),
        (
            f"{PG}?channel_binding=secret&connect_timeout=5",
            "leave out `channel_binding, connect_timeout`, which postgres",
        ),
    ],
)
def test_an_invalid_database_url_is_refused_in_one_line_without_its_password(text: str, words: str) -> None:
    for variable in ("DESK_DATABASE_URL", "DESK_SESSIONS_URL"):
        with pytest.raises(SettingsError) as refusal:
            parse_database_url(text, variable)
        said = str(refusal.value)
        assert said.startswith(variable)
        assert words in said
        assert "secret" not in said
        assert len(said.splitlines()) == 1


@given(st.text(max_size=20), st.sampled_from(["", "sqlite://", "postgres://", "postgresql://u:", "sqlite:///"]))
@example("[", "postgres://")
def test_any_text_is_accepted_as_a_database_url_or_refused(text: str, begin: str) -> None:
    try:
        found = parse_database_url(begin + text, "DESK_DATABASE_URL")
    except SettingsError as error:
        assert str(error).startswith("DESK_DATABASE_URL")
    else:
        assert "+" in redacted_url(found.url)


@pytest.mark.parametrize("secret", ["postgresql://ada:secret@db/desk", "postgresql://db/desk?password=secret"])
def test_a_database_url_is_shown_without_its_password(secret: str) -> None:
    assert "secret" not in redacted_url(parse_database_url(f"{secret}", "DESK_DATABASE_URL").url)


def test_conversations_are_stored_beside_the_ledger_by_default(tmp_path: Path) -> None:
    nowhere = ServerSettings()
    for text in ("postgres://ada@db/desk", "postgresql+psycopg2://ada@db/desk?sslmode=require"):
        assert sessions_url(nowhere, text, tmp_path) == parse_database_url(text, "DESK_DATABASE_URL")
    beside = sessions_url(nowhere, "sqlite:////srv/ledger.db", tmp_path / "100%?")
    assert beside is not None
    assert beside.url.database == str(tmp_path / "100%?" / "sessions.db")
    assert sessions_url(ServerSettings(sessions_url="memory://"), "sqlite:////srv/ledger.db", tmp_path) is None


@pytest.mark.parametrize("text", ["sqlite:///{}/own.db", "sqlite+pysqlite:///{}/own.db"])
async def test_conversations_are_stored_in_the_configured_sqlite_file(text: str, tmp_path: Path) -> None:
    url = text.format(tmp_path)
    sessions = new_sessions(ServerSettings(sessions_url=url), Settings(data_dir=tmp_path / "data"))
    await sessions.create_session(app_name="desk", user_id="ada", session_id="s")
    assert await sessions.get_session(app_name="desk", user_id="ada", session_id="s")
    assert (tmp_path / "own.db").is_file()


async def test_tls_parameters_reach_the_driver_of_the_session_database(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg")
    url = f"postgres://ada:secret@127.0.0.1:1/desk?sslmode=verify-full&sslrootcert={tmp_path}/root.crt"
    sessions = new_sessions(ServerSettings(sessions_url=url), Settings(data_dir=tmp_path))
    with pytest.raises(FileNotFoundError):  # of the certificate, before anything is connected
        await sessions.get_session(app_name="desk", user_id="ada", session_id="s")


def test_an_invalid_sessions_url_is_refused_with_its_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DESK_SESSIONS_URL is not the address of a database"):
        new_sessions(ServerSettings(sessions_url="conversations"), Settings(data_dir=tmp_path))
