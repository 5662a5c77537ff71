"""Receives signed webhooks about the end of an interaction. They are hints only: the state is read from the API."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tools.research.database import DATABASE_ERRORS, Database
from tools.sanitize import sanitize_json
from tools.server.error_handlers import error_response
from tools.settings import SettingsError
from tools.shielded import shielded

log = logging.getLogger(__name__)

MESSAGE_ID_TTL_S = 2 * 86_400.0
"""Seconds for which a webhook's id is kept, to ignore repeats; the API repeats a webhook for up to a day."""


@dataclass(frozen=True)
class WebhookReceiver:
    """The webhook endpoint.

    Args:
        secrets: signing secrets of the registered webhook; several during a rotation.
        resume: called with the id of the interaction; returns whether there was anything to do.

    Raises:
        SettingsError: a secret is malformed.
    """

    secrets: Sequence[str]
    database: Database
    resume: Callable[[str], Awaitable[bool]]
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

    async def receive(self, request: Request) -> Response:
        """Answers a webhook: 204 if it was accepted, so that the API does not send it again."""
        body = await request.body()
        if not any(_signed(secret, body, dict(request.headers)) for secret in self.secrets):
            return JSONResponse({"detail": "the signature is not right"}, 401)
        try:
            message = sanitize_json(json.loads(body))
            kind, interaction_id = str(message["type"]), str(message["data"]["id"])
            message_id = request.headers["webhook-id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return JSONResponse({"detail": "not a message of the Interactions API"}, 400)
        try:
            if kind.startswith("interaction.") and not await self._known(message_id):
                resumed = await self.resume(interaction_id)
                log.info("%s of %s: %s", kind, interaction_id, "taken up" if resumed else "nothing to do")
                await self._remember(message_id)
        except DATABASE_ERRORS as error:
            return error_response(error)  # the API sends it again after a 503
        return Response(status_code=204)

    @shielded
    async def _known(self, message_id: str) -> bool:
        async with self.database.begin() as connection:
            found = await connection.execute(text("SELECT 1 FROM desk_hints WHERE id = :id"), {"id": message_id})
            return found.first() is not None

    @shielded
    async def _remember(self, message_id: str) -> None:
        now = self.clock()
        async with self.database.write() as connection:
            await connection.execute(
                text("DELETE FROM desk_hints WHERE received < :old"), {"old": now - MESSAGE_ID_TTL_S}
            )
            await connection.execute(
                text("INSERT INTO desk_hints (id, received) VALUES (:id, :now) ON CONFLICT (id) DO NOTHING"),
                {"id": message_id, "now": now},
            )


def _signed(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True
