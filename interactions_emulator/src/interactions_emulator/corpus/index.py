"""Searches the local documents, which the emulator has instead of the web: a full-text index, ranked by BM25."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from interactions_emulator.corpus.document_page import to_page
from interactions_emulator.corpus.documents import REFERENCE_PREFIX, Source, default_sources, folder_sources
from interactions_emulator.corpus.index_file import is_index, open_updated, without_apostrophes
from interactions_emulator.corpus.table_series import Table
from interactions_emulator.corpus.words import terms

log = logging.getLogger(__name__)

MIN_REFERENCE_COVERAGE = 0.7
"""Minimum share of the query's words in a found passage of Python's reference, unless the query names Python."""
MAX_TERMS = 24
"""Maximum number of different words of a query that are searched for; the rarest are used."""
EXTRA_CANDIDATES = 60
"""Number of passages, in addition to the search's limit, that the full-text index returns for the final ranking."""


@dataclass(frozen=True)
class Passage:
    """A paragraph of a document: one or a few sentences of plain prose.

    `position` counts the passages of the document from 0. `score`, from 0 to 1, is the share of the query's words that
    occur in the passage, its heading or its title; words that are rare in the corpus weigh more.
    """

    document_id: str
    title: str
    heading: str
    text: str
    position: int
    score: float
    page: int = 0
    """Page of a PDF, counted from 1; 0 if the document has no pages."""


@dataclass(frozen=True)
class Entry:
    """A document of the corpus. `origin` is a phrase that says where the document comes from."""

    document_id: str
    title: str
    origin: str


