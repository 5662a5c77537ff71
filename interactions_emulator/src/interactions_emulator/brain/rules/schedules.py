"""Reads an order that is repeated, with times and a ceiling: “… every Monday at 9:00 for at most $15 a month”."""

from __future__ import annotations

import re
from typing import Any

from interactions_emulator.brain.rules.orders import title_of

ASK_CEILING = (
    "What may its runs cost in a calendar month at most, in US dollars? Say it with the topic, such as “research tides"
    " every Monday for at most 15 dollars a month”."
)
_EVERY = re.compile(
    r"(?i)[\s,]*\b(?:every|each) (day|weekday|week|month|quarter|(?:mon|tues|wednes|thurs|fri|satur|sun)day)s?\b"
    r"(?:,? at (\d{1,2}:\d{2})\b)?"
)
_CEILING = re.compile(
    r"(?i)[\s,;.]*\b(?:and |for |with |but )*(?:at most |up to |no more than |an? (?:monthly )?ceiling of )?"
    r"(?:\$ ?(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?) ?(?:dollars|usd|\$))(?: (?:a|per|each) month\b| monthly\b)?"
)


def is_repeated(text: str) -> bool:
    """Whether a text asks for something again and again."""
    return bool(_EVERY.search(text))


def schedule_of(brief: str) -> dict[str, Any] | str:
    """The arguments of `schedule_research` for a brief that is repeated; a question if it names no ceiling."""
    every, ceiling = _EVERY.search(brief), _CEILING.search(brief)
    if every is None or ceiling is None:
        return ASK_CEILING
    topic = _CEILING.sub("", _EVERY.sub("", brief)).strip(" ,.;")
    return {
        "title": title_of(topic),
        "brief": topic,
        "every": " ".join(filter(None, every.groups())).lower(),
        "max_usd_per_month": float(ceiling[1] or ceiling[2]),
    }
