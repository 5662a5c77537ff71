"""Answers a repeated message from stored events, found by the `Idempotency-Key` in their metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.adk.events import Event
from google.adk.runners import Runner

from tools.adk.chain_plugin import without_rewound
from tools.server.error_handlers import KeyReused

MESSAGE_KEY = "desk_message"
"""Name of the idempotency key in the `custom_metadata` of every event of the turn."""
DIGEST_KEY = "desk_message_digest"
"""Name of the message's hash in `custom_metadata`: it shows whether a key is used again for another message."""


@dataclass(frozen=True)
class IdempotencyStore:
    """Finds the events of turns that were answered before.

    Args:
        may_have: returns whether a conversation (application, user, session) may have events with a key. If it has
            none, its events are not read: a conversation may have hundreds of megabytes.
    """

    runner: Runner
    may_have: Callable[[str, str, str, str], Awaitable[bool]]

    async def replay(self, user: str, session_id: str, key: str, digest: str = "") -> list[dict[str, Any]] | None:
        """Returns the events of the message's earlier turn, in the format of ADK's API; None if it was not answered.

        Rewinds an unfinished turn, e.g. of a replica that died, before it returns None.

        Raises:
            KeyReused: the key belongs to a message with another digest.
        """
        runner = self.runner
        if not await self.may_have(runner.app_name, user, session_id, key):
            return None
        session = await runner.session_service.get_session(
            app_name=runner.app_name, user_id=user, session_id=session_id
        )
        known = without_rewound(session.events if session else [])
        events = [event for event in known if (event.custom_metadata or {}).get(MESSAGE_KEY) == key]
        if not events:
            return None
        if (events[0].custom_metadata or {}).get(DIGEST_KEY, digest) != digest:
            raise KeyReused(key)
        newest = events[-1].invocation_id
        if _is_end(events[-1]):
            return [
                event.model_dump(mode="json", exclude_none=True, by_alias=True)
                for event in events
                if event.author != "user" and event.invocation_id == newest
            ]
        if newest == next(event.invocation_id for event in reversed(known) if event.author == "user"):
            await runner.rewind_async(user_id=user, session_id=session_id, rewind_before_invocation_id=newest)
        return None  # a rewind would also take back the turns after it


def _is_end(event: Event) -> bool:
    """Whether an event ends its turn. A tool's result never ends a turn, even if ADK calls it final."""
    final = event.is_final_response() and not event.get_function_responses()
    return event.author != "user" and final and not event.error_code


def message_digest(data: Mapping[str, Any]) -> str:
    """Returns a hash of a turn's message; it shows whether an idempotency key is used again for another message."""
    message = [data.get(name) for name in ("new_message", "newMessage", "state_delta", "stateDelta")]
    return hashlib.sha256(json.dumps(message, sort_keys=True).encode()).hexdigest()[:32]
