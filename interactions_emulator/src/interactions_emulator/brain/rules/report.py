"""Writes a research report: Markdown in which every sentence of the body is a quotation with its citation."""

import re
from collections.abc import Iterable, Sequence

from interactions_emulator.brain.answer import NumberedDraft
from interactions_emulator.brain.chart_selection import Figure
from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.brief import DEFAULT_WORDS, Brief
from interactions_emulator.corpus.excerpts import Excerpt
from interactions_emulator.corpus.words import clip

MIN_WORDS, MIN_WORDS_FOR_SECTIONS, MAX_SECTIONS, MAX_TABLE_ROWS = 60, 250, 6, 12
FRAME_WORDS, HEADING_WORDS = 45, 12
"""Words of the report's frame and of a heading, which count towards the maximum."""
Found = tuple[str, Excerpt]
"""An excerpt, and the aspect of the brief for which it was found."""


def write_report(
    brief: Brief, found: Sequence[Found], url: str, figures: Sequence[Figure] = (), notes: Iterable[str] = ()
) -> Step:
    """The report as a `model_output`, with the `notes` at its end. The caller adds the pictures of the `figures`."""
    draft, is_short = NumberedDraft(url).write(f"# {brief.title}\n\n"), 0 < brief.max_words < MIN_WORDS_FOR_SECTIONS
    kept = _within_budget(brief, found)
    if not found:
        nothing = f"Nothing about “{brief.topic}” was found in the local documents"
        draft.write(f"{nothing}, so there is nothing to report: the emulator quotes documents and does not guess.\n\n")
    elif brief.bullets or brief.table:
        draft.write("" if brief.bullets else "| Finding | Document |\n| --- | --- |\n")
        for _, one in kept[: brief.bullets or MAX_TABLE_ROWS]:
            end = "\n" if brief.bullets else f" | {one.source.title.replace('|', '/')} |\n"
            draft.write("- " if brief.bullets else "| ").cite(one.sentences[0], one.source).write(end)
        draft.write("\n")
    elif is_short and not brief.sections:
        _paragraphs(draft, [one for _, one in kept])
    else:
        _sections(draft, brief, kept)
    missing = [f"- {one}\n" for one in brief.aspects if one not in {aspect for aspect, _ in found}]
    if found and not is_short and (missing or len(found) < 2):
        said = f"Nothing was found on:\n\n{''.join(missing)}" if missing else "Nothing more was found on the topic.\n"
        draft.write(f"## What the documents do not say\n\n{said}\n")
    draft.write("## Charts\n\n" if figures else "")
    for number, (caption, source, _) in enumerate(figures, 1):
        draft.write(f"Figure {number}: ").cite(caption, source).write("\n\n")
    draft.write("".join(f"{note}\n\n" for note in notes))
    count = draft.source_count
    draft.write(f"*Written by the local emulator from {count} local document{'s' * (count != 1)}, not by Gemini.*")
    return draft.step()


def _within_budget(brief: Brief, found: Sequence[Found]) -> list[Found]:
    """The best excerpts within the maximum length, taken from each aspect in turn."""
    queues = [[one for one in found if one[0] == aspect] for aspect in brief.aspects]
    left = max(MIN_WORDS, brief.max_words - FRAME_WORDS) if brief.max_words else DEFAULT_WORDS
    left -= HEADING_WORDS * min(len(queues), MAX_SECTIONS) if left >= MIN_WORDS_FOR_SECTIONS - FRAME_WORDS else 0
    kept: list[Found] = []
    for place in range(max(map(len, queues), default=0)):
        for one in (queue[place] for queue in queues if place < len(queue)):
            length = sum(len(sentence.split()) + 1 for sentence in one[1].sentences)
            if length <= left or not kept:
                kept.append(one)
                left -= length
    return kept


def _sections(draft: NumberedDraft, brief: Brief, found: Sequence[Found]) -> None:
    """Writes a section for each aspect. A single aspect gets a paragraph, then a section for each heading."""
    groups: dict[str, list[Excerpt]] = {label: [] for label in brief.sections}
    is_single = len({aspect for aspect, _ in found}) == 1 and not brief.sections
    for aspect, one in sorted(found, key=lambda pair: brief.aspects.index(pair[0])):
        heading = re.sub(r"^[\W\d.]+|[\s#*`.:]+$", "", one.source.heading)
        title = one.source.title.partition(": ")[2] or one.source.title
        name = clip(heading if 1 < len(heading.split()) <= 10 else title, 80) if is_single else aspect
        groups.setdefault(name, []).append(one)
    if is_single and len(groups) > 2:
        _paragraphs(draft, groups.pop(next(iter(groups))))
    for heading, group in list(groups.items())[:MAX_SECTIONS]:
        draft.write(f"## {heading[:1].upper()}{heading[1:]}\n\n")
        if not group:
            draft.write("Nothing about this was found in the local documents.\n\n")
        _paragraphs(draft, group)


def _paragraphs(draft: NumberedDraft, group: Sequence[Excerpt]) -> None:
    """One paragraph for each document, its excerpts in the document's order."""
    documents = list(dict.fromkeys(one.source.document_id for one in group))
    ordered = sorted(group, key=lambda one: (documents.index(one.source.document_id), one.source.position))
    draft.paragraphs((sentence, one.source) for one in ordered for sentence in one.sentences).write("\n\n")
