"""Who asks: an OIDC ID token, or the assertion of Identity-Aware Proxy. A user's id comes from nowhere else."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import httpx
import jwt

from tools.errors import DeskError
from tools.sanitize import sanitize

IAP_KEYS = "https://www.gstatic.com/iap/verify/public_key-jwk"
IAP_ISSUER = "https://cloud.google.com/iap"
"""Where IAP's keys are and how it calls itself (cloud.google.com/iap/docs/signed-headers-howto)."""
REFRESH = 60.0
"""Seconds between two looks at an issuer's keys, whatever unknown keys tokens name."""
LIFETIME = 3600.0
"""Seconds for which fetched keys are used: so long is a withdrawn one accepted."""
RETRY = 1.0
"""Seconds after a look that failed: who waited for it is not made to wait for another."""
LONGEST = 128
"""Characters of a user's id, as ADK keeps it (`sessions/schemas/shared.py`)."""


class Unauthorized(DeskError):
    """The request does not say who asks, or somebody who may not come in. The text is for the one who asks."""


class JwksUnavailable(DeskError):
    """The issuer's keys cannot be had now."""


class Identify(Protocol):
    """Tells who asks."""

    async def __call__(self, headers: Mapping[str, str]) -> str:
        """The user's id, from a request's headers with names in lower case.

        Raises:
            Refused: nobody who may come in.
            Unreachable: nobody can be told from anybody.
        """


@dataclass
class JwksCache:
    """The public keys of an issuer, fetched when they are needed and kept for `LIFETIME`."""

    url: str
    """Of the JSON Web Key Set; of a discovery document if it ends with `/openid-configuration`."""
    new_client: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(timeout=10)
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched: float | None = None
    _failed: float | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """A key; an unknown one may be new.

        Raises:
            Unreachable: the keys have to be fetched, and cannot be.
        """
        if self._is_due(key_id):
            async with self._lock:
                now = self.clock()
                if self._failed is not None and now - self._failed < RETRY:
                    raise JwksUnavailable(self.url)
                if self._is_due(key_id):
                    try:
                        self._keys = await self._fetch()
                    except (httpx.HTTPError, httpx.InvalidURL, jwt.PyJWTError, ValueError, LookupError, TypeError):
                        self._failed = self.clock()
                        raise JwksUnavailable(self.url) from None
                    self._fetched = now
        return self._keys.get(key_id)

    def _is_due(self, key_id: str) -> bool:
        """Whether the keys have to be fetched before it is known whether this one exists."""
        age = math.inf if self._fetched is None else self.clock() - self._fetched
        return age >= (LIFETIME if key_id in self._keys else REFRESH)

    async def _fetch(self) -> dict[str, jwt.PyJWK]:
        async with self.new_client() as client:
            url = self.url
            if url.endswith("/openid-configuration"):
                url = str((await _json(client, url))["jwks_uri"])
            found = jwt.PyJWKSet.from_dict(await _json(client, url))
        return {str(key.key_id): key for key in found.keys}


@dataclass(frozen=True)
class TokenVerifier:
    """Takes the signed tokens of one issuer."""

    issuer: str
    audience: str
    keys: JwksCache
    header: str = "authorization"
    algorithms: Sequence[str] = ("RS256", "ES256")
    emails: Sequence[str] = ()
    """Addresses and domains like "@example.com" that may come in; none: every user of the issuer."""

    async def __call__(self, headers: Mapping[str, str]) -> str:
        """The token's subject, so that it is one part of a path: `repo:a/b` is `repo:a%2Fb`."""
        token = headers.get(self.header, "")
        if self.header == "authorization":
            scheme, _, token = token.partition(" ")
            if scheme.lower() != "bearer":
                token = ""
        if not token.strip():
            raise Unauthorized("an ID token is needed: send `Authorization: Bearer …`")
        claims = await self._claims(token.strip())
        email = str(claims.get("email", "")).lower()
        # IAP vouches for the address by itself
        known = "@" in email and claims.get("email_verified", self.header != "authorization") is True
        if self.emails and not (known and (email in self.emails or f"@{email.rpartition('@')[2]}" in self.emails)):
            raise Unauthorized("this account may not come in")
        subject = str(claims["sub"])
        user = quote(sanitize(subject), safe="@:|+=,! ")
        if sanitize(subject) != subject or not user.strip(" ") or len(user) > LONGEST:
            raise Unauthorized("the token's subject is empty, too long for a user's id, or no text")
        return user

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            key = await self.keys.find(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise Unauthorized("the token is signed with a key that its issuer does not have")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(self.algorithms),
                audience=self.audience,
                issuer=self.issuer,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired") from None
        except jwt.PyJWTError as error:  # whose words may quote the token
            raise Unauthorized(f"the token cannot be used: {sanitize(str(error))}") from None
        return claims


def oidc(issuer: str, audience: str, emails: Sequence[str] = ()) -> TokenVerifier:
    """ID tokens of an OpenID Connect provider."""
    keys = JwksCache(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    return TokenVerifier(issuer, audience, keys, emails=emails)


def iap(audience: str, emails: Sequence[str] = (), keys: str = IAP_KEYS) -> TokenVerifier:
    """What Identity-Aware Proxy asserts about the requests that it lets through."""
    return TokenVerifier(IAP_ISSUER, audience, JwksCache(keys), "x-goog-iap-jwt-assertion", ("ES256",), emails)


async def _json(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    answer = await client.get(url)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
