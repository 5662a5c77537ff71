"""Verifies the signatures of webhook messages: of the registered webhook, and of a request's own webhook.

Both have the headers of Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`. The signature of a
registered webhook is an HMAC over id, time and body. The signature of a request's own webhook is a JWT (RS256) whose
key is in Google's JWKS. Its claims are not documented: those that the emulator sends (`jti`, the message's id, and
`sha256`, of its body) are a proposal, and each is checked if it is there. Without `sha256`, the signature says nothing
about the body; a message is only a hint in any case (`tools.research.incoming_webhooks`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jwt
from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from tools.server.jwks_cache import JwksCache
from tools.server.timeouts import SIGNATURE_TOLERANCE_S
from tools.settings import SettingsError


@dataclass(frozen=True)
class WebhookSignatures:
    """Verifies messages.

    Args:
        secrets: signing secrets of the registered webhook; several during a rotation.
        keys: the keys of the webhooks that requests name; None: messages of such webhooks are refused.

    Raises:
        SettingsError: a secret is malformed.
    """

    secrets: Sequence[str]
    keys: JwksCache | None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        for number, secret in enumerate(self.secrets, 1):
            try:
                if not secret.startswith("whsec_"):
                    raise ValueError("no prefix")
                Webhook(secret)
            except (EmptyWebhookSecretError, ValueError):
                raise SettingsError(
                    f"DESK_WEBHOOK_SECRETS: number {number} is not a signing secret: write it as given, whsec_…"
                ) from None

    async def verify(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a message has a valid signature. Names of headers are in lower case.

        Raises:
            JwksUnavailable: the keys cannot be fetched now.
        """
        if any(_signed(secret, body, dict(headers)) for secret in self.secrets):
            return True
        return self.keys is not None and await self._signed_by_key(self.keys, headers, body)

    async def _signed_by_key(self, keys: JwksCache, headers: Mapping[str, str], body: bytes) -> bool:
        token, message_id = headers.get("webhook-signature", ""), headers.get("webhook-id", "")
        try:
            if not message_id or not self._is_recent(float(headers["webhook-timestamp"])):
                return False
            key = await keys.find(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                return False
            claims = jwt.decode(
                token, key, algorithms=["RS256"], options={"verify_aud": False}, leeway=SIGNATURE_TOLERANCE_S
            )
            digest = hashlib.sha256(body).hexdigest()
            return (
                self._is_recent(float(claims.get("iat", self.clock())))
                and claims.get("jti", message_id) == message_id
                and claims.get("sha256", digest) == digest
            )
        except (jwt.PyJWTError, ArithmeticError, LookupError, TypeError, ValueError):
            return False

    def _is_recent(self, seconds: float) -> bool:
        return abs(self.clock() - seconds) <= SIGNATURE_TOLERANCE_S


def _signed(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True
