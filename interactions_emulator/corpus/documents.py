"""Finds and reads the documents of a corpus, in a folder or in the installed Python packages."""

from __future__ import annotations

import email.parser
import importlib
import logging
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from interactions_emulator.corpus.passages import Markup, title_of
from interactions_emulator.corpus.pdf import Unreadable, read_pdf

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
LARGEST_FILE, LARGEST_PDF = 5_000_000, 50_000_000
"""Maximum bytes of a file; larger files are left out."""
LONG_DOCSTRING = 400
HEAD = 16_384
"""Bytes of a Python module that are read to find its docstring."""


class Document(NamedTuple):
    """A document's text and title; `origin` says in words where it comes from."""

    document_id: str
    title: str
    origin: str
    source: str
    markup: Markup


@dataclass(frozen=True)
class Source:
    """A file or package that gives one or more documents, read again only when `stamp` has changed."""

    key: str
    stamp: str
    read: Callable[[], Iterator[Document]]


def folder_sources(folder: Path) -> Iterator[Source]:
    """One source for each Markdown, text, reStructuredText, HTML, PDF or CSV file below `folder`; no hidden files."""
    root = folder.resolve()
    if not root.is_dir():
        raise NotADirectoryError(f"the documents' folder {folder} does not exist; name one that does, or none")
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(directory, name)
            suffix = path.suffix.lower()
            if name.startswith(".") or suffix not in MARKUP or not path.resolve().is_relative_to(root):
                continue
            status = path.stat()
            largest = LARGEST_PDF if suffix == ".pdf" else LARGEST_FILE
            if status.st_size > largest:
                log.warning("%s is not read: it is larger than %d bytes", path, largest)
                continue
            relative = path.relative_to(root).as_posix()
            stamp = f"{status.st_mtime_ns} {status.st_size}"
            yield Source(relative, stamp, partial(_read_file, path, relative, MARKUP[suffix]))


def package_sources() -> Iterator[Source]:
    """Python's own documentation, and one source for each distribution on `sys.path`."""
    yield Source("python", sys.version, _read_python)
    seen: set[str] = set()
    for entry in sys.path:
        if not Path(entry or ".").is_dir():
            continue
        for path in sorted(Path(entry or ".").glob("*.dist-info")):
            name = path.name.split("-")[0]
            if name not in seen:
                seen.add(name)
                yield Source(f"package:{name}", f"{path} {path.stat().st_mtime_ns}", partial(_read_package, path))


def url_safe(name: str) -> str:
    """The name as a path of letters (of any script), digits, `.`, `_`, `-` and `/`."""
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
    yield Document(url_safe(relative), title or path.stem, f"the file {relative}", source, markup)


def _read_package(info: Path) -> Iterator[Document]:
    try:
        metadata = email.parser.Parser().parsestr((info / "METADATA").read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return
    name, version = metadata.get("Name", info.name.split("-")[0]), metadata.get("Version", "")
    origin = f"the Python package {name} {version}"
    body = str(metadata.get_payload() or metadata.get("Description") or "")
    summary = metadata.get("Summary", "")
    markup: Markup = "rst" if "rst" in metadata.get("Description-Content-Type", "text/x-rst") else "markdown"
    if body.strip():
        title = f"{name}: {summary}" if summary else name
        yield Document(url_safe(f"{name}/README"), title, f"the description of {origin}", body, markup)
    record = info / "RECORD"
    listed = record.read_text(encoding="utf-8", errors="replace").splitlines() if record.exists() else []
    files = [line.rsplit(",", 2)[0] for line in listed]
    for file in files:
        if file.endswith(".py") and not _INTERNAL.search(file):
            yield from _read_module(info.parent / file, file, name, origin)


_INTERNAL = re.compile(r"(^|/)(tests?|testing|_vendor|vendored?|examples?|benchmarks?|node_modules)/|_pb2|^\.\.")


def _read_module(path: Path, file: str, package: str, origin: str) -> Iterator[Document]:
    docstring = _docstring(path)
    if len(docstring) >= LONG_DOCSTRING:
        module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        first = docstring.strip().partition("\n")[0]
        about = (title_of(docstring, "rst") if first.startswith("..") else first).strip(" .:=-*#")
        title = f"{module}: {about}" if 8 < len(about) < 90 else module
        yield Document(url_safe(f"{package}/{module}"), title, f"the module {module} of {origin}", docstring, "rst")


def _read_python() -> Iterator[Document]:
    version = "Python " + sys.version.split()[0]
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    for name, text in topics.items():
        title = f"Python: {title_of(text, 'rst') or name}"
        yield Document(url_safe(f"python/{name}-topic"), title, f"the language reference of {version}", text, "rst")
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.glob("[a-z]*.py")) + sorted(library.glob("[a-z]*/__init__.py")):
        file = path.relative_to(library).as_posix()
        if path.parent.name not in ("test", "idlelib", "lib2to3", "site-packages"):
            yield from _read_module(path, file, "python", version)


def _docstring(path: Path) -> str:
    """The docstring at the head of a module, found without importing or compiling it."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD).decode("utf-8", errors="replace")
    except OSError:
        return ""
    match = re.match(r"(?:\s+|#[^\n]*\n)*(?:from __future__[^\n]*\n\s*)?[rRuU]?(\"\"\"|''')", head)
    if not match:
        return ""
    text, quotes, _ = head[match.end() :].partition(match[1])
    if not quotes:  # the docstring is longer than HEAD: keep whole paragraphs
        text = text.rpartition("\n\n")[0]
    lines = text.expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0)
    return "\n".join([lines[0].strip(), *(line[margin:] for line in lines[1:])])
