"""The page's defences against other web pages: signatures, tokens in forms, and response headers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.board.paths import STATIC_PATH
from tools.board.timeouts import FORM_TTL_S
from tools.errors import DeskError

PRIVATE_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Headers of answers that no cache keeps, and that no browser takes for another type."""
_PAGE_HEADERS = PRIVATE_HEADERS | {
    # The page has no inline script and no inline style, so neither of them may run.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not `no-referrer`: browsers would then send `Origin: null` with the page's own forms.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


class ForeignForm(DeskError):
    """A form was not sent by a page of this server, or is too old."""


@dataclass(frozen=True)
class Signer:
    """Signs texts with a secret key."""

    key: bytes

    def sign(self, purpose: str, *parts: str) -> str:
        """Returns a signature of 43 characters that are safe in an address. It is valid for one purpose only."""
        message = "".join(f"{len(part.encode())}:{part}" for part in (purpose, *parts))
        digest = hmac.new(self.key, message.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def is_valid(self, signature: str, purpose: str, *parts: str) -> bool:
        """Whether a signature is right. Takes the same time for every wrong token."""
        return hmac.compare_digest(signature.encode(), self.sign(purpose, *parts).encode())


def form_token(signer: Signer, user: str, now: float) -> str:
    """Returns the token of a form that is shown to a user now."""
    expires = str(int(now + FORM_TTL_S))
    return f"{expires}.{signer.sign('form', user, expires)}"


def check_form(signer: Signer, user: str, now: float, token: str, headers: Mapping[str, str], own_origin: str) -> None:
    """Checks that a form was sent by a page of this server that was shown to this user not long ago.

    Args:
        own_origin: the server's own origin. `desk serve` checks the header Origin itself and removes it.

    Raises:
        ForeignForm: it was not.
    """
    if headers.get("origin", own_origin) != own_origin or headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise ForeignForm("This form was sent by a page of another address. Nothing was done.")
    expires, _, signature = token.partition(".")
    if not signer.is_valid(signature, "form", user, expires):
        raise ForeignForm("This form was not made for you by this server. Nothing was done: open the page again.")
    if now > int(expires):
        raise ForeignForm("This page was open for too long. Nothing was done: open it again and send the form again.")


@dataclass(frozen=True)
class SecurityHeaders:
    """ASGI middleware that adds the headers to all responses; a header that a response has already is kept."""

    app: ASGIApp
    headers: Mapping[str, str] = field(default_factory=lambda: _PAGE_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                if scope["path"].startswith(STATIC_PATH):
                    headers.setdefault("Cache-Control", "no-cache")
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def own_origin(scope: Scope) -> str:
    """Returns the origin of a request's own server, as a browser writes it."""
    return f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}"
