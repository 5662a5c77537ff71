"""Forgetting: everything of a conversation, deleted here and at the server."""

from tools.privacy.plugin import Forgetter

__all__ = ["Forgetter"]
