"""Adds the secrets that all processes on this database share, such as the key that signs share links."""

from __future__ import annotations

from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Creates the table."""
    connection.exec_driver_sql("CREATE TABLE desk_secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
