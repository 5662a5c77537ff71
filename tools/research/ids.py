"""The ids of jobs and schedules: random, and easy to type."""

from __future__ import annotations

import re
import secrets

_ID_CHARACTERS = "23456789abcdefghjkmnpqrstvwxyz"


def new_id(kind: str) -> str:
    """Returns a random id that is easy to type, such as `job_7q2mxk4d`."""
    return f"{kind}_{''.join(secrets.choice(_ID_CHARACTERS) for _ in range(8))}"


def id_pattern(kind: str) -> re.Pattern[str]:
    """Returns a pattern that matches an id of `new_id` in a message."""
    return re.compile(rf"(?<!\w){kind}_[{_ID_CHARACTERS}]{{8}}(?!\w)", re.IGNORECASE)


JOB_ID = id_pattern("job")
"""Matches the id of a job in a message."""
