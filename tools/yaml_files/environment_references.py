"""References to environment variables in YAML values, such as `${NAME}`: secrets are not in the files."""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\$\{(\w+)\}")
"""Matches a reference; its group is the name of the variable."""


def substituted(text: str, env: Mapping[str, str]) -> str:
    """Returns a text with each `${NAME}` replaced by its value in `env`.

    Raises:
        KeyError: a variable is not set.
    """
    return VARIABLE.sub(lambda found: env[found[1]], text)
