"""Selects the charts of a report from the tables of the documents that the report cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from interactions_emulator.brain.rules.attachments import ATTACHED, CombinedCorpus
from interactions_emulator.corpus.index import Passage
from interactions_emulator.corpus.tables import Table, series_of
from interactions_emulator.corpus.words import clip, listed, terms
from interactions_emulator.synthetic.pictures import Chart

MOST_CHARTS = 2
MOST_BARS, MOST_POINTS = 20, 400
NEAR = 0.3
"""Minimum share of the topic's words, from 0 to 1, in a table and the title of its document.

Tables of documents that came with the brief need no such share.
"""


class Figure(NamedTuple):
    """A chart, its caption, and a passage of the document that contains the table."""

    caption: str
    source: Passage
    chart: Chart


def figures(
    shelf: CombinedCorpus, documents: Sequence[Passage], share: Callable[[str], float], without: Sequence[str]
) -> list[Figure]:
    """Up to two charts from the tables of `documents`, the ones nearest to the topic first.

    `share` returns the share of the topic's words in a text, from 0 to 1. Tables about `without` are left out.
    """
    found: list[tuple[float, int, Figure]] = []
    for passage in {one.document_id: one for one in documents}.values():
        for table in shelf.tables(passage.document_id):
            about = f"{table.heading} {' '.join(table.columns)}"
            left_out = any(set(terms(one)) <= set(terms(about)) for one in without)
            near = share(f"{passage.title} {about} {' '.join(row[0] for row in table.rows[:50])}")
            near = max(near, NEAR if passage.document_id.startswith(ATTACHED) else 0.0)
            if near >= NEAR and not left_out and (figure := _figure(table, passage)):
                found.append((-near - 0.1 * share(about), len(found), figure))
    return [figure for _, _, figure in sorted(found, key=lambda one: one[:2])[:MOST_CHARTS]]


def _figure(table: Table, document: Passage) -> Figure | None:
    series = series_of(table)
    if series is None:
        return None
    most = MOST_POINTS if series.places else MOST_BARS
    under = f" under “{table.heading}”" if table.heading and table.heading != document.title else ""
    source = f"from the table{under} in “{document.title}”"
    if len(series.names) > most:
        source += f", the first {most} of {len(series.names)} rows"
    title = f"{listed(list(series.values))} by {series.label}"
    chart = Chart(
        title=f"{title[:1].upper()}{title[1:]}",
        source=f"{source[:1].upper()}{source[1:]}",
        label=series.label,
        unit=series.unit,
        names=series.names[:most],
        places=series.places[:most],
        values={name: values[:most] for name, values in series.values.items()},
    )
    return Figure(re.sub(r"[\[\]|]", "", clip(f"{chart.title}, drawn {source}.", 300)), document, chart)
