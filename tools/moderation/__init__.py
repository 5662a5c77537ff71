"""Moderation: an agent that judges a text on request, and a gate that judges every message."""

from tools.moderation.agent import Moderator
from tools.moderation.verdict import Verdict

__all__ = ["Moderator", "Verdict"]
