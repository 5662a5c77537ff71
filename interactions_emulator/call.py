"""One request to the API, as far as the operations care."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from interactions_emulator.errors import Refused
from interactions_emulator.log import fingerprint
from interactions_emulator.streams import CONNECTION


class Call:
    """A request. `id` is the one in its path, "" if there is none."""

    def __init__(self, scope: Scope, receive: Receive, id_: str) -> None:
        self._scope = scope
        self._receive = receive
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self.id = id_
        self.kind = ""
        """What the log and the faults call it."""
        self.interaction_id = id_ or None
        """The interaction that it is about, as soon as that is known."""
        self.key = self._key()
        """API key or bearer token, "" if there is none."""

    def header(self, name: bytes) -> str:
        """Return a header, named in lower case, "" if there is none."""
        return self._headers.get(name, b"").decode("latin-1")

    def query(self) -> dict[str, str]:
        """Return the parameters; of one that is given twice the last."""
        return dict(parse_qsl(self._scope["query_string"].decode("latin-1"), keep_blank_values=True))

    async def body(self, most: int) -> bytes:
        """Return the body. Raises `Refused` (413) if it is longer than `most` bytes."""
        parts, size, more = [], 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(part)
            if size > most:
                raise Refused(413, f"the body is larger than {most} bytes")
            parts.append(part)
        return b"".join(parts)

    def line(self, status: int | None) -> dict[str, str | int | None]:
        """Return what the log keeps; `status` None says that no answer was given."""
        return {
            "method": self._scope["method"],
            "path": self._scope["path"],
            "status": status,
            "interaction_id": self.interaction_id,
            "kind": self.kind,
            "key": fingerprint(self.key) if self.key else None,
            "connection": self._scope.get(CONNECTION),
        }

    def _key(self) -> str:
        key = self.header(b"x-goog-api-key").strip()
        if key:
            return key
        scheme, _, token = self.header(b"authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
