"""Moderation: verdicts on texts, the agent that gives them when asked, and the gate that asks by itself."""

from tools.moderation.agent import Moderator
from tools.moderation.verdict import Verdict

__all__ = ["Moderator", "Verdict"]
