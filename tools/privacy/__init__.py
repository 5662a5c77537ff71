"""Forgetting: everything of a conversation, deleted here and at the server."""

from tools.privacy.plugin import ErasurePlugin

__all__ = ["ErasurePlugin"]
