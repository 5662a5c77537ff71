"""Formats parts of a report, and answers about it, as texts that fit into a client's limit for results."""

from __future__ import annotations

from tools.errors import BadArgument
from tools.mcp_server.arguments import Report as ReportArguments
from tools.mcp_server.limits import OPENING_BYTES
from tools.mcp_server.report_outline import find_section, outline, sections
from tools.mcp_server.report_pages import Page, opening, paginate, readable_text
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.report.report import Report
from tools.text.time_formats import to_minute


def report_text(job: Job, report: Report, wanted: ReportArguments) -> str:
    """Returns a page of a part of a report.

    Raises:
        BadArgument: there is no such section or page.
    """
    text = readable_text(report, f"research://{job.id}/")
    found = sections(text)
    match wanted.part:
        case "summary":
            label, pages = "summary", paginate(_summary(job, report, text), report.sources)
        case "outline":
            label, pages = "outline", paginate(outline(found) or "The report has no headings: read it by part=page.")
        case "page":
            label, pages = "whole report", paginate(text, report.sources)
        case "section":
            section = find_section(found, wanted.section)
            if section is None:
                raise BadArgument(
                    f"`section`: the report has no single section {wanted.section[:80]!r}; part=outline lists them"
                )
            label = f"section {section.number}"
            pages = paginate(text[section.start : section.end], report.sources)
    more = f"research_report with part={wanted.part}"
    if wanted.part == "section":
        more += f" and section={wanted.section}"
    return _page(f"{report.title} — {label}", pages, wanted.page, more)


def answer_text(job: Job, text: str, number: int) -> str:
    """Returns a page of an answer about a report.

    Raises:
        BadArgument: the answer has no such page.
    """
    answer = Report("", text, (), (), {}, "", "", "")
    pages = paginate(readable_text(answer, ""))
    return _page(f"About the report {job.id}", pages, number, "research_ask with the same question")


def _page(head: str, pages: tuple[Page, ...], number: int, more: str) -> str:
    if number > len(pages):
        raise BadArgument(f"`page` is {number}, and the last page is {len(pages)}")
    page = pages[number - 1]
    blocks = [f"{head}, page {number} of {len(pages)}", page.text]
    if page.sources:
        blocks.append("\n".join(["Sources:", *page.sources]))
    if number < len(pages):
        blocks.append(f"Next: {more} and page={number + 1}")
    return "\n\n".join(blocks)


def _summary(job: Job, report: Report, text: str) -> str:
    count = len(paginate(text, report.sources))
    early = ""
    if job.state is State.INCOMPLETE:
        early = f"\nThe server ended it early ({job.error[:500]}): it may be incomplete."
    facts = (
        f"{job.id}, by {report.agent or job.order.agent}, ordered {to_minute(job.created)}: {len(text):,} characters,"
        f" {len(sections(text))} sections, {len(report.sources)} sources.{early}"
    )
    more = f"The whole report: part=page, {count} pages. Its sections: part=outline. As a file: research://{job.id}/report.md"
    return "\n\n".join([facts, opening(text, OPENING_BYTES), more])
