"""The public keys of an issuer of tokens (JWKS), fetched on demand and kept for a while."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt

from tools.errors import DeskError
from tools.server.timeouts import KEY_TTL_S, KEYS_FAILURE_TTL_S, KEYS_INTERVAL_S, KEYS_TIMEOUT_S

FETCH_ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, jwt.PyJWTError, ValueError, LookupError, TypeError, RecursionError)
"""Exceptions of a fetch of keys: the server does not answer, or its answer has no keys."""


class JwksUnavailable(DeskError):
    """The issuer's keys cannot be fetched now."""


@dataclass
class JwksCache:
    """The public keys of an issuer, fetched on demand and kept for `KEY_TTL_S` seconds."""

    url: str
    """Address of the JWKS, or of a discovery document, which ends with `/openid-configuration`."""
    new_client: Callable[[], httpx2.AsyncClient] = lambda: httpx2.AsyncClient(timeout=KEYS_TIMEOUT_S)
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched: float | None = None
    _failed: float | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Returns the key with an id, or None. For an unknown id, fetches the keys again, since the key may be new.

        Raises:
            JwksUnavailable: the keys have to be fetched, and the fetch fails.
        """
        if self._is_due(key_id):
            async with self._lock:
                now = self.clock()
                if self._failed is not None and now - self._failed < KEYS_FAILURE_TTL_S:
                    raise JwksUnavailable(self.url)
                if self._is_due(key_id):
                    try:
                        self._keys = await self._fetch()
                    except FETCH_ERRORS:
                        self._failed = self.clock()
                        raise JwksUnavailable(self.url) from None
                    self._fetched = now
        return self._keys.get(key_id)

    def _is_due(self, key_id: str) -> bool:
        """Whether the keys have to be fetched before a key is looked up."""
        age = math.inf if self._fetched is None else self.clock() - self._fetched
        return age >= (KEY_TTL_S if key_id in self._keys else KEYS_INTERVAL_S)

    async def _fetch(self) -> dict[str, jwt.PyJWK]:
        async with self.new_client() as client:
            url = self.url
            if url.endswith("/openid-configuration"):
                url = str((await _json(client, url))["jwks_uri"])
            found = jwt.PyJWKSet.from_dict(await _json(client, url))
        return {str(key.key_id): key for key in found.keys}


async def _json(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    answer = await client.get(url)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found
