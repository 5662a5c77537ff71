"""Finds and reads the documents of a corpus: the files of a folder, or the documents that come with the emulator."""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from interactions_emulator.corpus.passage_splitting import Markup, title_of
from interactions_emulator.corpus.pdf import Unreadable, read_pdf
from interactions_emulator.corpus.table_parsing import repeated_columns

log = logging.getLogger(__name__)

MARKUP: dict[str, Markup] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "plain",
    ".rst": "rst",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".csv": "csv",
}
MARKUP_OF_TYPE: dict[str, Markup] = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "markdown",
    "text/plain": "plain",
    "text/x-markdown": "markdown",
    "text/x-rst": "rst",
}
"""Maps types of media to markup, for documents that clients send."""
ATTACHED = "attached:"
"""Prefix of the ids of attached documents. The ids of other documents have no colon."""
REFERENCE_PREFIX = "python/"
"""Prefix of the document ids of Python's language reference."""
MAX_FILE_BYTES, MAX_PDF_BYTES = 5_000_000, 50_000_000
"""Maximum bytes of a file, and of a PDF file. Larger files are left out."""
MANY_FILES = 10_000
"""With at least this many files, a message says why the first search takes long."""
LIBRARY = Path(__file__).with_name("library")
"""Articles about a few subjects, written for the emulator."""


class Document(NamedTuple):
    """A document. `source` is its text, and `origin` a phrase that says where the document comes from."""

    document_id: str
    title: str
    origin: str
    source: str
    markup: Markup


@dataclass(frozen=True)
class Source:
    """A file or package that contains documents. The documents are read again only when `stamp` has changed."""

    key: str
    stamp: str
    read: Callable[[], Iterator[Document]]


def attached_source(document: Document) -> Source:
    """Return a document that came with a message as a separate source."""

    def read() -> Iterator[Document]:
        yield document

    return Source(document.document_id, "", read)


def attached_markup(data: bytes, mime_type: str) -> Markup:
    """Return the markup of a document that came with a message; another type of text is plain.

    Raises `Unreadable`, which names the types that can be read.
    """
    kind = mime_type.partition(";")[0].strip().lower()
    markup = MARKUP_OF_TYPE.get(kind) or ("pdf" if data.startswith(b"%PDF-") else None)
    if markup is None and kind.startswith("text/"):
        markup = "plain"
    if markup is None:
        known = ", ".join(MARKUP_OF_TYPE)
        raise Unreadable(f"{kind or 'a document without a mime_type'} is not supported; use one of {known}")
    return markup


def folder_sources(folder: Path) -> Iterator[Source]:
    """One source for each Markdown, text, reStructuredText, HTML, PDF or CSV file below `folder`, except hidden files.

    Raises NotADirectoryError if `folder` does not exist.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise NotADirectoryError(f"the documents' folder {folder} does not exist: name an existing folder, or none")
    count = 0
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(directory, name)
            suffix = path.suffix.lower()
            if name.startswith(".") or suffix not in MARKUP or not path.resolve().is_relative_to(root):
                continue
            if not path.is_file():  # a pipe would be waited for
                continue
            status = path.stat()
            limit = MAX_PDF_BYTES if suffix == ".pdf" else MAX_FILE_BYTES
            if status.st_size > limit:
                log.warning("%s is not read: it is larger than %d bytes", path, limit)
                continue
            relative = path.relative_to(root).as_posix()
            stamp = f"{status.st_mtime_ns} {status.st_size}"
            count += 1
            yield Source(relative, stamp, partial(_read_file, path, relative, MARKUP[suffix]))
    if count == 0:
        log.warning("the folder %s has no document: put files there that end with %s", folder, ", ".join(MARKUP))
    if count > MANY_FILES:
        log.warning("%s has %d documents: reading new ones takes about a millisecond or two each", folder, count)


def default_sources() -> Iterator[Source]:
    """The articles that come with the emulator, and the reference of the Python language."""
    yield from folder_sources(LIBRARY)
    yield Source("python", sys.version, _read_python)


def url_safe(name: str) -> str:
    """The name as a URL path: `-` replaces characters other than letters (of any script), digits and `._-/`."""
    return re.sub(r"[^\w./-]+", "-", name).strip("-./") or "document"


def _read_file(path: Path, relative: str, markup: Markup) -> Iterator[Document]:
    if markup == "pdf":
        try:
            title, source = read_pdf(path.read_bytes())
        except Unreadable as error:
            log.warning("%s is not read: %s", path, error)
            return
    else:
        source = path.read_text(encoding="utf-8", errors="replace")
        title = title_of(source, markup)
        if markup == "csv" and (twice := repeated_columns(source)):
            log.warning("%s: two columns are named %s, and only the first is drawn: rename one", path, ", ".join(twice))
    yield Document(url_safe(relative), title or path.stem, f"the file {relative}", source, markup)


def _read_python() -> Iterator[Document]:
    version = "Python " + sys.version.split()[0]
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    for name, text in topics.items():
        title = f"Python: {title_of(text, 'rst') or name}"
        yield Document(
            url_safe(f"{REFERENCE_PREFIX}{name}-topic"), title, f"the language reference of {version}", text, "rst"
        )
