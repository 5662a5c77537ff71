"""Moderation: verdicts on texts, an agent that gives them on request, and a gate that gets them for each message."""

from tools.moderation.agent import Moderator
from tools.moderation.verdict import Verdict

__all__ = ["Moderator", "Verdict"]
