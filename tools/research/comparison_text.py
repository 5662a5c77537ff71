"""Writes a comparison of two reports as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tools.interactions.citation_marks import Source
from tools.research.comparison import Change, Comparison, Statement
from tools.text.markdown import escape, link_address


def to_markdown(found: Comparison, *, reworded: bool = False) -> str:
    """Formats a comparison.

    Args:
        reworded: whether to list the statements that are only worded differently, too.
    """
    parts = [
        _part("Changed", map(_change, found.changed)),
        _part("New", map(_statement, found.new)),
        _part("Gone", map(_statement, found.gone)),
        _part("New sources", _sources(found.new_sources)),
        _part("Sources that are gone", _sources(found.gone_sources)),
        _part("Reworded", map(_change, found.reworded) if reworded else ()),
    ]
    start = "Nothing has changed." if found.empty else ""
    return "\n\n".join(filter(None, [start, *parts, _rest(found)]))


def _part(heading: str, items: Iterable[str]) -> str:
    lines = [f"- {item}" for item in items]
    return "\n".join([f"## {heading} ({len(lines)})", "", *lines]) if lines else ""


def _change(change: Change) -> str:
    return f"before: {_statement(change.before)}\n  - now: {_statement(change.after)}"


def _statement(statement: Statement) -> str:
    cited = "; ".join(escape(source.title) for source in statement.sources)
    return f"{escape(statement.text)}{f' ({cited})' if cited else ''}"


def _sources(sources: Sequence[Source]) -> list[str]:
    return [f"[{escape(s.title)}]({link_address(s.url)})" if s.url else escape(s.title) for s in sources]


def _rest(found: Comparison) -> str:
    """Says how many statements are the same in both reports."""
    return f"{found.unchanged} statements are unchanged, and {len(found.reworded)} only worded differently."
