"""The lock of a conversation, which allows one turn at a time in it, across all replicas.

In ADK 2.13, two turns of one session can start. The turn that writes second then fails (`StaleSessionError`), and the
session keeps a part of its events. Therefore a turn holds a lock of this name in the ledger's database.
"""

from __future__ import annotations


def lock_name(user: str, session: str, app: str = "desk") -> str:
    """The lock name of a session."""
    return f"{app}/{user}/{session}"
