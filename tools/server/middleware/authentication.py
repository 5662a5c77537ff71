"""Authenticates requests with an OIDC ID token or an IAP assertion, the only sources of a user's id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import jwt

from tools.errors import DeskError
from tools.interactions.backend import is_loopback
from tools.research.order import LOCAL_USER
from tools.server.jwks_cache import JwksCache
from tools.server.limits import MAX_NAME_CHARS
from tools.server.settings import ServerSettings
from tools.settings import SettingsError
from tools.text.unsafe_characters import sanitize

IAP_KEYS_URL = "https://www.gstatic.com/iap/verify/public_key-jwk"
IAP_ISSUER = "https://cloud.google.com/iap"
"""IAP's JWKS and its issuer name (cloud.google.com/iap/docs/signed-headers-howto)."""
_NOT_LOCAL = f"%{ord(LOCAL_USER[0]):X}{LOCAL_USER[1:]}"
"""The id of an account whose subject is `LOCAL_USER`: a spelling that no other subject has."""


class Unauthorized(DeskError):
    """The request has no valid token, or its user is not allowed. The text is for the client."""


class Authenticator(Protocol):
    """Authenticates a request."""

    async def __call__(self, headers: Mapping[str, str]) -> str:
        """Returns the user's id, from a request's headers with names in lower case.

        Raises:
            Unauthorized: there is no valid token, or its user is not allowed.
            JwksUnavailable: no token can be verified now.
        """


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


def build_authenticator(server: ServerSettings, host: str) -> Authenticator | None:
    """Returns the authenticator for an OIDC issuer or Identity-Aware Proxy.

    Returns None if neither is set and the server listens on loopback.

    Raises:
        SettingsError: neither is set and the server does not listen on loopback, both are set, or the OIDC audience is
            missing.
    """
    if server.iap_audience and (server.oidc_issuer or server.oidc_audience):
        raise SettingsError(
            "DESK_IAP_AUDIENCE and DESK_OIDC_… cannot be set together: keep those of the service that you use"
        )
    if server.iap_audience:
        return iap(server.iap_audience, server.emails)
    if server.oidc_issuer:
        if not server.oidc_audience:
            raise SettingsError("DESK_OIDC_AUDIENCE is missing: the client id that tokens are for")
        return oidc(server.oidc_issuer, server.oidc_audience, server.emails)
    if server.oidc_audience or server.emails:
        name = "DESK_OIDC_AUDIENCE" if server.oidc_audience else "DESK_ALLOWED_EMAILS"
        raise SettingsError(f"{name} has no effect without DESK_OIDC_ISSUER: set the issuer of the ID tokens too")
    if not is_loopback(f"http://{f'[{host}]' if ':' in host else host}"):
        raise SettingsError(
            f"{host} can be reached by others, and there is no authentication: set DESK_OIDC_ISSUER and"
            " DESK_OIDC_AUDIENCE, or DESK_IAP_AUDIENCE behind Identity-Aware Proxy, or listen at 127.0.0.1"
        )
    return None
