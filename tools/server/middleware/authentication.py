"""Authenticates requests with an OIDC ID token or an IAP assertion, the only sources of a user's id."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import httpx2
import jwt

from tools.errors import DeskError
from tools.research.order import LOCAL_USER
from tools.server.limits import MAX_NAME_CHARS
from tools.server.timeouts import KEY_TTL_S, KEYS_FAILURE_TTL_S, KEYS_INTERVAL_S, KEYS_TIMEOUT_S
from tools.text.unsafe_characters import sanitize

IAP_KEYS_URL = "https://www.gstatic.com/iap/verify/public_key-jwk"
IAP_ISSUER = "https://cloud.google.com/iap"
"""IAP's JWKS and its issuer name (cloud.google.com/iap/docs/signed-headers-howto)."""
FETCH_ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, jwt.PyJWTError, ValueError, LookupError, TypeError, RecursionError)
"""Exceptions of a fetch of keys: the server does not answer, or its answer has no keys."""
_NOT_LOCAL = f"%{ord(LOCAL_USER[0]):X}{LOCAL_USER[1:]}"
"""The id of an account whose subject is `LOCAL_USER`: a spelling that no other subject has."""


class Unauthorized(DeskError):
    """The request has no valid token, or its user is not allowed. The text is for the client."""


class JwksUnavailable(DeskError):
    """The issuer's keys cannot be fetched now."""


class Authenticator(Protocol):
    """Authenticates a request."""

    async def __call__(self, headers: Mapping[str, str]) -> str:
        """Returns the user's id, from a request's headers with names in lower case.

        Raises:
            Unauthorized: there is no valid token, or its user is not allowed.
            JwksUnavailable: no token can be verified now.
        """


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


@dataclass(frozen=True)
class TokenVerifier:
    """Verifies the signed tokens of one issuer."""

    issuer: str
    audience: str
    keys: JwksCache
    header: str = "authorization"
    algorithms: Sequence[str] = ("RS256", "ES256")
    emails: Sequence[str] = ()
    """Allowed addresses, and domains like "@example.com"; empty: every user of the issuer."""

    async def __call__(self, headers: Mapping[str, str]) -> str:
        """Returns the token's subject, quoted so that it is one segment of a path: `repo:a/b` becomes `repo:a%2Fb`."""
        token = headers.get(self.header, "")
        if self.header == "authorization":
            scheme, _, token = token.partition(" ")
            if scheme.lower() != "bearer":
                token = ""
        if not token.strip():
            raise Unauthorized("an ID token is needed: send `Authorization: Bearer …`")
        claims = await self._claims(token.strip())
        email = str(claims.get("email", "")).lower()
        # IAP verifies addresses itself: `email_verified` may be missing
        known = "@" in email and claims.get("email_verified", self.header != "authorization") is True
        if self.emails and not (known and (email in self.emails or f"@{email.rpartition('@')[2]}" in self.emails)):
            raise Unauthorized("this account has no access")
        subject = str(claims["sub"])
        user = quote(sanitize(subject), safe="@:|+=,! ")
        if sanitize(subject) != subject or not user.strip(" ") or len(user) > MAX_NAME_CHARS:
            raise Unauthorized("the token's subject is empty, is too long for a user id, or is not a string")
        return _NOT_LOCAL if user == LOCAL_USER else user

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
        except jwt.PyJWTError as error:  # not chained, and sanitized: the text may quote the token
            raise Unauthorized(f"the token cannot be used: {sanitize(str(error))}") from None
        return claims


def oidc(issuer: str, audience: str, emails: Sequence[str] = ()) -> TokenVerifier:
    """Returns the verifier of an OpenID Connect provider's ID tokens."""
    keys = JwksCache(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    return TokenVerifier(issuer, audience, keys, emails=emails)


def iap(audience: str, emails: Sequence[str] = (), keys: str = IAP_KEYS_URL) -> TokenVerifier:
    """Returns the verifier of the assertions that Identity-Aware Proxy adds to requests."""
    return TokenVerifier(IAP_ISSUER, audience, JwksCache(keys), "x-goog-iap-jwt-assertion", ("ES256",), emails)


async def _json(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    answer = await client.get(url)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found
