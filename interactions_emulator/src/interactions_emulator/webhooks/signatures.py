"""Signs messages: with the secrets of a registered webhook, or with this server's key. Needs the extra `webhooks`."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from interactions_emulator.engine.state_store import Journal


def sign_with_secrets(secrets: Iterable[str], message_id: str, sent: datetime, body: str) -> str:
    """Return the signatures of Standard Webhooks, one for each secret of a registered webhook."""
    from standardwebhooks import Webhook

    return " ".join(Webhook(secret).sign(message_id, sent, body) for secret in secrets)


class SigningKey:
    """An RSA key for the webhooks that requests name, made when it is first needed.

    It is in the state file, so that a restart does not change it.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._making: asyncio.Task[Any] | None = None

    async def sign(self, message_id: str, sent: datetime, body: str) -> str:
        """Return the JWT of a message. Its claims are a guess, because the real service's claims are not documented.

        `jti` is the message's id, `iat` the time of the attempt, `sha256` the hash of the body (hexadecimal digits).
        """
        import jwt

        key = await self._key()
        claims = {"jti": message_id, "iat": sent, "sha256": hashlib.sha256(body.encode()).hexdigest()}
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": _public(key)["kid"]})

    async def jwks(self) -> dict[str, Any]:
        """Return the JSON Web Key Set for verifying the JWTs."""
        return {"keys": [_public(await self._key())]}

    async def stop(self) -> None:
        if self._making:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)

    async def _key(self) -> Any:
        self._making = self._making or asyncio.create_task(self._load_or_make())
        return await asyncio.shield(self._making)

    async def _load_or_make(self) -> Any:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        for _, text in self._journal.read("signing_key"):
            return serialization.load_pem_private_key(text.encode(), None)
        key = await asyncio.to_thread(rsa.generate_private_key, public_exponent=65537, key_size=2048)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self._journal.write(("signing_key", "webhooks", key.private_bytes(*form).decode()))
        return key


def _public(key: Any) -> dict[str, Any]:
    """Return the public key as a JSON Web Key, with an id of its own, so that receivers notice another key."""
    import jwt

    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return public | {"kid": hashlib.sha256(public["n"].encode()).hexdigest()[:16], "alg": "RS256", "use": "sig"}
