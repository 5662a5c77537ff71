"""How long an evaluation waits for runs and for the emulator, in seconds."""

from __future__ import annotations

SHORT_WATCH_SECONDS = 0.2
"""Seconds that a turn watches a run that should still be running when the next turn comes."""
FULL_WATCH_SECONDS = 3_900
"""Seconds that a turn watches any other run, which should then have finished. The longest run takes 60 minutes."""
SEND_POLL_SECONDS = 1.0
"""Seconds that the runner watches an unsent order before it checks again whether any order is unsent."""
EMULATOR_TIMEOUT_SECONDS = 60.0
"""Timeout of a request to the emulator."""
