"""Research plans: made from a model's lines, shown to the user as text, and read back from that text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from interactions_emulator.brain.model.limits import MAX_HEADING_CHARS, MAX_QUERY_CHARS, MAX_SECTIONS, MAX_TITLE_CHARS
from interactions_emulator.brain.protocol import Step
from interactions_emulator.contents import text_of
from interactions_emulator.corpus.words import clip, word_set, words

START = "Research plan: "
"""First words of a plan that is shown to the user."""
_SHOWN = re.compile(r"^\d+\. \*\*(.+?)\*\*: search for “(.+)”$", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)]|#{1,6})\s*")
_ASSENT = word_set("""
    ok okay yes go ahead start do it agreed agree approved approve looks sounds good fine great perfect please thanks
    thank you the plan with this that is now begin continue proceed ja los gut einverstanden oui d'accord bien sí vale
""")
"""Words of a reply that only agrees."""


class Section(NamedTuple):
    """A section of the report, and the query to search for."""

    heading: str
    query: str


class Plan(NamedTuple):
    """A plan of a report."""

    title: str
    sections: list[Section]

    def shown(self) -> str:
        """The plan as text for the user."""
        lines = [f"{n}. **{one.heading}**: search for “{one.query}”" for n, one in enumerate(self.sections, 1)]
        return f"{START}{self.title}\n\n" + "\n".join(lines) + "\n\nName your changes, or agree to start."


class Request(NamedTuple):
    """The request in a chain of steps to a research agent."""

    question: str
    """The question to research."""
    reply: str
    """The newest text of the user, if it answers a plan; else ""."""
    plan: Plan | None
    """The plan that the newest text answers."""
    before: str
    """The question of the earlier research in the same chain; "" if there was none."""


def request_of(steps: Iterable[Step]) -> Request:
    """Read the request of a chain."""
    question = newest = before = ""
    plan: Plan | None = None
    for step in steps:
        if step["type"] == "user_input":
            newest = text_of(step.get("content")).strip() or newest
            if plan is None:
                before, question = question, newest
        elif step["type"] == "model_output":
            plan = read_shown(text_of(step.get("content")))
    return Request(question, newest if plan else "", plan, before)


def read_shown(text: str) -> Plan | None:
    """Read a plan from its text; None for any other text."""
    if not text.startswith(START):
        return None
    title = text.partition("\n")[0].removeprefix(START)
    sections = [Section(*pair) for pair in _SHOWN.findall(text)]
    return Plan(title, sections) if sections else None


def read_lines(text: str, question: str) -> Plan | None:
    """Read a plan from lines like `heading | search query` that a model wrote; None if there is none."""
    title, sections = "", dict[str, Section]()
    for line in text.splitlines():
        plain = re.sub(r"[*_`“”\"]", "", _BULLET.sub("", line)).strip()
        if found := re.match(r"(?i)title:\s*(.+)", plain):
            title = clip(found[1], MAX_TITLE_CHARS)
            continue
        heading, bar, query = (part.strip() for part in plain.partition("|"))
        query = query.partition("|")[0].strip()
        if bar and _useful(heading, MAX_HEADING_CHARS) and _useful(query, MAX_QUERY_CHARS):
            sections.setdefault(heading.casefold(), Section(heading, query))
    found_sections = list(sections.values())[:MAX_SECTIONS]
    return Plan(title or clip(question, MAX_TITLE_CHARS), found_sections) if found_sections else None


def default_plan(question: str) -> Plan:
    """The plan for a model that cannot make one: one section about the question itself."""
    return Plan(clip(question, MAX_TITLE_CHARS), [Section("Findings", clip(question, MAX_QUERY_CHARS))])


def is_assent(text: str) -> bool:
    """Whether a reply to a plan only agrees."""
    return set(words(text)) <= _ASSENT


def _useful(text: str, limit: int) -> bool:
    return len(text) <= limit and any(map(str.isalpha, text))
