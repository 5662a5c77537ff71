"""Selects the charts of a report from the tables of the documents that the report cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from interactions_emulator.corpus.attached_files import CombinedCorpus
from interactions_emulator.corpus.documents import ATTACHED
from interactions_emulator.corpus.index import Passage
from interactions_emulator.corpus.table_series import Table, series_of
from interactions_emulator.corpus.words import clip, join_names, terms
from interactions_emulator.synthetic.charts import Chart

MAX_CHARTS = 2
MAX_BARS, MAX_POINTS = 20, 400
MIN_TOPIC_SHARE = 0.3
"""Minimum share of the topic's words, from 0 to 1, in a table and the title of its document.

Tables of documents that came with the brief need no such share.
"""


class Figure(NamedTuple):
    """A chart, its caption, and a passage of the document that contains the table."""

    caption: str
    source: Passage
    chart: Chart


def figures(
    corpus: CombinedCorpus, documents: Sequence[Passage], share: Callable[[str], float], without: Sequence[str]
) -> list[Figure]:
    """Up to two charts from the tables of `documents`, the ones nearest to the topic first.

    `share` returns the share of the topic's words in a text, from 0 to 1.
    The subject `without` is avoided: tables about it are left out.
    """
    found: list[tuple[float, int, Figure]] = []
    for passage in {one.document_id: one for one in documents}.values():
        for table in corpus.tables(passage.document_id):
            about = f"{table.heading} {' '.join(table.columns)}"
            left_out = any(set(terms(one)) <= set(terms(about)) for one in without)
            topic_share = share(f"{passage.title} {about} {' '.join(row[0] for row in table.rows[:50])}")
            topic_share = max(topic_share, MIN_TOPIC_SHARE if passage.document_id.startswith(ATTACHED) else 0.0)
            if topic_share >= MIN_TOPIC_SHARE and not left_out and (figure := _figure(table, passage)):
                found.append((-topic_share - 0.1 * share(about), len(found), figure))
    return [figure for _, _, figure in sorted(found, key=lambda one: one[:2])[:MAX_CHARTS]]


def _figure(table: Table, document: Passage) -> Figure | None:
    series = series_of(table)
    if series is None:
        return None
    limit = MAX_POINTS if series.positions else MAX_BARS
    under = f" under “{table.heading}”" if table.heading and table.heading != document.title else ""
    source = f"from the table{under} in “{document.title}”"
    if len(series.names) > limit:
        source += f", the first {limit} of {len(series.names)} rows"
    title = f"{join_names(list(series.values))} by {series.label}"
    chart = Chart(
        title=f"{title[:1].upper()}{title[1:]}",
        source=f"{source[:1].upper()}{source[1:]}",
        label=series.label,
        unit=series.unit,
        names=series.names[:limit],
        positions=series.positions[:limit],
        values={name: values[:limit] for name, values in series.values.items()},
    )
    return Figure(re.sub(r"[\[\]|]", "", clip(f"{chart.title}, drawn {source}.", 300)), document, chart)
