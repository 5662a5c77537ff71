"""Converts a report to PDF, Word or EPUB in a process of its own, with Pandoc and Typst.

As a program, it reads a report (JSON of `to_json`) from stdin and writes the document to stdout. It writes to stderr
one sentence if the document is not perfect, or if there is none (exit status 1). A report is hostile input:

* Pandoc reads plain CommonMark and may open no file (`--sandbox`), and `document_tree` keeps only safe parts.
* Typst may read only a new folder with the report's pictures, and can load no package.
* Memory and processor time are limited, on Linux.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.research.limited_process import limit_memory
from tools.research.report.document_tree import document_markdown, document_tree
from tools.research.report.pandoc_nodes import Node
from tools.research.report.pdf_and_epub_styles import EPUB_STYLE, TYPST_TEMPLATE
from tools.research.report.render_limits import MAX_CPU_S, MAX_DOCUMENT_MEMORY_BYTES, PANDOC_HEAP, PANDOC_TIMEOUT_S
from tools.research.report.report import Picture, Report, from_json
from tools.research.report.word_and_epub_details import finish_docx, finish_epub

MAX_DEPTH = 10_000
"""Python's limit of nested calls: a text in many nested lists makes a deep tree."""
_HEAP_EXHAUSTED = 251
"""Pandoc's exit status when it needs more than `PANDOC_HEAP`."""
_READER = "commonmark+pipe_tables+strikeout"
"""Markdown as on the web page: without attributes, includes, and parts in other formats except HTML."""
_FONTS = {
    "": ("Libertinus Serif",),
    "ar": ("Noto Naskh Arabic", "Noto Sans Arabic"),
    "he": ("Noto Serif Hebrew", "Noto Sans Hebrew"),
    "zh-Hans": ("Noto Serif CJK SC", "Noto Sans CJK SC"),
    "zh-Hant": ("Noto Serif CJK TC", "Noto Sans CJK TC"),
    "ko": ("Noto Serif CJK KR", "Noto Sans CJK KR"),
    "ja": ("Noto Serif CJK JP", "Noto Sans CJK JP"),
}
"""Families of fonts that are preferred; Typst finds others for letters that none of these has."""
_MISSING = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPE = re.compile(r"\\u\{([0-9a-f]{1,6})\}")
"""Matches an invisible character in Typst's messages."""


def main() -> int:
    """Converts the report on stdin to the format that the only argument names."""
    limit_memory(MAX_DOCUMENT_MEMORY_BYTES)
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    sys.setrecursionlimit(MAX_DEPTH)
    try:
        report = from_json(sys.stdin.buffer.read().decode())
        try:
            document, remark = convert(report, sys.argv[1])
        except MemoryError:
            if not report.pictures:
                raise
            document, remark = convert(replace(report, pictures=()), sys.argv[1])
            remark = " and ".join(filter(None, ("its pictures are left out, since they need too much memory", remark)))
    except RecursionError:
        remark = "its lists or quotations are nested too deeply"
    except MemoryError:
        remark = "it needs too much memory"
    except subprocess.TimeoutExpired:
        remark = f"Pandoc needs more than {PANDOC_TIMEOUT_S:.0f} seconds"
    except (ValueError, OSError, RuntimeError, subprocess.SubprocessError) as error:  # TypstError is a RuntimeError
        remark = " ".join(str(error).split())[:300]
    else:
        sys.stdout.buffer.write(document)
        sys.stderr.write(remark)
        return 0
    sys.stderr.write(remark)
    return 1


def convert(report: Report, format: str) -> tuple[bytes, str]:
    """Returns a document, and a sentence about letters that it cannot show; the sentence is empty if there are none.

    Args:
        format: "pdf", "docx" or "epub".
    """
    parsed = json.loads(_pandoc(document_markdown(report).encode(), "-f", _READER, "-t", "json"))
    if format == "pdf":
        with TemporaryDirectory() as folder:
            return _pdf(parsed, report, Path(folder))
    tree = document_tree(parsed, report, format)
    data = json.dumps(tree).encode()
    if format == "epub":
        style = f"header-includes=<style>{EPUB_STYLE}</style>"
        made = _pandoc(data, "-f", "json", "-t", "epub", "-V", style, "-o", "-")
        return finish_epub(made, tree["meta"]["dir"]["c"], tree["meta"]["title-dir"]["c"]), ""
    return finish_docx(_pandoc(data, "-f", "json", "-t", "docx", "-o", "-")), ""


