"""How many events a turn reads, and what stays in memory or unwritten."""

from __future__ import annotations

WINDOW_EVENTS = 60
"""Number of newest events that a turn reads."""
WINDOW_CHARS = 8_000_000
"""Characters of the JSON of a window's events. The event that reaches this number is the window's oldest one."""
WRITE_AFTER_S = 5.0
"""Maximum seconds for which an event stays unwritten."""
KEPT_SESSIONS = 100
"""Maximum number of conversations whose newest events stay in memory; the least recent are dropped first."""
KEPT_CHARS = 200_000
"""Maximum characters of the JSON of a conversation's newest events that stay in memory."""
