"""Forgetting a conversation, at the server and here."""

from tools.forget.plugin import Forgetter

__all__ = ["Forgetter"]
