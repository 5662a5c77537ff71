"""Formats the sources of a text as a list or as footnotes, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tools.interactions.citation_marks import Source, mark_of, replace_marks
from tools.text.markdown import escape, is_web, link_address


def footnotes(text: str, sources: Sequence[Source], remarks: Mapping[int, str] | None = None) -> str:
    """Replaces the marks in a text from `cite` with footnotes like `[^1]`, and adds the notes at the end.

    Unrendered text stays readable, without an address after each sentence. GitHub and Pandoc render footnotes.

    Args:
        remarks: Markdown that is added to the notes, by number of the source.
    """
    text = replace_marks(text, {mark_of(source): f"[^{source.number}]" for source in sources})
    notes = (f"[^{source.number}]: {_source_line(source, remarks)}" for source in sources)
    return "\n".join([text.rstrip(), "", *notes])


def source_list(sources: Sequence[Source], remarks: Mapping[int, str] | None = None) -> str:
    """Formats the sources as a numbered list in Markdown; `remarks` as in `footnotes`."""
    return "\n".join(f"{source.number}. {_source_line(source, remarks)}" for source in sources)


def _source_line(source: Source, remarks: Mapping[int, str] | None) -> str:
    remark = f" — {remarks[source.number]}" if remarks and source.number in remarks else ""
    if is_web(source.url):
        return f"[{escape(source.title)}]({link_address(source.url)}){remark}"
    names = dict.fromkeys(filter(None, (source.title, source.url)))
    return escape(" ".join(" — ".join(names).split())) + remark
