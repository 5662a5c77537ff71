"""Reads the rules of robots.txt."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, cast
from urllib.robotparser import RobotFileParser

from tools.research.verification.limits import MAX_ROBOTS_RULES, MAX_RULE_CHARS

ROBOT = "research-desk"
"""This program's name in `robots.txt`."""
_RULE = re.compile(r"\s*(?:user-agent|allow|disallow)\s*:", re.IGNORECASE)


def robots_rules(data: bytes) -> RobotFileParser:
    """Reads `robots.txt`. The longest rule that fits decides (RFC 9309, 2.2.2); Python takes the first."""
    lines = data.decode("utf-8", "replace").splitlines()
    used = islice((line for line in lines if len(line) <= MAX_RULE_CHARS and _RULE.match(line)), MAX_ROBOTS_RULES)
    rules: Any = RobotFileParser()  # the type stubs lack its attributes
    rules.parse([*used])
    for entry in filter(None, (*rules.entries, rules.default_entry)):
        entry.rulelines.sort(key=lambda rule: (-len(rule.path), not rule.allowance))
    return cast("RobotFileParser", rules)
