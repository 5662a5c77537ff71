"""Deletes a conversation with all its data, here and at the server."""

from tools.privacy.plugin import ErasurePlugin

__all__ = ["ErasurePlugin"]
