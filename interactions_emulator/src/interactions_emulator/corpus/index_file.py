"""The file of the full-text index (SQLite FTS5): its tables, and bringing it up to date with the documents."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from interactions_emulator.corpus.documents import Source
from interactions_emulator.corpus.passage_splitting import paragraphs
from interactions_emulator.corpus.table_parsing import tables
from interactions_emulator.corpus.words import clip, terms

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


def open_updated(index: Path | None, sources: list[Source]) -> sqlite3.Connection:
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


def is_index(file: Path) -> bool:
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
    return " ".join(map(without_apostrophes, terms(text)))


def without_apostrophes(term: str) -> str:
    """A term without apostrophes: FTS5 would divide `don't` at its apostrophe into two words."""
    return term.replace("'", "")
