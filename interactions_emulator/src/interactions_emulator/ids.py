"""The form of ids. Those that say `emu` show that an answer is not Gemini's."""

from __future__ import annotations

import re
import secrets


def interaction_id() -> str:
    """Return a new id of an interaction."""
    return f"v1_emu_{secrets.token_hex(12)}"


def webhook_id() -> str:
    """Return a new id of a registered webhook."""
    return f"wh_emu_{secrets.token_hex(8)}"


def message_id() -> str:
    """Return a new id of a message to a webhook."""
    return f"msg_emu_{secrets.token_hex(12)}"


def new_id() -> str:
    """Return a new id: 12 lower-case letters and digits, since SDKs look for these in addresses of files."""
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(secrets.choice(alphabet) for _ in range(12))


def readable_id(name: str) -> str:
    """Return a new id that begins with the words of a name, if it has any."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24].strip("-")
    return f"{readable}-{new_id()}" if readable else new_id()
