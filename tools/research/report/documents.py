"""Converts reports to PDF, Word and EPUB. Needs the extra `documents`.

The conversion runs in a process of its own (`document_worker`), because a report may be anything: a process can be
limited and killed.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from tempfile import TemporaryDirectory

from tools.errors import DeskError
from tools.extras import install_command
from tools.research.limited_process import run_module
from tools.research.report.render_limits import DOCUMENT_TIMEOUT_S
from tools.research.report.render_queue import RENDERINGS
from tools.research.report.report import Report, to_json

log = logging.getLogger(__name__)

DOCUMENT_TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
}
"""The formats of documents, with their MIME types."""


class DocumentsMissing(DeskError):
    """The packages that write documents are not installed."""


class DocumentError(DeskError):
    """A report cannot be converted to a document."""


def documents_installed() -> bool:
    """Whether the extra `documents` is installed."""
    return bool(find_spec("pypandoc") and find_spec("typst"))


def need_documents() -> None:
    """Checks that documents can be written.

    Raises:
        DocumentsMissing: the extra `documents` is not installed.
    """
    if not documents_installed():
        raise DocumentsMissing(f"PDF, Word and EPUB need two more packages: {install_command('documents')}")


async def render_document(
    report: Report,
    format: str,
    reader: str,
    *,
    warn: Callable[[str], None] = log.warning,
    timeout_s: float = DOCUMENT_TIMEOUT_S,
) -> bytes:
    """The same as `to_document`, without blocking the event loop; for `reader` see `RENDERINGS`."""
    return await RENDERINGS.call(reader, to_document, report, format, warn=warn, timeout_s=timeout_s)


def to_document(
    report: Report, format: str, *, warn: Callable[[str], None] = log.warning, timeout_s: float = DOCUMENT_TIMEOUT_S
) -> bytes:
    """Returns a report as a document: "pdf", "docx" or "epub".

    Whatever the report contains, nothing in it is run, no file is read and nothing is loaded from a network.

    Args:
        warn: gets a sentence about letters that the document cannot show, because no font of this machine has them.
        timeout_s: timeout, after which the process that converts is ended.

    Raises:
        ValueError: the format is unknown.
        DocumentsMissing: the extra `documents` is not installed.
        DocumentError: the report cannot be converted.
    """
    if format not in DOCUMENT_TYPES:
        raise ValueError(f"unknown document format {format}: use {', '.join(DOCUMENT_TYPES)}")
    need_documents()
    # These variables keep Typst from the network, which only a package would need, and from many threads.
    variables = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "RAYON_NUM_THREADS": "1"}
    module, data = "tools.research.report.document_worker", to_json(report).encode()
    name = f"the {format.upper()} of “{report.title}”"
    try:
        with TemporaryDirectory() as folder:  # deleted also if the process is ended
            variables |= {"TMPDIR": folder, "TEMP": folder}
            done = run_module(module, format, data=data, timeout_s=timeout_s, variables=variables)
    except subprocess.TimeoutExpired:
        raise DocumentError(f"{name} cannot be made: it takes more than {timeout_s:.0f} seconds") from None
    except OSError as error:
        raise DocumentError(f"{name} cannot be made: {error.strerror or error}") from None
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise DocumentError(f"{name} cannot be made: {said.splitlines()[-1] if said else 'it needs too much memory'}")
    if said:
        warn(f"{name}: {said}")
    return done.stdout
