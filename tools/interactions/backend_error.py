"""The error of a server that cannot be used."""

from __future__ import annotations

from tools.errors import DeskError


class BackendError(DeskError):
    """No server can be used with the current settings. The message says what to set."""
