"""The API key of a request: where it stands, and which keys are accepted."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping

from interactions_emulator.errors import Refused


def read_key(header: Callable[[bytes], str], query: Callable[[], Mapping[str, str]]) -> str:
    """Return the API key or bearer token of a request, "" if there is none: a header or the parameter `key` has it."""
    key = header(b"x-goog-api-key").strip()
    if key:
        return key
    scheme, _, token = header(b"authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else query().get("key", "")


def check_key(key: str, token: str) -> None:
    """Raise `Refused` (401) unless the key is `token`; if `token` is empty, any key is accepted."""
    if not key:
        raise Refused(
            401, "No API key: send the header x-goog-api-key (any value) or Authorization: Bearer <any value>."
        )
    if token and not hmac.compare_digest(key.encode(), token.encode()):
        raise Refused(401, "This is not the token that the emulator was started with: send that as the API key.")
