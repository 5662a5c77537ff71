"""Writes a research report: Markdown in which every sentence of the body is a quotation with its citation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.answer import Draft
from interactions_emulator.brain.rules.brief import Aspect, Brief
from interactions_emulator.brain.rules.charts import Figure
from interactions_emulator.corpus.index import Passage
from interactions_emulator.corpus.words import clip

DEFAULT_WORDS = 800
"""Maximum number of words if the brief sets none."""
MIN_WORDS = 60
"""Minimum number of words for findings, even if the brief asks for a shorter report."""
MIN_WORDS_FOR_SECTIONS = 250
"""A report with a lower word limit than this has no sections."""
SECTION_COUNTS = range(3, 7)
"""Number of sections if the brief does not name them."""
MAX_MISSING = 6
"""Maximum number of aspects without findings that a report lists."""


@dataclass(frozen=True)
class Finding:
    """A sentence to quote, its passage, and the aspect of the brief for which it was found."""

    sentence: str
    source: Passage
    aspect: Aspect
    score: float


@dataclass(frozen=True)
class _Section:
    heading: str
    findings: tuple[Finding, ...]


class _Writer:
    """A draft that numbers its sources in the order of their first citation."""

    def __init__(self, documents_url: str) -> None:
        self.draft = Draft(documents_url)
        self._numbers: dict[str, int] = {}

    def cite(self, finding: Finding) -> None:
        self.cite_sentence(finding.sentence, finding.source)

    def cite_sentence(self, sentence: str, source: Passage) -> None:
        number = self._numbers.setdefault(source.document_id, len(self._numbers) + 1)
        self.draft.quote(sentence, source).write(f" [{number}]")

    @property
    def count(self) -> int:
        return len(self._numbers)


def write_report(
    brief: Brief,
    findings: Sequence[Finding],
    missing: Sequence[str],
    documents_url: str,
    figures: Sequence[Figure] = (),
    notes: Sequence[str] = (),
) -> Step:
    """The report as a `model_output` step. If there are no findings, the report says so.

    `missing` are the labels of aspects without findings. The report lists the captions of `figures`; the caller sends
    the pictures after it. `notes` are remarks for the end, such as which documents could not be read.
    """
    writer = _Writer(documents_url)
    writer.draft.write(f"# {brief.title}\n\n")
    if not findings and figures:
        writer.draft.write(
            f"No sentence of the documents is about “{brief.topic}”. The charts below show data from tables.\n\n"
        )
    elif not findings:
        writer.draft.write(
            f"Nothing about “{brief.topic}” was found in the local documents, so there is nothing to report:"
            " the emulator quotes documents and does not guess.\n\n"
        )
    else:
        budget = max(MIN_WORDS, brief.max_words - 45) if brief.max_words else DEFAULT_WORDS
        kept = _within_budget(findings, budget, brief)
        if brief.bullets:
            for finding in _best(kept, brief.bullets):
                writer.draft.write("- ")
                writer.cite(finding)
                writer.draft.write("\n")
            writer.draft.write("\n")
        elif brief.table:
            _table(writer, kept)
        else:
            _prose(writer, brief, kept)
    if missing and not (brief.max_words and brief.max_words < MIN_WORDS_FOR_SECTIONS):
        writer.draft.write("## What the documents do not say\n\nNothing was found on:\n\n")
        writer.draft.write("".join(f"- {label}\n" for label in missing[:MAX_MISSING]) + "\n")
    if figures:
        writer.draft.write("## Charts\n\n")
    for number, (caption, source, _) in enumerate(figures, 1):
        writer.draft.write(f"Figure {number}: ")
        writer.cite_sentence(caption, source)
        writer.draft.write("\n\n")
    writer.draft.write("".join(f"{note}\n\n" for note in notes))
    plural = "" if writer.count == 1 else "s"
    writer.draft.write(f"*Written by the local emulator from {writer.count} local document{plural}, not by Gemini.*")
    return writer.draft.step()


def _prose(writer: _Writer, brief: Brief, findings: Sequence[Finding]) -> None:
    summary = _summary(findings) if len(findings) > 5 else []
    if summary:
        for number, finding in enumerate(summary):
            writer.draft.write(" " * bool(number))
            writer.cite(finding)
        writer.draft.write("\n\n")
    rest = [finding for finding in findings if finding not in summary]
    if 0 < brief.max_words < MIN_WORDS_FOR_SECTIONS and not brief.sections:
        _paragraphs_of(writer, rest)
        return
    for section in _sections(brief, rest):
        writer.draft.write(f"## {section.heading}\n\n")
        if not section.findings:
            writer.draft.write("Nothing about this was found in the local documents.\n\n")
        _paragraphs_of(writer, section.findings)


def _paragraphs_of(writer: _Writer, findings: Sequence[Finding]) -> None:
    for paragraph in _paragraphs(findings):
        for number, finding in enumerate(paragraph):
            writer.draft.write(" " * bool(number))
            writer.cite(finding)
        writer.draft.write("\n\n")


def _table(writer: _Writer, findings: Sequence[Finding]) -> None:
    writer.draft.write("| Finding | Document |\n| --- | --- |\n")
    for finding in _best(findings, 12):
        writer.draft.write("| ")
        writer.cite(finding)
        writer.draft.write(f" | {finding.source.title.replace('|', '/')} |\n")
    writer.draft.write("\n")


def _within_budget(findings: Sequence[Finding], budget: int, brief: Brief) -> list[Finding]:
    """The best findings within `budget` words. They are taken from each aspect in turn, so that each is represented."""
    queues: dict[Aspect, list[Finding]] = {}
    for finding in sorted(findings, key=lambda one: -one.score):
        queues.setdefault(finding.aspect, []).append(finding)
    kept: list[Finding] = []
    spent = 0
    unsectioned = brief.bullets or brief.table or 0 < brief.max_words < MIN_WORDS_FOR_SECTIONS
    overhead = 0 if unsectioned else 12 * min(len(queues), SECTION_COUNTS[-1])
    while any(queues.values()):
        for queue in queues.values():
            if queue:
                finding = queue.pop(0)
                length = _word_count(finding.sentence)
                if spent + length + overhead <= budget or not kept:
                    kept.append(finding)
                    spent += length
    return kept


def _word_count(text: str) -> int:
    """The length in words; in scripts without spaces, two characters count as one word."""
    wide = len(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]", text))
    return len(text.split()) + wide // 2 + 1


def _best(findings: Sequence[Finding], count: int) -> list[Finding]:
    """The `count` best findings. The best one of each document comes before all others."""
    ordered = sorted(findings, key=lambda one: -one.score)
    seen: set[str] = set()
    first = [f for f in ordered if not (f.source.document_id in seen or seen.add(f.source.document_id))]  # type: ignore[func-returns-value]
    return [*first, *(f for f in ordered if f not in first)][:count]


def _summary(findings: Sequence[Finding]) -> list[Finding]:
    """The best findings for the summary. The only finding on an aspect is left for its section."""
    counts = Counter(finding.aspect for finding in findings)
    spare = [finding for finding in findings if counts[finding.aspect] > 1]
    return _best(spare, 3 if len(findings) > 12 else 2)


def _sections(brief: Brief, findings: Sequence[Finding]) -> list[_Section]:
    """The sections that the brief names, in its order; if it names none, one for each aspect, heading or document."""
    if brief.sections:
        return [_Section(name, tuple(f for f in findings if f.aspect.label == name)) for name in brief.sections]
    place = {aspect: number for number, aspect in enumerate(brief.aspects)}
    findings = sorted(findings, key=lambda one: place.get(one.aspect, len(place)))
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.aspect, []).append(finding)
    if len(groups) < SECTION_COUNTS[0]:
        groups = {}
        for finding in findings:
            groups.setdefault((finding.source.document_id, finding.source.heading), []).append(finding)
        if len(groups) > SECTION_COUNTS[-1]:
            groups = {}
            for finding in findings:
                groups.setdefault(finding.source.document_id, []).append(finding)
    ranked = sorted(groups.values(), key=lambda group: -len(group))
    shown, over = ranked[: SECTION_COUNTS[-1]], ranked[SECTION_COUNTS[-1] :]
    order = {id(group): place for place, group in enumerate(groups.values())}
    shown.sort(key=lambda group: order[id(group)])
    taken: set[str] = set()
    sections = [_Section(_heading(brief, group, taken), tuple(group)) for group in shown]
    if over:
        last = sections[-1]
        sections[-1] = _Section(last.heading, (*last.findings, *(f for group in over for f in group)))
    return sections


_VAGUE_HEADING = re.compile(
    r"(?i)introduction|overview|usage|examples?|notes?|references|features?|installation|abstract|see also"
    r"|description|summary|basics"
    r"|quick ?start|getting started|background|details|.*\d+\.\d+.*|.*(?:19|20)\d\d.*|changelog|release.*|readme"
)
"""Headings that do not tell what a section is about."""


def _heading(brief: Brief, group: Sequence[Finding], taken: set[str]) -> str:
    """The aspect's label if the brief has several aspects, else the heading or title of the best passage."""
    aspects = {finding.aspect for finding in group}
    named = [one.label for one in aspects if len(aspects) == 1 < len(brief.aspects) and one in brief.aspects]
    for finding in sorted(group, key=lambda one: -one.score):
        title, _, about = finding.source.title.partition(": ")
        for name in (*named, finding.source.heading, about or title, finding.aspect.label, title):
            name = clip(re.sub(r"^(?:\W+|\d+(?:\.\d+)*\.?\s+)|[\s#*`.:]+$", "", name), 80)
            dotted = re.search(r"\w\.\w", name)
            if (
                1 <= len(name.split()) <= 10
                and not dotted
                and not _VAGUE_HEADING.fullmatch(name)
                and name.casefold() not in taken
            ):
                taken.add(name.casefold())
                return name[:1].upper() + name[1:]
    return "More findings"


def _paragraphs(findings: Iterable[Finding]) -> list[list[Finding]]:
    """One paragraph for each document, with its sentences in the document's order."""
    paragraphs: dict[str, list[Finding]] = {}
    for finding in findings:
        paragraphs.setdefault(finding.source.document_id, []).append(finding)
    for paragraph in paragraphs.values():
        paragraph.sort(key=lambda f: (f.source.position, f.source.text.find(f.sentence)))
    return list(paragraphs.values())
