"""Receives signed webhook messages about the end of an interaction, and ignores repeats where it can."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text
from starlette.requests import Request
from starlette.responses import Response

from tools.databases.shielded import shielded
from tools.errors import DeskError
from tools.interactions.resources import MAX_ID_CHARS
from tools.research.database import Database
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.factory import research
from tools.research.notices.delivery import deliver_remaining
from tools.server.error_handlers import error_response, json_error
from tools.server.jwks_cache import JwksUnavailable
from tools.server.limits import MAX_MESSAGE_ID_CHARS, MAX_MESSAGE_IDS
from tools.server.timeouts import MESSAGE_ID_TTL_S, MIN_DELIVERY_S, WEBHOOK_ANSWER_S
from tools.server.webhook_signatures import WebhookSignatures
from tools.text.unsafe_characters import sanitize_json
from tools.web_addresses.credentials import without_credentials

log = logging.getLogger(__name__)


_LATER = {"Retry-After": "5"}


async def handle_and_notify(interaction_id: str, job_id: str) -> str:
    """Handles a message with this process's service, then sends the notices that are due.

    Notices are sent before the answer, because a platform may give the process no time after it.
    See `IncomingWebhooks.handle`.
    """
    end = asyncio.get_running_loop().time() + WEBHOOK_ANSWER_S
    words = await research().webhooks.handle(interaction_id, job_id)
    await deliver_remaining(max(MIN_DELIVERY_S, end - asyncio.get_running_loop().time()))
    return words


@dataclass(frozen=True)
class WebhookReceiver:
    """The webhook endpoint.

    Args:
        handle: called with the ids of the interaction and the job that a message names (the job's is empty if the
            message names none); returns what was done, in words. See `handle_and_notify` and `IncomingWebhooks.handle`.
    """

    signatures: WebhookSignatures
    database: Database
    handle: Callable[[str, str], Awaitable[str]]
    clock: Callable[[], float] = time.time

    async def receive(self, request: Request) -> Response:
        """Answers a message: 204 if it needs no further delivery, 503 if the API has to deliver it again."""
        body = await request.body()
        try:
            if not await self.signatures.verify(request.headers, body):
                return json_error(401, "the signature is not right")
        except JwksUnavailable as error:
            log.warning("a webhook cannot be verified: the keys at %s cannot be read", without_credentials(str(error)))
            return json_error(503, "the keys of the signature cannot be read now", _LATER)
        try:
            message = sanitize_json(json.loads(body))
            kind, interaction_id = str(message["type"]), str(message["data"]["id"])
            job_id = str((message.get("user_metadata") or {}).get("job", ""))
            message_id = request.headers["webhook-id"]
            if len(message_id) > MAX_MESSAGE_ID_CHARS:
                raise ValueError("a signature without claims is valid for any id, also for a very long one")
            if not f"{kind}{interaction_id}".isprintable() or len(interaction_id) > MAX_ID_CHARS:
                raise ValueError("no id of the API")  # it would be logged, and become part of an address
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return json_error(400, "not a message of the Interactions API")
        try:
            if kind.startswith("interaction.") and not await self._known(message_id):
                log.info("%s of %s: %s", kind, interaction_id, await self.handle(interaction_id, job_id))
                await self._remember(message_id, interaction_id)
        except DATABASE_ERRORS as error:
            return error_response(error)
        except DeskError as error:  # of the API, or of a job that was deleted meanwhile or cannot be read
            log.warning("%s of %s has to be delivered again: %s", kind, interaction_id, error)
            return json_error(503, "the message cannot be handled now", _LATER)
        return Response(status_code=204)

    @shielded
    async def _known(self, message_id: str) -> bool:
        query, values = text("SELECT 1 FROM desk_hints WHERE id = :id"), {"id": message_id}
        return await self.database.read(lambda connection: connection.execute(query, values).first()) is not None

    @shielded
    async def _remember(self, message_id: str, interaction_id: str) -> None:
        """Keeps the id of a message about a job's interaction. Others are repeated at no cost, so nothing is kept."""
        now, values = self.clock(), {"interaction": interaction_id}

        def work(connection: Connection) -> None:
            query = text("SELECT 1 FROM research_jobs WHERE interaction_id = :interaction")
            if connection.execute(query, values).first() is None:
                return
            connection.execute(text("DELETE FROM desk_hints WHERE received < :old"), {"old": now - MESSAGE_ID_TTL_S})
            if connection.execute(text("SELECT count(*) FROM desk_hints")).scalar_one() >= MAX_MESSAGE_IDS:
                return
            connection.execute(
                text("INSERT INTO desk_hints (id, received) VALUES (:id, :now) ON CONFLICT (id) DO NOTHING"),
                {"id": message_id, "now": now},
            )

        await self.database.write(work)
