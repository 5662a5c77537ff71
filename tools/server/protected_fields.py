"""What clients may not write: state of all users, data that the desk trusts, and calls of tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.adk.errors.input_validation_error import InputValidationError
from google.adk.sessions import State

from tools.moderation.gate import DECISION_KEY
from tools.privacy.interaction_deletion import REFUSED_KEY
from tools.privacy.plugin import FORGOTTEN_KEY
from tools.researcher.confirmation import AWAITS_INPUT_KEY, SHOWN_WHOLE_KEY
from tools.server.limits import MAX_STATE_BYTES
from tools.server.middleware.idempotency import DIGEST_KEY, MESSAGE_KEY

PROTECTED_STATE = frozenset({REFUSED_KEY})
"""Names of session state that the desk trusts; only its agents may write it."""
PROTECTED_METADATA = frozenset(
    {MESSAGE_KEY, DIGEST_KEY, FORGOTTEN_KEY, DECISION_KEY, AWAITS_INPUT_KEY, SHOWN_WHOLE_KEY}
)
"""Keys of event metadata that the desk trusts; clients may not write them."""
FUNCTION_PARTS_REFUSED = (
    "a message has text and files: leave out functionCall and functionResponse, because only agents call tools"
)
"""Error for a client that sends a call or a result of a tool, with which ADK would continue an earlier turn."""
_FUNCTION_PARTS = ("functionCall", "function_call", "functionResponse", "function_response")


def has_function_parts(message: Any) -> bool:
    """Whether the JSON of a message has a call or a result of a tool."""
    parts = message.get("parts") if isinstance(message, dict) else None
    return isinstance(parts, list) and any(
        isinstance(part, dict) and part.get(name) is not None for part in parts for name in _FUNCTION_PARTS
    )


def without_protected(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """A client's metadata without the keys in `PROTECTED_METADATA`; ADK removes its own keys in the same way."""
    return {name: value for name, value in (metadata or {}).items() if name not in PROTECTED_METADATA}


def check_state(state: Mapping[str, Any], of_client: bool) -> None:
    """Refuses state that ADK shares between all users, and state in `PROTECTED_STATE` that a client writes."""
    for name in state:
        if name.startswith(State.APP_PREFIX):
            raise InputValidationError(f"`{name}` would be state of all users: use another name")
        if of_client and name.rpartition(":")[2] in PROTECTED_STATE:
            raise InputValidationError(f"`{name}` may be written by the application only: leave it out")


def check_state_size(state: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
    """Refuses a change by which a state becomes larger than the limit, or grows beyond it."""
    after = len(json.dumps({**state, **delta}, default=str))
    if after > MAX_STATE_BYTES and after > len(json.dumps({**state}, default=str)):
        raise InputValidationError(
            f"the state of a conversation, with that of its user, may have at most {MAX_STATE_BYTES:,} bytes of JSON:"
            " save large data as a file"
        )
