"""Registered webhooks: the endpoints that get a message when an interaction ends.

POST, GET          /{version}/webhooks
GET, PATCH, DELETE /{version}/webhooks/{id}
POST               /{version}/webhooks/{id}:ping                 sends a message now
POST               /{version}/webhooks/{id}:rotateSigningSecret  adds a secret; old secrets sign too for a day
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.events import timestamp
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.errors import Refused
from interactions_emulator.extras import missing_extra
from interactions_emulator.ids import webhook_id
from interactions_emulator.loopback import is_loopback

EVENT_TYPES = (
    "interaction.completed",
    "interaction.failed",
    "interaction.requires_action",
    "batch.succeeded",
    "batch.expired",
    "batch.failed",
    "video.generated",
)
"""Events that the API accepts in a subscription. This server sends only the first three."""
STATES = ("enabled", "disabled", "disabled_due_to_failed_deliveries")
REVOCATIONS = ("revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately")
SECRET_OVERLAP_S = 86_400.0
"""Virtual seconds that an old secret still signs after a new one was made."""
Secret = tuple[str, float | None]
"""A secret and when it expires, in virtual seconds since 1970; None: never."""


@dataclass
class Webhook:
    """One endpoint. Times are virtual seconds since 1970."""

    id: str
    uri: str
    subscribed_events: list[str]
    create_time: float
    update_time: float
    name: str = ""
    state: str = "enabled"
    secrets: list[Secret] = field(default_factory=list)
    """The signing secrets, newest first."""

    def resource(self) -> dict[str, Any]:
        """Return the resource as the API shows it, with only the beginnings of its secrets."""
        shown = asdict(self)
        shown |= {"create_time": timestamp(self.create_time), "update_time": timestamp(self.update_time)}
        shown["signing_secrets"] = [
            {"truncated_secret": f"{secret[:10]}..."} | ({"expire_time": timestamp(end)} if end else {})
            for secret, end in shown.pop("secrets")
        ]
        return shown


class Webhooks:
    """The registered webhooks. Their hosts must be this machine or in `hosts`. Methods raise `Refused` (400, 404).

    Raises `Refused` (400) if one of `hosts` is an address.
    """

    def __init__(self, journal: Journal, clock: Clock, hosts: frozenset[str] = frozenset()) -> None:
        self._journal = journal
        self._clock = clock
        for host in hosts:
            if "/" in host or ":" in host or not host.strip():
                raise Refused(400, f"the webhook host {host!r} is not a host: give only its name, such as example.org")
        self._hosts = hosts
        self._all = {key: Webhook(**value) for key, value in journal.read("webhook")}

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        now = self._clock.now()
        webhook = Webhook(webhook_id(), "", [], now, now)
        self._update_fields(webhook, {"uri": None, "subscribed_events": None} | body)
        secret = self._add_secret(webhook, [])
        return webhook.resource() | {"new_signing_secret": secret}

    def show(self) -> dict[str, Any]:
        return {"webhooks": [webhook.resource() for webhook in self._all.values()]}

    def find(self, webhook_id: str) -> Webhook:
        if webhook_id not in self._all:
            raise Refused(404, f"Webhook {webhook_id} was not found: it never existed or was deleted.")
        return self._all[webhook_id]

    def update(self, webhook_id: str, body: dict[str, Any]) -> dict[str, Any]:
        webhook = self.find(webhook_id)
        self._update_fields(webhook, body)
        self._save(webhook)
        return webhook.resource()

    def delete(self, webhook_id: str) -> dict[str, Any]:
        self.find(webhook_id)
        del self._all[webhook_id]
        self._journal.write(("webhook", webhook_id, None))
        return {}

    def rotate(self, webhook_id: str, body: dict[str, Any]) -> dict[str, Any]:
        webhook = self.find(webhook_id)
        behavior = body.get("revocation_behavior", REVOCATIONS[0])
        if behavior not in REVOCATIONS:
            raise Refused(400, f"revocation_behavior is one of {', '.join(REVOCATIONS)}, not {behavior!r}")
        end = self._clock.now() + SECRET_OVERLAP_S
        old: list[Secret] = [(secret, until or end) for secret, until in webhook.secrets]
        return {"secret": self._add_secret(webhook, old if behavior == REVOCATIONS[0] else [])}

    def disable(self, webhook_id: str) -> None:
        """Disable a webhook whose delivery failed."""
        if webhook_id in self._all:
            self._all[webhook_id].state = STATES[2]
            self._save(self._all[webhook_id])

    def subscribers(self, event: str) -> list[Webhook]:
        """Return the enabled webhooks that subscribe to an event."""
        return [one for one in self._all.values() if one.state == "enabled" and event in one.subscribed_events]

    def secrets(self, webhook_id: str) -> list[str]:
        """Return the unexpired secrets, newest first; none if the webhook was deleted."""
        webhook = self._all.get(webhook_id)
        now = self._clock.now()
        return [secret for secret, end in webhook.secrets if end is None or end > now] if webhook else []

    def check_uri(self, uri: Any) -> str:
        """Return `uri` if it is allowed: http(s) on this machine or one of `hosts`. Raises `Refused` (400)."""
        if missing := missing_extra("webhooks"):
            raise Refused(400, missing)
        try:
            parts = urlsplit(uri if isinstance(uri, str) else "")
            host = parts.hostname or ""
        except ValueError:
            raise Refused(400, f"uri {uri!r} is not an address") from None
        if parts.scheme not in ("http", "https") or not host:
            raise Refused(400, f"uri {uri!r} is not an address: send one such as http://127.0.0.1:8080/hook")
        if host not in self._hosts and not is_loopback(host):
            raise Refused(
                400, f"uri {uri!r} is not on this machine: start the emulator with --webhook-host {host} to allow it"
            )
        return str(uri)

    def _update_fields(self, webhook: Webhook, body: dict[str, Any]) -> None:
        """Change the fields that a body has. If one of them is invalid, change nothing."""
        name, state = body.get("name", webhook.name), body.get("state", webhook.state)
        events = body.get("subscribed_events", webhook.subscribed_events)
        uri = self.check_uri(body["uri"]) if "uri" in body else webhook.uri
        if not isinstance(name, str):
            raise Refused(400, f"name is a string, not {name!r}")
        if state not in STATES:
            raise Refused(400, f"state is one of {', '.join(STATES)}, not {state!r}")
        if not isinstance(events, list) or not events or not all(event in EVENT_TYPES for event in events):
            raise Refused(400, f"subscribed_events is a list of some of {', '.join(EVENT_TYPES)}, not {events!r}")
        webhook.name, webhook.state, webhook.subscribed_events, webhook.uri = name, state, events, uri

    def _add_secret(self, webhook: Webhook, old: list[Secret]) -> str:
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        webhook.secrets = [(secret, None), *old]
        self._save(webhook)
        return secret

    def _save(self, webhook: Webhook) -> None:
        webhook.update_time = self._clock.now()
        self._all[webhook.id] = webhook
        self._journal.write(("webhook", webhook.id, webhook))
