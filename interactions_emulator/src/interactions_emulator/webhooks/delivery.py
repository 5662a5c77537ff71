"""Delivers messages in the Standard Webhooks format: `webhook-id`, `webhook-timestamp`, `webhook-signature`.

A message to a registered webhook is signed with its secrets (`v1,…`, which the package `standardwebhooks` checks).
The addresses in a request's own `webhook_config.uris` replace the registered ones and have no secret: their signature
is a JWT (RS256) whose key is at `/.well-known/jwks.json` of this server; see `SigningKey` for its claims.

An endpoint that does not answer with a 2xx within 10 s gets the message again, for about 24 hours of virtual time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isinf
from typing import Any

from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.events import timestamp
from interactions_emulator.engine.interaction import Interaction
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.ids import message_id
from interactions_emulator.webhooks.registry import EVENT_TYPES, Webhooks
from interactions_emulator.webhooks.signatures import SigningKey, sign_with_secrets

RETRY_DELAYS_S = (5.0, 60.0, 300.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 28_800.0)
"""Virtual seconds before each further attempt."""
DELIVERY_TIMEOUT_S = 10.0
"""Real seconds until an attempt times out."""
MAX_ATTEMPTS_LOGGED = 10_000
"""Maximum number of attempts kept for `/_emulator/deliveries`."""


@dataclass
class Delivery:
    """A message not yet delivered. `webhook` is the id of a registered webhook, None for an address from a request."""

    id: str
    uri: str
    webhook: str | None
    body: str
    due: float
    attempt: int = 1


class Deliveries:
    """Sends messages and logs each attempt."""

    def __init__(self, journal: Journal, clock: Clock, webhooks: Webhooks) -> None:
        self.attempts: deque[dict[str, Any]] = deque(maxlen=MAX_ATTEMPTS_LOGGED)
        """Oldest first: {time, id, uri, type, attempt, status}; status None: no answer."""
        self._journal = journal
        self._clock = clock
        self._webhooks = webhooks
        self._signing_key = SigningKey(journal)
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Continue the deliveries that were unfinished when the last server with this state file ended."""
        for _, record in list(self._journal.read("delivery")):
            self._begin(Delivery(**record))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._signing_key.stop(), return_exceptions=True)

    def deliver(self, interaction: Interaction) -> None:
        """Send a message about an ended interaction to the request's own addresses or the subscribed webhooks."""
        if "model" not in interaction.echoed and "agent" not in interaction.echoed:  # a generateContent
            return
        config = interaction.echoed.get("webhook_config") or {}
        event = f"interaction.{interaction.status}"
        if event not in EVENT_TYPES:
            return
        data, metadata = {"id": interaction.id}, config.get("user_metadata")
        for uri in config.get("uris") or ():
            self._send(uri, None, event, data, metadata)
        if not config.get("uris"):
            for webhook in self._webhooks.subscribers(event):
                self._send(webhook.uri, webhook.id, event, data, metadata)

    def ping(self, webhook_id: str) -> dict[str, Any]:
        """Send a message to one webhook. Raises `Refused` (404)."""
        self._send(self._webhooks.find(webhook_id).uri, webhook_id, "webhook.ping", {"id": webhook_id}, None)
        return {}

    async def keys(self) -> dict[str, Any]:
        """Return the JSON Web Key Set for verifying the JWTs."""
        return await self._signing_key.jwks()

    def _send(self, uri: str, webhook: str | None, event: str, data: dict[str, str], metadata: Any) -> None:
        now = self._clock.now()
        message = {"type": event, "version": "v1", "timestamp": timestamp(now), "data": data}
        body = json.dumps(message | ({"user_metadata": metadata} if metadata else {}), ensure_ascii=False)
        self._begin(Delivery(message_id(), uri, webhook, body, now))

    def _begin(self, delivery: Delivery) -> None:
        self._journal.write(("delivery", delivery.id, delivery))
        task = asyncio.create_task(self._deliver_with_retries(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_with_retries(self, delivery: Delivery) -> None:
        while True:
            if not isinf(self._clock.speed):  # with infinite speed, waiting would advance all runs by a day
                await self._clock.until(delivery.due)
            status = await self._attempt(delivery)
            arrived = status is not None and 200 <= status < 300
            if arrived or delivery.attempt > len(RETRY_DELAYS_S):
                break
            delivery.due += RETRY_DELAYS_S[delivery.attempt - 1]
            delivery.attempt += 1
            self._journal.write(("delivery", delivery.id, delivery))
        self._journal.write(("delivery", delivery.id, None))
        if not arrived and delivery.webhook:
            self._webhooks.disable(delivery.webhook)

    async def _attempt(self, delivery: Delivery) -> int | None:
        """Send a message once. Return the status of the answer, None if there is no answer."""
        import httpx2

        status = None
        sent = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": await self._signature(delivery, sent),
        }
        try:
            async with httpx2.AsyncClient(timeout=DELIVERY_TIMEOUT_S, trust_env=False) as client:
                status = (await client.post(delivery.uri, content=delivery.body.encode(), headers=headers)).status_code
        except (httpx2.HTTPError, httpx2.InvalidURL):
            pass
        kind = json.loads(delivery.body)["type"]
        attempt = {"id": delivery.id, "uri": delivery.uri, "type": kind, "attempt": delivery.attempt, "status": status}
        self.attempts.append({"time": time.time()} | attempt)
        return status

    async def _signature(self, delivery: Delivery, sent: datetime) -> str:
        """Return the signature, made with the real time `sent`, since receivers compare it with their clock."""
        if delivery.webhook:
            valid = self._webhooks.secrets(delivery.webhook)
            return sign_with_secrets(valid, delivery.id, sent, delivery.body)
        return await self._signing_key.sign(delivery.id, sent, delivery.body)
