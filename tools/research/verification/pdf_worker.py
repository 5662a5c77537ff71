"""Reads the text of a PDF in a separate process, which can be ended: some files take very long, or much memory."""

from __future__ import annotations

import io
import subprocess
import sys
from importlib.util import find_spec

from tools.research.limited_process import limit_memory, run_module
from tools.research.verification.limits import (
    MAX_PDF_MEMORY_BYTES,
    MAX_PDF_TEXT_CHARS,
    MAX_PDF_TITLE_CHARS,
    PDF_TIMEOUT_S,
)


class NoPdfText(Exception):
    """The text of a PDF cannot be read. The message says why, in a phrase."""


def pdf_text(data: bytes) -> tuple[str, str]:
    """Returns the title and the text of a PDF, as lines. Blocks for `PDF_TIMEOUT_S` seconds at most.

    Raises:
        NoPdfText: pypdf is not installed, or the file cannot be read.
    """
    if find_spec("pypdf") is None:
        raise NoPdfText("it is a PDF; to read PDF, pip install 'research-desk[emulator]'")
    try:
        done = run_module("tools.research.verification.pdf_worker", data=data, timeout_s=PDF_TIMEOUT_S)
        done.check_returncode()
    except (OSError, subprocess.SubprocessError):
        raise NoPdfText("it is a PDF that cannot be read") from None
    title, _, text = done.stdout.decode("utf-8", "replace").partition("\0")
    return title, text


def main() -> None:
    """Reads a PDF from stdin and writes its title, U+0000 and its text to stdout."""
    limit_memory(MAX_PDF_MEMORY_BYTES)
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
    title = str((reader.metadata and reader.metadata.title) or "").replace("\0", "")
    text = ""
    for page in reader.pages:
        text += f"{page.extract_text()}\n\n"
        if len(text) > MAX_PDF_TEXT_CHARS:
            break
    sys.stdout.buffer.write(f"{title[:MAX_PDF_TITLE_CHARS]}\0{text[:MAX_PDF_TEXT_CHARS]}".encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
