"""One request to the API, for the code that carries it out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from interactions_emulator.engine.request_log import fingerprint
from interactions_emulator.errors import Refused
from interactions_emulator.http.api_keys import read_key
from interactions_emulator.http.connection import Exchange
from interactions_emulator.loopback import is_loopback


class Call:
    """A request. `ids` are the ids in its path."""

    def __init__(self, exchange: Exchange, ids: tuple[str, ...], kind: str) -> None:
        self._exchange = exchange
        self.ids = ids
        self.kind = kind
        """The kind of request, as the log and the faults name it."""
        self.interaction_id: str | None = None
        """Id of the interaction, None until it is known or if the request is not about one."""
        self.warnings: tuple[str, ...] = ()
        """Warnings about parts of this request that the real service might refuse."""
        self.key = read_key(self.header, self.query)
        """API key or bearer token, "" if there is none."""

    @property
    def id(self) -> str:
        """The last id in the path; "" if the path has no id."""
        return self.ids[-1] if self.ids else ""

    @property
    def base_url(self) -> str:
        """The server's address, as the client names it."""
        return f"http://{self.header(b'host')}"

    @property
    def path(self) -> str:
        return self._exchange.path

    @property
    def is_local(self) -> bool:
        """Whether the client runs on this machine."""
        return is_loopback(self._exchange.client)

    def header(self, name: bytes) -> str:
        """Return the header of this lower-case name, "" if there is none."""
        value = self._exchange.headers.get(name)
        return value.decode("latin-1") if value else ""

    def query(self) -> dict[str, str]:
        """Return the query parameters. A repeated parameter has its last value."""
        return dict(parse_qsl(self._exchange.query.decode("latin-1"), keep_blank_values=True))

    def body(self, max_bytes: int) -> bytes:
        """Return the body. Raises `Refused` (413) if it is longer than `max_bytes`."""
        if self._exchange.too_large:
            raise Refused(413, f"the body is larger than {max_bytes} bytes")
        return self._exchange.body

    def log_entry(self, status: int | None) -> dict[str, Any]:
        """Return the log entry; `status` None means that no answer was sent."""
        entry: dict[str, Any] = {
            "method": self._exchange.method,
            "path": self._exchange.path,
            "status": status,
            "interaction_id": self.interaction_id,
            "kind": self.kind,
            "key": fingerprint(self.key) if self.key else None,
            "connection": self._exchange.connection,
        }
        if self.warnings:
            entry["warnings"] = list(self.warnings)
        return entry
