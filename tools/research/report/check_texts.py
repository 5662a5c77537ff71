"""Formats the checks of a report's sources as Markdown: a remark beside each source, and a table."""

from __future__ import annotations

from collections.abc import Mapping

from tools.research.verification.checks import SourceCheck, Verdict, Verification
from tools.text.markdown import escape, link_address

SYMBOLS: Mapping[Verdict, str] = {
    Verdict.FOUND: "✓",
    Verdict.MISQUOTED: "!",
    Verdict.NOT_FOUND: "✗",
    Verdict.UNREACHABLE: "†",
    Verdict.UNKNOWN: "?",
}


def source_remarks(verification: Verification | None) -> dict[int, str]:
    """Maps the number of each checked source to a remark in Markdown, like "✓ found"."""
    return {check.number: _remark(check) for check in verification.sources} if verification else {}


def checks_table(verification: Verification) -> str:
    """Formats the checks as a heading, a sentence and a table in Markdown."""
    rows = [
        f"| {check.number} | {SYMBOLS[check.verdict]} {check.verdict} | {'; '.join(map(escape, check.remarks))} |"
        for check in verification.sources
    ]
    told = "" if any(check.in_run is not None for check in verification.sources) else f" {NOT_NAMED}"
    said = f"Checked at {verification.time}, by comparing words and figures; no model was asked.{told}"
    return "\n".join(
        ["## Checks of the sources", "", said, "", "| source | cited passages | remarks |", "|---|---|---|", *rows]
    )


NOT_NAMED = "The run does not name the pages that it found, so it is not known whether a cited page is among them."


def _remark(check: SourceCheck) -> str:
    told = [f"{SYMBOLS[check.verdict]} {check.verdict}"]
    told += [f"[archived copy]({link_address(check.archived_url)})"] if check.archived_url else []
    told += ["unsupported by the run"] if check.in_run is False else []
    return ", ".join(told)
