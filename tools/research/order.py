"""The order of a research run: what is asked for, by whom, and which orders are equal. Limits of its texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_BRIEF_CHARS = 20_000
"""Maximum characters of a brief, a question about a report, or changes to a plan."""
MAX_TITLE_CHARS = 120
OUTSIDE_CONVERSATIONS = "command-line"
"""The session of runs that are ordered outside conversations, so that the same brief is the same job everywhere."""
LOCAL_USER = "user"
"""The user of runs that are ordered on the person's own machine, without authentication."""


@dataclass(frozen=True)
class Order:
    """An order of a research run. Equal orders share one job; a different `attempt` makes a new one."""

    brief: str
    user: str
    session: str
    agent: str
    """Name of the Deep Research agent, e.g. "deep-research-preview-04-2026"."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The API's `agent_config` without its type, e.g. {"thinking_summaries": "auto"}."""
    inputs: Sequence[Mapping[str, Any]] = ()
    """Documents and pictures sent with the brief, as API content: {"type", "mime_type", "data" or "uri"}."""
    attempt: int = 1
    server: str = ""
    """Name of the server that runs the order (`tools.interactions.backend.server_name`)."""
    base: str = ""
    """Id of the job that this order builds on; empty if there is none."""
    previous: str = ""
    """Id of the interaction to continue from, the base job's newest when the order was made; empty without a base."""
    title: str = ""
    """A short name of the run, for people; if it is empty, they see the beginning of the brief."""
    notify: Sequence[str] = ()
    """Names of the targets that get notices about the run (`notify:` in the researcher's YAML)."""
    schedule: str = ""
    """Id of the schedule that ordered the run; empty if a person ordered it."""
    due: float | None = None
    """When the run of a schedule was due, in seconds since the epoch."""

    @property
    def key(self) -> str:
        """Hash of user, conversation, brief, agent, files, base, server and attempt; the same for equal orders.

        The runs of a schedule are different orders: their schedule and due time count, too.

        White space and case of the brief do not count, nor do the title, `notify`, `options` (how the report is
        presented) and `previous` (which changes with questions about the base).
        """
        brief = " ".join(self.brief.split()).casefold()
        files = [dict(content) for content in self.inputs]
        parts = [self.user, self.session, brief, self.agent, files, self.base, self.server, self.attempt]
        parts += [self.schedule, self.due] if self.schedule else []
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
