"""The course of a deep-research run: thoughts, searches, a report and charts over 20 virtual minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from interactions_emulator.brain.answer import Ids, image, search_steps, thought
from interactions_emulator.brain.chart_selection import Figure
from interactions_emulator.brain.protocol import Step, TimedStep, Turn
from interactions_emulator.corpus.excerpts import Excerpt
from interactions_emulator.corpus.words import clip, join_names
from interactions_emulator.synthetic.charts import draw_chart

PLANNING_S, WRITING_S, RUN_S = 60.0, 120.0, 1200.0
"""Virtual seconds of planning, of writing and of the whole run, which takes about as long as with Gemini."""


class Search(NamedTuple):
    """One search of a run, and the text about its findings."""

    query: str
    note: str


def describe_search(query: str, found: Sequence[Excerpt]) -> Search:
    """The search, with a note that names the documents that it found."""
    if not found:
        return Search(query, f"The local documents have nothing to quote on “{clip(query, 120)}”.")
    read = join_names([f"“{clip(title, 70)}”" for title in dict.fromkeys(one.source.title for one in found)])
    return Search(query, f"On “{clip(query, 120)}” I read {read}. It says: {clip(found[0].sentences[0], 180)}")


def research_steps(
    turn: Turn, plan_note: str, searches: Sequence[Search], report: Step, charts: Sequence[Figure]
) -> Iterator[TimedStep]:
    """The steps of a run. `agent_config.thinking_summaries` "none" leaves out the thoughts."""
    ids, thinks = Ids(turn), turn.agent_config.get("thinking_summaries") != "none"
    if thinks:
        yield TimedStep(PLANNING_S, thought(ids, f"**Planning**\n\n{plan_note}"))
    seconds = (RUN_S - WRITING_S - PLANNING_S * thinks) / max(1, len(searches))
    for search in searches:
        call, result = search_steps(ids, [clip(search.query, 200)])
        yield TimedStep(seconds * 0.3, call)
        yield TimedStep(seconds * (0.3 if thinks else 0.7), result)
        if thinks:
            yield TimedStep(seconds * 0.4, thought(ids, f"**Reading**\n\n{search.note}"))
    yield TimedStep(WRITING_S, report)
    for figure in charts:
        yield TimedStep(0.0, {"type": "model_output", "content": [image(draw_chart(figure.chart))]})
