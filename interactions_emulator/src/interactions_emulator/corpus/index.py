"""The full-text index (SQLite FTS5, BM25) of the local documents, which the emulator searches instead of the web."""

from __future__ import annotations

import html
import json
import logging
import math
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactions_emulator.corpus.documents import REFERENCE_PREFIX, Source, default_sources, folder_sources
from interactions_emulator.corpus.passages import paragraphs
from interactions_emulator.corpus.tables import Table, tables
from interactions_emulator.corpus.words import clip, terms

log = logging.getLogger(__name__)

SCHEMA_VERSION = 7
"""Version of the index file; a file of another version is rebuilt."""
APPLICATION_ID = int.from_bytes(b"emui")
"""Marks an index in the header of its SQLite file, so that no other file is rebuilt."""
TABLES = {"documents", "passages", "sources", "stems", "tables", "vocabulary"}
SCHEMA = """
CREATE TABLE sources (key TEXT PRIMARY KEY, stamp TEXT NOT NULL);
CREATE TABLE documents (id TEXT PRIMARY KEY, source TEXT NOT NULL, title TEXT NOT NULL, origin TEXT NOT NULL);
CREATE INDEX documents_source ON documents (source);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY, document TEXT NOT NULL, position INTEGER NOT NULL, heading TEXT NOT NULL,
    text TEXT NOT NULL, page INTEGER NOT NULL
);
CREATE INDEX passages_document ON passages (document, position);
CREATE TABLE tables (document TEXT NOT NULL, position INTEGER NOT NULL, cells TEXT NOT NULL);
CREATE INDEX tables_document ON tables (document, position);
CREATE VIRTUAL TABLE stems USING fts5 (title, heading, text, tokenize = "unicode61 categories 'L* N* Co M*'");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (stems, row);
"""
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
        """
        if index is not None and index.is_file() and not _is_index(index):
            raise FileExistsError(f"{index} is not an index of the emulator: name another file, or one that is new")
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
                f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})", tuple(map(_without_apostrophes, stems))
            )
        )
        found = {term: int(counts.get(_without_apostrophes(term), 0)) for term in stems}
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
        return _page(entry, self.passages(document_id), self.tables(document_id)) if entry else None

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._database is None:
                self._database = self._open_index()
            return self._database.execute(query, values).fetchall()

    def _open_index(self) -> sqlite3.Connection:
        sources = list(self._sources)
        try:
            return _open_updated(self._index, sources)
        except sqlite3.DatabaseError as error:
            if self._index is None or isinstance(error, sqlite3.OperationalError):
                raise
            log.warning("the index %s is damaged (%s) and is rebuilt", self._index, error)
            self._index.unlink()
            return _open_updated(self._index, sources)


def _open_updated(index: Path | None, sources: list[Source]) -> sqlite3.Connection:
    """Opens the index and updates it from the sources in one transaction."""
    if index is not None:
        index.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(index or ":memory:", timeout=60, check_same_thread=False, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        if database.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            for table in sorted(TABLES & _table_names(database), reverse=True):
                database.execute(f"DROP TABLE {table}")
            for statement in SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        stamps = dict(database.execute("SELECT key, stamp FROM sources"))
        current = {source.key: source.stamp for source in sources}
        for key in stamps.keys() - current.keys():
            _remove_source(database, key)
        for source in sources:
            if stamps.get(source.key) != source.stamp:
                _remove_source(database, source.key)
                _add_source(database, source)
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _is_index(file: Path) -> bool:
    """Whether a file is empty, has the mark of an index, or has the tables of an index from before the mark."""
    with file.open("rb") as opened:
        header = opened.read(100)
    if not header or header[68:72] == APPLICATION_ID.to_bytes(4):
        return True
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            names = _table_names(database)
            return "passages" in names and all(name.partition("_")[0] in TABLES | {"sqlite"} for name in names)
    except sqlite3.DatabaseError:
        return False


def _table_names(database: sqlite3.Connection) -> set[str]:
    return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _remove_source(database: sqlite3.Connection, key: str) -> None:
    of_source = "(SELECT id FROM documents WHERE source = ?)"
    database.execute(
        f"DELETE FROM stems WHERE rowid IN (SELECT id FROM passages WHERE document IN {of_source})", (key,)
    )
    database.execute(f"DELETE FROM passages WHERE document IN {of_source}", (key,))
    database.execute(f"DELETE FROM tables WHERE document IN {of_source}", (key,))
    database.execute("DELETE FROM documents WHERE source = ?", (key,))
    database.execute("DELETE FROM sources WHERE key = ?", (key,))


def _add_source(database: sqlite3.Connection, source: Source) -> None:
    database.execute("INSERT INTO sources VALUES (?, ?)", (source.key, source.stamp))
    for document in source.read():
        found = paragraphs(document.source, document.markup)
        drawable = tables(document.source, document.markup)
        if not found and not drawable:
            continue
        document_id = _unique_id(database, document.document_id)
        title = clip(document.title, 120)
        database.execute("INSERT INTO documents VALUES (?, ?, ?, ?)", (document_id, source.key, title, document.origin))
        title_stems = _stems(title)
        for position, table in enumerate(drawable):
            cells = json.dumps(table, ensure_ascii=False)
            database.execute("INSERT INTO tables VALUES (?, ?, ?)", (document_id, position, cells))
        for position, (heading, text, page) in enumerate(found):
            row = database.execute(
                "INSERT INTO passages (document, position, heading, text, page) VALUES (?, ?, ?, ?, ?)",
                (document_id, position, heading, text, page),
            ).lastrowid
            database.execute("INSERT INTO stems (rowid, title, heading, text) VALUES (?, ?, ?, ?)",
                             (row, title_stems, _stems(heading), _stems(text)))  # fmt: skip


def _unique_id(database: sqlite3.Connection, document_id: str) -> str:
    """The id, with a number appended if the id is taken: `a b.md` and `a-b.md` have the same readable id."""
    for candidate in _numbered(document_id):
        if not database.execute("SELECT 1 FROM documents WHERE id = ?", (candidate,)).fetchone():
            return candidate
    raise AssertionError("unreachable")


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _stems(text: str) -> str:
    return " ".join(map(_without_apostrophes, terms(text)))


def _without_apostrophes(term: str) -> str:
    """A term without apostrophes: FTS5 would divide `don't` at its apostrophe into two words."""
    return term.replace("'", "")


def _page(entry: Entry, passages: list[Passage], drawable: list[Table]) -> str:
    title = html.escape(entry.title)
    body, heading = [], ""
    for passage in passages:
        if passage.heading != heading and passage.heading != entry.title:
            body.append(f"<h2>{html.escape(passage.heading)}</h2>")
        heading = passage.heading
        body.append(f"<p>{html.escape(passage.text)}</p>")
    for table in drawable:
        body.append(f"<h2>{html.escape(table.heading or 'Table')}</h2>\n<table>")
        body += [f"<tr><td>{'<td>'.join(map(html.escape, row))}" for row in (table.columns, *table.rows)]
        body.append("</table>")
    return (
        f'<!doctype html>\n<html>\n<head><meta charset="utf-8"><title>{title}</title>\n'
        "<style>body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:1rem/1.6 system-ui,sans-serif;"
        "color:#222;background:#fff}small{color:#555}td{padding:.1rem 1rem .1rem 0}</style></head>\n"
        f"<body>\n<h1>{title}</h1>\n<p><small>The readable text of {html.escape(entry.origin)}, from the emulator's "
        f"corpus.</small></p>\n{chr(10).join(body)}\n</body>\n</html>\n"
    )
