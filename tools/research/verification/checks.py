"""The results of checking a report's sources, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tools.research.verification.addresses import canonical


class Verdict(StrEnum):
    """The result of checking a passage or a source."""

    FOUND = "found"
    """The page has the passage's words and all its figures, close together, and its names and quotations."""
    MISQUOTED = "misquoted"
    """The page has the passage's words, but a figure, a name or a quotation is missing there."""
    NOT_FOUND = "not found"
    UNREACHABLE = "not reachable"
    """Of a source only: its server does not answer, or has no such page."""
    UNKNOWN = "cannot be told"


BAD = (Verdict.UNREACHABLE, Verdict.MISQUOTED, Verdict.NOT_FOUND)
"""Verdicts that need a reader's attention, worst first."""


@dataclass(frozen=True)
class PassageCheck:
    """A passage of the report, and whether its source has it."""

    text: str
    verdict: Verdict
    remark: str = ""


@dataclass(frozen=True)
class SourceCheck:
    """A source of the report, and what was found at its address."""

    number: int
    url: str
    """The address as it is cited."""
    status: int | None = None
    """The HTTP status of the last answer; None if there was none."""
    problem: str = ""
    """The reason why the page could not be read; empty if it was read."""
    dead: bool = False
    """Whether it is unreachable: no answer, an error status, too many redirects, or a private address.

    Saved reports and `desk verify --json` have this name.
    """
    title: str = ""
    final_url: str = ""
    """The address after all redirects."""
    canonical_url: str = ""
    """The normal form of the address, or of the one that the page gives as its own."""
    archived_url: str = ""
    """A copy of an unreachable page in the Internet Archive."""
    duplicate_of: int | None = None
    """Number of an earlier source that is the same page."""
    in_run: bool | None = None
    """Whether the run's own steps name the address; None if they do not name their pages."""
    passages: tuple[PassageCheck, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the passages; `UNREACHABLE` for an unreachable page."""
        found = {passage.verdict for passage in self.passages}
        if self.dead:
            return Verdict.UNREACHABLE
        return next((verdict for verdict in (*BAD, Verdict.FOUND) if verdict in found), Verdict.UNKNOWN)

    @property
    def doubtful(self) -> bool:
        """Whether something is wrong with the source."""
        return self.verdict in BAD or self.in_run is False

    @property
    def remarks(self) -> list[str]:
        """Facts that a reader should know in addition to the verdict, a phrase each."""
        told = [self.problem] if self.problem else []
        told += [f"archived at {self.archived_url}"] if self.archived_url else []
        told += ["unsupported by the run"] if self.in_run is False else []
        told += [f"same page as {self.duplicate_of}"] if self.duplicate_of else []
        if self.final_url and canonical(self.final_url) != canonical(self.url):
            told.append(f"redirected to {self.final_url}")
        if not self.problem:
            doubts = [passage for passage in self.passages if passage.verdict is not Verdict.FOUND]
            told += dict.fromkeys(passage.remark for passage in doubts if passage.remark)
            if doubts and len(self.passages) > 1:
                told.append(f"{len(self.passages) - len(doubts)} of {len(self.passages)} passages found")
            if not self.passages:
                told.append("no passage cites it")
        return told


@dataclass(frozen=True)
class Verification:
    """The checks of all sources of a report."""

    time: str
    """When they were made, in ISO 8601."""
    sources: tuple[SourceCheck, ...]

    @property
    def doubtful(self) -> bool:
        """Whether something is wrong with a source."""
        return any(source.doubtful for source in self.sources)

    @property
    def found_share(self) -> float | None:
        """Share of the cited passages that were found, without those that could not be checked; None if none is left.

        A passage whose source is unreachable counts as not found.
        """
        told = [
            not source.dead and passage.verdict is Verdict.FOUND
            for source in self.sources
            for passage in source.passages
            if source.dead or passage.verdict is not Verdict.UNKNOWN
        ]
        return sum(told) / len(told) if told else None

    @property
    def sound_share(self) -> float | None:
        """Share of the sources that answer and that the run supports, without those that could not be checked."""
        told = [
            not source.dead and source.in_run is not False
            for source in self.sources
            if source.dead or 200 <= (source.status or 0) < 300
        ]
        return sum(told) / len(told) if told else None


def verification_of(data: Mapping[str, Any]) -> Verification:
    """Reads the checks from the JSON object of `dataclasses.asdict`.

    Raises:
        KeyError, TypeError, ValueError: the object has another form.
    """
    sources = [
        SourceCheck(
            **{
                **source,
                "passages": tuple(PassageCheck(**{**p, "verdict": Verdict(p["verdict"])}) for p in source["passages"]),
            }
        )
        for source in data["sources"]
    ]
    return Verification(time=data["time"], sources=tuple(sources))
