"""Checks the sources of a report: fetches their pages and compares them with the passages that cite them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2

from tools.research.report.languages import language_of
from tools.research.report.redirect_links import is_redirect
from tools.research.report.report import Report
from tools.research.report.source_copies import copy_documents, emulator_documents
from tools.research.verification.addresses import canonical
from tools.research.verification.checks import PassageCheck, SourceCheck, Verdict
from tools.research.verification.fetching import Fetched, Fetcher
from tools.research.verification.internet_archive import ARCHIVE_URL, archived_copy
from tools.research.verification.limits import MAX_SHOWN_CHARS, FetchLimits
from tools.research.verification.matching import Page
from tools.research.verification.page_text import NoText, page_text
from tools.research.verification.passages import cited_passages
from tools.text.markdown import is_web
from tools.web_addresses.parsing import split_address
from tools.web_addresses.public_address import is_public
from tools.web_addresses.public_http import public_client

_THREADS = ThreadPoolExecutor(2, "check source")
"""Two threads compare pages with passages: a hostile page takes seconds of CPU time, and a PDF starts a process."""
_NO_SUCH_PAGE = re.compile(
    r"^\W*(?:error )?404\b|\b404 (?:error|not found)|\bpage (?:was |could |can)? ?(?:not be |not )found"
    r"|seite (?:wurde )?nicht gefunden|page introuvable|página no encontrada|ページが見つかりません|页面不存在",
    re.IGNORECASE,
)
"""Matches titles of pages that say that there is no such page, with a status of success."""


@dataclass(frozen=True)
class Verifier:
    """Checks the sources of reports.

    Args:
        emulator_url: returns the address of the emulator in use, whose documents are read from it; empty: none is.
        archive_url: returns the address of the API that finds archived pages; empty: it is not asked.
        client: makes the HTTP client for requests to pages.
    """

    emulator_url: Callable[[], str] = str
    archive_url: Callable[[], str] = lambda: ARCHIVE_URL
    limits: FetchLimits = field(default_factory=FetchLimits)
    client: Callable[[], httpx2.AsyncClient] = public_client

    async def check(self, report: Report, say: Callable[[str], None] = lambda line: None) -> tuple[SourceCheck, ...]:
        """Checks all sources of a report. Takes at most `limits.total_s` seconds, and little more for parsing.

        Args:
            say: called with lines of progress.
        """
        checks, language = await asyncio.to_thread(_unchecked, report)
        cited = emulator_documents(source.url for source in report.sources)
        emulator_url = await asyncio.to_thread(self.emulator_url) if cited else ""
        documents = await copy_documents(cited, emulator_url) if emulator_url else {}
        async with self.client() as http:
            fetcher = Fetcher(http, self.limits)

            async def check(source: SourceCheck) -> None:
                if source.url in cited:
                    fetched = _document(source.url, documents, emulator_url)
                else:
                    fetched = await fetcher.fetch(source.url)
                checked = await asyncio.get_running_loop().run_in_executor(
                    _THREADS, _checked, source, fetched, language
                )
                checks[source.number] = checked
                say(f"checked source {source.number} of {len(checks)}: {checked.verdict}")
                url, askable = fetched.url, checked.dead and not fetched.hide_from_archive
                if askable and is_public(url) and not is_redirect(url):
                    found = await archived_copy(fetcher, self.archive_url(), url)
                    checks[source.number] = replace(checked, archived_url=found)

            await _finish([check(source) for source in checks.values() if is_web(source.url)], self.limits.total_s)
        return _compared(checks.values(), report.run_pages)


def _unchecked(report: Report) -> tuple[dict[int, SourceCheck], str]:
    """The sources with the passages that cite them, none of them checked, and the report's language."""
    passages: dict[int, dict[str, PassageCheck]] = {source.number: {} for source in report.sources}
    for passage in cited_passages(report.text, report.sources):
        passages[passage.number][passage.text] = PassageCheck(passage.text, Verdict.UNKNOWN)
    checks = {
        source.number: SourceCheck(
            source.number,
            source.url,
            problem="not checked in time" if is_web(source.url) else "it has no web address",
            canonical_url=canonical(source.url),
            passages=tuple(passages[source.number].values()),
        )
        for source in report.sources
    }
    return checks, language_of(report.text)


def _document(url: str, documents: Mapping[str, bytes], emulator_url: str) -> Fetched:
    if url in documents:
        return Fetched(url, 200, "text/html", documents[url])
    if emulator_url:
        return Fetched(url, 404, problem="the emulator no longer has it", unreachable=True, hide_from_archive=True)
    return Fetched(url, problem="a document of the emulator, which is not in use")


def _checked(source: SourceCheck, fetched: Fetched, language: str) -> SourceCheck:
    """Compares a page with the passages that cite it."""
    source = replace(
        source,
        status=fetched.status,
        problem=fetched.problem,
        dead=fetched.unreachable,
        final_url=fetched.url,
        canonical_url=canonical(fetched.url),
    )
    if fetched.problem:
        return source
    try:
        found = page_text(fetched.data, fetched.content_type, fetched.url)
    except NoText as error:
        return replace(source, problem=str(error))
    page = Page(found.text, fetched.truncated, fetched.url)
    source = replace(
        source,
        title=found.title,
        canonical_url=canonical(found.canonical if _same_site(found.canonical, fetched.url) else fetched.url),
        passages=tuple(page.check(passage.text, language) for passage in source.passages),
    )
    if source.verdict is not Verdict.FOUND and _NO_SUCH_PAGE.search(found.title):
        return replace(source, problem="its title says that there is no such page", dead=True)
    return source


def _same_site(own: str, url: str) -> bool:
    """Whether the canonical address of a page is on its own site: some pages name another site, or "/"."""
    try:
        named, asked = split_address(own), split_address(url)
    except ValueError:
        return False
    hosts = {(parts.hostname or "").removeprefix("www.") for parts in (named, asked)}
    return len(hosts) == 1 and (named.path.strip("/") != "" or asked.path.strip("/") == "")


def _compared(checks: Iterable[SourceCheck], run_pages: Collection[str] | None) -> tuple[SourceCheck, ...]:
    """Finds the sources that are the same page, and the sources that the run's steps do not name."""
    first: dict[str, int] = {}
    found = list[SourceCheck]()
    for check in checks:
        if is_web(check.url):
            number = first.setdefault(check.canonical_url, check.number)
            named = {canonical(check.url), canonical(check.final_url), check.canonical_url}
            in_run = None if run_pages is None else not named.isdisjoint(run_pages)
            check = replace(check, duplicate_of=number if number != check.number else None, in_run=in_run)
        shown = (replace(passage, text=passage.text[:MAX_SHOWN_CHARS]) for passage in check.passages)
        found.append(replace(check, passages=tuple(shown)))
    return tuple(found)


async def _finish(work: Iterable[Coroutine[Any, Any, None]], seconds: float) -> None:
    """Runs coroutines at the same time, and cancels all that are not done in time."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
