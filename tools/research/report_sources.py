"""Changes the sources of a saved report: resolves its links, adds the checks of its sources. Both can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx2

from tools.interactions.citation_marks import replace_urls
from tools.research.job_states import TERMINAL
from tools.research.ledger import Ledger
from tools.research.report.redirect_links import resolve
from tools.research.report.report import Report, from_json, to_json
from tools.research.verification.checks import Verification
from tools.research.verification.verifier import Verifier
from tools.text.time_formats import iso


async def resolve_links(
    ledger: Ledger, job_id: str, report: Report, http: httpx2.AsyncClient, clock: Callable[[], float]
) -> Report:
    """Replaces the redirect links in a report with their targets, where these are known, and saves the report.

    Checks of its sources are dropped, because the sources may get other numbers.
    """
    urls = await resolve((source.url for source in report.sources), http)
    if urls:
        text, sources = replace_urls(report.text, report.sources, urls)
        report = replace(report, text=text, sources=sources, verification=None)
        await ledger.change(job_id, TERMINAL, clock(), report=to_json(report))
    return report


async def verify_sources(
    ledger: Ledger,
    job_id: str,
    report: Report,
    verifier: Verifier,
    clock: Callable[[], float],
    say: Callable[[str], None],
) -> Report:
    """Checks the sources of a report, and saves the checks with it, unless its sources have changed meanwhile."""
    checks = await verifier.check(report, say)
    made = iso(clock())
    verified = replace(report, verification=Verification(made, checks))
    saved = await ledger.report(job_id)
    if saved and from_json(saved).sources == report.sources:
        await ledger.change(job_id, TERMINAL, clock(), report=to_json(verified))
    return verified
