"""The queue of renderings: each reader's reports are rendered one after another, and few for all readers together."""

from __future__ import annotations

from tools.load_control.user_queues import FairUserThreads
from tools.research.report.render_limits import MAX_PROCESSES

RENDERINGS = FairUserThreads(MAX_PROCESSES, "render")
"""Its readers are users, or all the people together who have share links of one user."""