def _pandoc(data: bytes, *arguments: str) -> bytes:
    package = find_spec("pypandoc")
    assert package and package.origin
    # The package's own program: another one on the path may read Markdown in another way.
    program = Path(package.origin).parent / "files" / ("pandoc.exe" if sys.platform == "win32" else "pandoc")
    command = [str(program), "+RTS", f"-M{PANDOC_HEAP}", "-RTS", "--sandbox", "--syntax-highlighting=none", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, timeout=PANDOC_TIMEOUT_S)
    if done.returncode == _HEAP_EXHAUSTED:
        raise MemoryError
    if done.returncode:
        raise ValueError(f"Pandoc failed: {done.stderr.decode(errors='replace')}")
    return done.stdout


def _pdf(parsed: Node, report: Report, folder: Path) -> tuple[bytes, str]:
    """Makes a PDF in an empty folder, the only one that Typst may read."""
    import typst

    shown = replace(report, pictures=tuple(p for p in report.pictures if _save_readable(p, folder)))
    tree = document_tree(parsed, shown, "pdf")
    body = _pandoc(json.dumps(tree).encode(), "-f", "json", "-t", "typst", "--wrap=none").decode()
    fonts = typst.Fonts()
    language = tree["meta"]["lang"]["c"]
    primary, _, script = language.partition("-")
    facts = {
        "title": report.title,
        "author": report.agent,
        "about": f"{' · '.join(filter(None, (report.created[:10], report.agent)))}\n{report.interaction_id}".strip(),
        "dir": tree["meta"]["dir"]["c"],
        "title_dir": tree["meta"]["title-dir"]["c"],
        "lang": primary,
        "script": script.lower(),
        "fonts": json.dumps(_families(language, fonts.families())),
    }
    source, nothing = folder / "report.typ", folder / "none"
    source.write_text(f"{TYPST_TEMPLATE}{body}", encoding="utf-8")
    compiler = typst.Compiler(None, folder, fonts, sys_inputs=facts, package_path=nothing, package_cache_path=nothing)
    made, missing, time = folder / "report.pdf", "", _seconds(report.created)
    try:  # the standard for archives refuses a letter that no font has
        compiler.compile(source, made, format="pdf", pdf_standards="a-2u", timestamp=time)
    except typst.TypstError as error:
        named = "".join(_MISSING.findall(error.diagnostic))
        missing = "".join(dict.fromkeys(_ESCAPE.sub(lambda code: chr(int(code[1], 16)), named)))
        compiler.compile(source, made, format="pdf", pdf_standards=None, timestamp=time)
    return made.read_bytes(), missing_letters(missing) if missing else ""


def _save_readable(picture: Picture, folder: Path) -> bool:
    """Saves a picture; returns whether Typst can read it. An unreadable picture would end the whole conversion."""
    import typst

    (folder / picture.name).write_bytes(picture.data)
    try:
        typst.Compiler(f'#image("{picture.name}")'.encode(), folder, ignore_system_fonts=True).compile(format="pdf")
    except typst.TypstError:
        return False
    return True


def _seconds(created: str) -> int:
    """Converts a time in ISO 8601 to seconds since the epoch, or 0 if it is another text."""
    try:
        return int(datetime.fromisoformat(created).timestamp())
    except (ValueError, OverflowError):
        return 0


def _families(language: str, installed: Collection[str]) -> list[str]:
    """Returns the installed fonts that are preferred. The fonts of the document's language precede others."""
    wanted = dict.fromkeys(name for key in ("", language, *_FONTS) for name in _FONTS.get(key, ()))
    return [name for name in wanted if name in installed]


def missing_letters(letters: str) -> str:
    """Formats a sentence about letters that no font has, with the package that has fonts for them."""
    packages = sorted({_package(letter) for letter in letters})
    shown = ", ".join(letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in letters[:5])
    shown += f" and {len(letters) - 5} more" if len(letters) > 5 else ""
    return f"no font of this machine has {shown}: install {' and '.join(packages)}, or other fonts with these letters"


def _package(letter: str) -> str:
    """Returns the Debian package with a font for a letter."""
    name = unicodedata.name(letter, "")
    if name.startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH")):
        return "fonts-noto-cjk"
    return "fonts-noto-color-emoji" if unicodedata.category(letter) == "So" else "fonts-noto-core"


if __name__ == "__main__":
    sys.exit(main())
