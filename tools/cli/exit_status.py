"""The exit statuses of all commands."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of the commands. `desk help exit-codes` explains them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """The command line is wrong, or names something unusable, such as an unreadable file."""
    FLAGGED = 3
    """`desk moderate --fail-on` found such a text, or `desk verify` found something wrong with a source."""
    INTERRUPTED = 130
    """Ctrl-C."""