class Corpus:
    """Documents and their passages. Thread-safe. The index is built on first use."""

    def __init__(self, sources: Iterable[Source], index: Path | None) -> None:
        self._sources = sources
        self._index = index
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None

    @classmethod
    def open(cls, folder: Path | None = None, index: Path | None = None) -> Corpus:
        """The corpus of the documents below `folder`; if `folder` is None, of those that come with the emulator.

        `index` is the index file, which is kept between runs, so that only changed documents are read again. If
        `index` is None, the index is in memory. The first use builds it; call `len` in a thread to build it in advance.

        Raises:
            NotADirectoryError: `folder` does not exist.
            FileExistsError: `index` is a file of another program.
            OSError: `index` is in a folder that is missing or cannot be written to.
        """
        if index is not None and index.is_file() and not is_index(index):
            raise FileExistsError(f"{index} is not an index of the emulator: name another file, or one that is new")
        if index is not None:
            _check_writable(index)
        if folder is not None and not folder.is_dir():
            raise NotADirectoryError(f"the documents' folder {folder} does not exist: name an existing folder, or none")
        return cls(folder_sources(folder) if folder is not None else default_sources(), index)

    def __len__(self) -> int:
        """The number of documents."""
        return int(self._rows("SELECT count(*) FROM documents")[0][0])

    def search(self, query: str, limit: int = 5, exclude: Collection[str] = ()) -> list[Passage]:
        """The `limit` passages that match `query` best, best first. Documents whose id is in `exclude` are left out."""
        weights = self.weights(query)
        known = sorted((term for term, (weight, count) in weights.items() if count), key=lambda t: -weights[t][0])
        if not known:
            return []
        total = sum(weight for weight, _ in weights.values())
        match = " OR ".join(f'"{term}"' for term in known[:MAX_TERMS])
        excluded = ", ".join("?" for _ in exclude)
        rows = self._rows(  # the inner query sorts only numbers, as most passages of a large corpus may match
            "SELECT p.document, d.title, p.heading, p.text, p.position, p.page, found.score FROM"
            " (SELECT rowid, bm25(stems, 1.5, 1.5, 1.0) AS score FROM stems WHERE stems MATCH ?"
            f" AND rowid NOT IN (SELECT id FROM passages WHERE document IN ({excluded}))"
            f" ORDER BY rank, rowid LIMIT {EXTRA_CANDIDATES + limit}) AS found"
            " JOIN passages p ON p.id = found.rowid JOIN documents d ON d.id = p.document",
            (match, *sorted(exclude)),
        )
        ranked = []
        for document, title, heading, text, position, page, rank in rows:
            stems = set(terms(f"{title} {heading} {text}"))
            covered = sum(weight for term, (weight, _) in weights.items() if term in stems) / total
            if document.startswith(REFERENCE_PREFIX) and covered < MIN_REFERENCE_COVERAGE and "python" not in weights:
                continue  # titles in the reference are common words, such as “power”
            ranked.append(
                (rank * (0.2 + covered), Passage(document, title, heading, text, position, round(covered, 4), page))
            )
        ranked.sort(key=lambda pair: (pair[0], pair[1].document_id, pair[1].position))
        return [passage for _, passage in ranked[:limit]]

    def weights(self, query: str) -> dict[str, tuple[float, int]]:
        """Maps each stem of the query to its weight (inverse document frequency) and the number of passages with it."""
        stems = list(dict.fromkeys(terms(query[:5_000])))[:200]
        if not stems:
            return {}
        total = self._rows("SELECT count(*) FROM passages")[0][0]
        marks = ", ".join("?" for _ in stems)
        counts = dict(
            self._rows(
                f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})", tuple(map(without_apostrophes, stems))
            )
        )
        found = {term: int(counts.get(without_apostrophes(term), 0)) for term in stems}
        return {term: (math.log(1 + (total + 1) / (count + 0.5)), count) for term, count in found.items()}

    def document(self, document_id: str) -> Entry | None:
        """The document with this id, or None."""
        rows = self._rows("SELECT id, title, origin FROM documents WHERE id = ?", (document_id,))
        return Entry(*rows[0]) if rows else None

    def documents(self) -> list[Entry]:
        """All documents, sorted by id."""
        return [Entry(*row) for row in self._rows("SELECT id, title, origin FROM documents ORDER BY id")]

    def passages(self, document_id: str) -> list[Passage]:
        """All passages of a document in order."""
        rows = self._rows(
            "SELECT p.document, d.title, p.heading, p.text, p.position, 0.0, p.page FROM passages p"
            " JOIN documents d ON d.id = p.document WHERE d.id = ? ORDER BY p.position",
            (document_id,),
        )
        return [Passage(*row) for row in rows]

    def tables(self, document_id: str) -> list[Table]:
        """The tables of a document that `series_of` can draw, in order."""
        rows = self._rows("SELECT cells FROM tables WHERE document = ? ORDER BY position", (document_id,))
        kept = (json.loads(cells) for (cells,) in rows)
        return [Table(heading, tuple(columns), tuple(map(tuple, lines))) for heading, columns, lines in kept]

    def page(self, document_id: str) -> str | None:
        """The document as a self-contained HTML page without scripts; None if there is no such document."""
        entry = self.document(document_id)
        if entry is None:
            return None
        passages = [(passage.heading, passage.text) for passage in self.passages(document_id)]
        return to_page(entry.title, entry.origin, passages, self.tables(document_id))

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._database is None:
                self._database = self._open_index()
            return self._database.execute(query, values).fetchall()

    def _open_index(self) -> sqlite3.Connection:
        sources = list(self._sources)
        try:
            return open_updated(self._index, sources)
        except sqlite3.DatabaseError as error:
            if self._index is None or isinstance(error, sqlite3.OperationalError):
                raise
            log.warning("the index %s is damaged (%s) and is rebuilt", self._index, error)
            self._index.unlink()
            return open_updated(self._index, sources)


def _check_writable(index: Path) -> None:
    """Checks at the start that an index file can be made. SQLite makes it at the first search."""
    try:
        with TemporaryFile(dir=index.parent):  # a check of permissions would let root pass everywhere
            return
    except OSError as error:
        why = f"{index.parent}: {error.strerror}"
        raise OSError(f"the index {index} cannot be written ({why}): name a file in an existing folder") from error
