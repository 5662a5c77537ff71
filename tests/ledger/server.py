"""Runs a PostgreSQL server for the tests: on a Unix socket, with its data in a temporary folder."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.event import listens_for
from sqlalchemy.ext.asyncio import AsyncEngine

PASSWORD = "told-to-nobody"
ADVICE = "apt-get install postgresql (or any PostgreSQL whose initdb and pg_ctl are on PATH)"


OF_SERVER = ("initdb", "pg_ctl")
EMPTY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
GRANT USAGE ON SCHEMA public TO PUBLIC
"""


class NoServer(Exception):
    """This machine cannot run a PostgreSQL server. The text says what to install."""


@dataclass(frozen=True)
class Server:
    """A running server; its owner is also its database user."""

    folder: Path
    programs: Path
    owner: str
    used: list[str] = field(default_factory=list)
    """Names of the databases that the current test has."""
    free: list[str] = field(default_factory=list)
    """Names of the databases that earlier tests had."""

    def create_database(self) -> str:
        """Returns the SQLAlchemy URL of an empty database, which is another one each time until `give_back`."""
        login = ("-h", str(self.folder), "-U", self.owner)
        if self.free:  # to empty a database is faster than to create one, which writes 300 files
            self.used.append(self.free.pop())
            self.run("psql", *login, "--quiet", "--command", EMPTY, self.used[-1])
        else:
            self.used.append(f"ledger_{uuid.uuid4().hex}")
            self.run("createdb", *login, self.used[-1])
        return f"postgresql+asyncpg://{self.owner}:{PASSWORD}@/{self.used[-1]}?host={self.folder}"

    def give_back(self) -> None:
        """Lets the databases be emptied and used again."""
        self.free.extend(self.used)
        self.used.clear()

    def restart(self) -> None:
        """Ends all connections, as an update of the server would."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "fast", "restart", "-l", str(self.log))

    def log_statements(self) -> None:
        """Lets the server write all statements to its log, on connections that are open too."""
        here = ("-h", str(self.folder), "-U", self.owner, "-d", "postgres")
        self.run("psql", *here, "-c", "ALTER SYSTEM SET log_statement = 'all'", "-c", "SELECT pg_reload_conf()")
        while "log_statement" not in self.log.read_text():  # it tells when it has read its settings
            time.sleep(0.05)

    def statements(self) -> Counter[str]:
        """Returns how often each kind of statement is in the log, by its first word."""
        return Counter(re.findall(r"LOG:  (?:execute [^:]*|statement): (\w+)", self.log.read_text()))

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def run(self, program: str, *arguments: str) -> None:
        """Runs a PostgreSQL program, as the owner if it is the server's, because the server refuses to run as root.

        Raises:
            RuntimeError: the program failed; the text contains its output.
        """
        other = {"user": self.owner, "group": pwd.getpwnam(self.owner).pw_gid, "extra_groups": []}
        with tempfile.TemporaryFile() as written:  # a pipe would stay open as long as the server runs
            done = subprocess.run(
                [str(self.programs / program), *arguments],
                cwd=self.folder,
                env={**os.environ, "PGPASSWORD": PASSWORD},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                **(other if os.getuid() == 0 and program in OF_SERVER else {}),  # type: ignore[call-overload]
            )
            written.seek(0)
            if done.returncode:
                log = self.log.read_text() if self.log.exists() else ""
                raise RuntimeError(f"{program} failed: {written.read().decode()}{log}")


def statements(engine: AsyncEngine) -> list[str]:
    """Returns a list to which the statements are added that are sent to PostgreSQL, on connections that open later."""
    sent = list[str]()

    @listens_for(engine.sync_engine, "connect")
    def watch(connection: Any, _: object) -> None:
        connection.driver_connection.add_query_logger(lambda record: sent.append(record.query))

    return sent


@contextmanager
def postgresql() -> Iterator[Server]:
    """Runs a server until the context ends.

    Raises:
        NoServer: this machine cannot run a PostgreSQL server.
    """
    owner = _owner()
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has 107 characters at most
    server = Server(folder, programs, owner)
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        for path in (folder, secret):
            shutil.chown(path, owner)
        data = str(folder / "data")
        server.run("initdb", "-D", data, "-U", owner, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C",
                   f"--pwfile={secret}", "--no-sync")  # fmt: skip
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        server.run("pg_ctl", "-D", data, "-w", "-l", str(server.log), "-o", settings, "start")
        try:
            yield server
        finally:
            server.run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _owner() -> str:
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise NoServer(f"PostgreSQL is not run by root, and there is no user postgres: {ADVICE}") from None


def _programs() -> Path:
    """The folder of the server's programs. Debian keeps them off PATH, in one folder per version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = debian[-1] if debian else shutil.which("initdb")
    if not found:
        raise NoServer(f"no PostgreSQL server on this machine: {ADVICE}")
    return Path(found).resolve().parent
