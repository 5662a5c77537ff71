"""A report as PDF, Word and EPUB: complete, in the right direction, and harmless whatever the report contains."""

from __future__ import annotations

import posixpath
import re
import socket
import struct
import subprocess
import sys
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.documents.reports import (
    ENGLISH,
    FIRST,
    LONG,
    SECOND,
    line_starts,
    paragraphs,
    parts,
    pdf,
    pdf_links,
    pdf_text,
    places,
    report,
)
from tests.research.resources import PNG, finished, text_part, url_citation
from tools.research import limited_process
from tools.research.report import documents, export
from tools.research.report.check_texts import SYMBOLS
from tools.research.report.document_worker import convert
from tools.research.report.documents import DocumentError, DocumentsMissing, render_document, to_document
from tools.research.report.reading import read_report
from tools.research.report.report import Picture, Report
from tools.research.verification.checks import SourceCheck, Verification

FORMATS = ("pdf", "docx", "epub")
MIDDLE = 300
"""Points from the left edge to the middle of a page."""
SECRET = "the contents of a file of this machine"
CODE = 'GREEN"#panic("code ran")'


@pytest.fixture(scope="module")
def english() -> Report:
    return report(ENGLISH, first=["below zero", "works again"], second=["4,500"])


@pytest.fixture(scope="module")
def made(english: Report) -> dict[str, bytes]:
    """The English report in all formats."""
    return {format: to_document(english, format) for format in FORMATS}


def hostile(secret: Path, server: str) -> Report:
    """A report that tries to read a file, to run code and to reach a server, in all languages of the conversion."""
    attacks = (
        f'#read("{secret}") #include "{secret}" #image("{server}/a.png") #import "@preview/cetz:0.3.0"',
        f'`#read("{secret}")`{{=typst}}\n\n```{{=typst}}\n#read("{secret}")\n```',
        f"```{{=openxml}}\n<w:altChunk r:id='{secret}'/>\n```\n\n\\input{{{secret}}} $\\input{{{secret}}}$",
        f"![x]({secret}) ![x](file://{secret}) ![x](../../../../../..{secret}) ![x]({server}/b.png)",
        f'<img src="{server}/c.png"> <script>fetch("{server}")</script> <iframe src="{secret}"></iframe>',
        f'[x](<https://e.org/"){CODE} #link(">) [x](https://e.org/#{CODE})',
        f"| ] {CODE} | `] {CODE}` |\n|---|---|\n| \\] {CODE} | ) {CODE} |",
        f"``````\n``` ] {CODE}\n#panic()\n`````` \n\n```a]{CODE}\nx\n```",
        "[a](#source-1) [b](#source-99) [c](#nowhere) <source-1> @source-1 #sources",
        f"---\ntitle: x\ninclude-before: {secret}\n---\n\n::: {{.include}}\n{secret}\n:::",
        f"// {CODE} */ /* x\n\n= {CODE}\n\n/ a: {CODE}\n\n\\u{{41}} $ x $ <x> ]]] ))) }}}}}}",
    )
    read = read_report(finished([text_part(f"# Title {CODE}\n\nFact.\n\n" + "\n\n".join(attacks), ("Fact", FIRST))]))
    broken = Picture("figure-1.png", "image/png", PNG)
    return Report(**{**vars(read), "text": f"{read.text}\n\n{broken.mark}\n", "pictures": (broken,)})


@pytest.mark.parametrize("format", FORMATS)
async def test_a_hostile_report_cannot_read_a_file_run_code_or_reach_the_network(format: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        data = await render_document(hostile(secret, f"http://127.0.0.1:{server.getsockname()[1]}"), format, "ada")
        with pytest.raises(BlockingIOError):  # nobody has connected
            server.accept()
    text = pdf_text(data) if format == "pdf" else "".join(parts(data).values())
    assert SECRET not in text
    assert SECRET.encode() not in data
    assert text.count("GREEN") >= 8  # the code is shown as text
    if format == "pdf":
        web, _ = pdf_links(data)
        assert web and all(url.startswith(("https://", "http://")) for url in web)
    else:
        active = re.compile(r"<(script|iframe|w:altChunk|w:object|img src=.(?!\.\./media/))")
        assert [found[0] for part in parts(data).values() if (found := active.search(part))] == []


def test_a_pdf_has_title_outline_language_table_picture_and_links_both_ways(made: dict[str, bytes]) -> None:
    data = made["pdf"]
    read, text = pdf(data), pdf_text(data)
    outline = [entry["/Title"] for entry in read.outline if isinstance(entry, dict)]
    web, local = pdf_links(data)

    assert read.metadata and read.metadata.title == "Heat pumps"
    assert text.startswith("Heat pumps 2026-11-22 · deep-research-preview-04-2026 v1_a")
    assert outline == ["What it costs", "日本語の要約", "ملخص بالعربية", "Sources"]
    assert read.trailer["/Root"]["/Lang"] == "en"
    assert "Norway 4,500[2]" in text
    assert "below zero[1]. It works again[1]" in text
    assert f"1. The first source {FIRST} ↑ ↑2 2. The second source {SECOND} ↑" in text
    assert "Figure 1" in text
    assert len(read.pages[0].images) == 1
    assert sorted(web) == [FIRST, SECOND]
    assert len(local) == 6  # three citations, and three links back
    assert f"1 / {len(read.pages)}" in text


def test_a_long_word_is_whole_and_on_several_lines(made: dict[str, bytes]) -> None:
    word = "x" * 240
    data = to_document(report(f"# Title\n\n{word}"), "pdf")

    assert LONG in pdf_text(made["pdf"]).replace(" ", "")
    assert word in pdf_text(data).replace(" ", "")
    left = places(data)["Title"]
    assert sum(abs(x - left) < 1 for x in line_starts(data)) >= 5  # title, date, three lines


def test_a_word_document_has_title_sources_table_picture_and_page_numbers(made: dict[str, bytes]) -> None:
    files = parts(made["docx"])
    document, relations = files["word/document.xml"], files["word/_rels/document.xml.rels"]
    words = ["".join(re.findall(r"<w:t[^>]*>([^<]*)", paragraph)) for paragraph in paragraphs(document)]

    assert words[:4] == ["Heat pumps", "deep-research-preview-04-2026", "2026-11-22", "v1_a"]
    assert "<dc:title>Heat pumps</dc:title>" in files["docProps/core.xml"]
    assert document.count("<w:tbl>") == 2
    assert [name for name in files if name.startswith("word/media/")] != []
    assert "Figure 1" in words
    anchors = re.findall(r'w:anchor="([^"]+)"', document)
    assert anchors == ["source-1", "source-1", "source-2", "citation-1-1", "citation-1-2", "citation-2-1"]
    assert set(anchors) <= set(re.findall(r'<w:bookmarkStart[^>]*w:name="([^"]+)"', document))
    assert f'Target="{FIRST}"' in relations
    assert 'r:id="rIdPages"' in document and 'Id="rIdPages"' in relations
    assert "PAGE" in files["word/footer-pages.xml"]
    assert "/word/footer-pages.xml" in files["[Content_Types].xml"]


def test_an_epub_has_title_language_sources_table_and_picture_and_all_its_links_lead_somewhere(
    made: dict[str, bytes],
) -> None:
    files = parts(made["epub"])
    pages = {name: text for name, text in files.items() if name.startswith("EPUB/text/")}
    package, everything = files["EPUB/content.opf"], "".join(pages.values())

    assert next(iter(files)) == "mimetype"
    for said in ("<dc:language>en<", ">Heat pumps</dc:title>", ">v1_a</dc:identifier>", ">2026-11-22</dc:date>"):
        assert said in package
    assert everything.count("<table>") == 2
    assert 'alt="Figure 1"' in everything
    assert f'<a href="{FIRST}">The first source</a>' in everything
    places = {f"{name}#{anchor}" for name, text in pages.items() for anchor in re.findall(r'id="([^"]+)"', text)}
    links = [
        posixpath.join("EPUB/text", link)
        for text in pages.values()
        for link in re.findall(r'href="([^":]*#[^"]+)"', text)
    ]
    assert len(links) == 6
    assert set(links) <= places


def test_a_long_address_without_a_title_is_one_line_of_the_sources() -> None:
    address = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/" + "A" * 300
    text = {"type": "text", "text": "# T\n\nFact.", "annotations": [url_citation(address, "", 0, 10)]}
    cited = read_report(finished([text]))
    data = to_document(cited, "pdf")

    assert {*pdf_links(data)[0]} == {address}
    assert "https://vertexaisearch.cloud.google.com/grounding-… ↑" in pdf_text(data)


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_of_a_billion_pixels_never_costs_the_document(format: str) -> None:
    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(bytes(3_751 * 100)) for _ in range(300)) + packed.flush()
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    vast = Picture("figure-1.png", "image/png", png)
    said = list[str]()
    data = to_document(replace(report("# Title\n\nWords."), pictures=(vast,)), format, warn=said.append)

    assert data
    if said:
        assert "its pictures are left out, since they need too much memory" in said[0]


def test_a_conversion_that_is_ended_leaves_no_file(
    english: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed = "import os, tempfile; tempfile.mkstemp(); os.kill(os.getpid(), 9)"
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **options: run([sys.executable, "-c", killed], **options))
    with pytest.raises(DocumentError):
        to_document(english, "pdf")
    assert list(tmp_path.iterdir()) == []


def without_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without fonts: Typst has only its own."""
    import typst

    fonts = typst.Fonts(include_system_fonts=False)
    monkeypatch.setattr(typst, "Fonts", lambda: fonts)


def test_letters_that_no_font_has_are_named_with_the_package_and_the_document_is_still_made(
    english: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_fonts(monkeypatch)
    data, remark = convert(english, "pdf")

    assert remark.startswith("no font of this machine has 日, 本, 語, ")
    assert remark.endswith("more: install fonts-noto-cjk, or other fonts with these letters")
    assert "Norway 4,500" in pdf_text(data)


def test_japanese_text_has_its_letters_or_the_missing_font_is_named_once(english: Report) -> None:
    said = list[str]()
    text = pdf_text(to_document(english, "pdf", warn=said.append))

    if said:  # a machine without such fonts
        assert len(said) == 1
        assert said[0].startswith("the PDF of “Heat pumps”: no font of this machine has 日")
    else:
        assert "日本語の文章です。" in text


@pytest.mark.parametrize("format", FORMATS)
def test_a_report_that_takes_too_long_is_an_error(english: Report, format: str) -> None:
    with pytest.raises(DocumentError, match=f"the {format.upper()} of “Heat pumps” cannot be made: it takes more than"):
        to_document(english, format, timeout_s=0)


def test_deeply_nested_text_is_converted_or_refused_in_one_sentence() -> None:
    nested = "> " * 40 + "submerged\n\n" + "".join(f"{'  ' * n}- item\n" for n in range(40))
    text = pdf_text(to_document(report(nested), "pdf"))
    assert ("submerged" in text, text.count("item")) == (True, 41)  # one is the title
    with pytest.raises(DocumentError) as refused:
        to_document(report("> " * 20_000 + "submerged"), "docx")
    assert len(str(refused.value).splitlines()) == 1


def test_a_document_that_cannot_be_made_is_named_and_does_not_lose_the_other_files(
    english: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_process.sys, "executable", "/bin/false")
    said = list[str]()
    paths = export.save(english, tmp_path, ["md", "json", "pdf"], warn=said.append)

    assert [path.name for path in paths] == ["report.md", "report.json", "figure-1.png"]
    assert [text.partition(" cannot be made")[0] for text in said] == ["the PDF of “Heat pumps”"]


def test_an_unknown_format_and_a_missing_extra_are_refused_before_anything_is_written(
    english: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="unknown document format odt: use pdf, docx, epub"):
        to_document(english, "odt")
    found = documents.find_spec
    monkeypatch.setattr(documents, "find_spec", lambda name: None if name == "typst" else found(name))
    for attempt in (lambda: to_document(english, "docx"), lambda: export.save(english, tmp_path / "x", ["md", "pdf"])):
        with pytest.raises(DocumentsMissing, match=r"pip install 'research-desk\[documents\]'"):
            attempt()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The price of the pump is not high and it is for the cold.", "en"),
        ("Der Preis der Pumpe ist nicht hoch und die Kälte ist egal.", "de"),
        ("研究報告與國家", "zh-Hant"),
        ("研究报告与国家", "zh-Hans"),
        ("寒冷地における market の動向", "ja"),
        ("한국어 문장과 English", "ko"),
        ("مضخات الحرارة", "ar"),
        ("پمپ گرمایی چیست", "fa"),
        ("משאבת חום IEA", "he"),
        ("тепловий насос і її ціна", "uk"),
        ("TPU v5", "und"),
        ("42 %", ""),
    ],
)
def test_the_language_of_a_text_is_guessed_from_its_letters_and_words(text: str, language: str) -> None:
    from tools.research.report.languages import language_of

    assert language_of(text) == language


def test_a_picture_that_a_format_cannot_show_is_named_in_the_document(english: Report) -> None:
    changed: Any = {**vars(english), "pictures": (Picture("figure-1.png", "image/heic", b"x"),)}
    for format in FORMATS:
        data = to_document(Report(**changed), format)
        assert "figure-1" in (pdf_text(data) if format == "pdf" else "".join(parts(data).values()))


def test_the_checks_of_sources_are_in_the_document(english: Report) -> None:
    checks = (SourceCheck(1, FIRST, archived_url="https://web.archive.org/x"), SourceCheck(2, SECOND))
    data = to_document(replace(english, verification=Verification("2026-11-22T17:00:00Z", checks)), "pdf")

    assert f"{FIRST} — {SYMBOLS[checks[0].verdict]} {checks[0].verdict} (archived copy) ↑" in pdf_text(data)
    assert "https://web.archive.org/x" in pdf_links(data)[0]
    assert "Checks of the sources" in pdf_text(data)


@pytest.mark.parametrize("mark", ["/", "-", "+", "=", "=="])
def test_a_mark_of_typst_at_the_beginning_of_a_link_a_cell_or_an_item_is_only_text(mark: str) -> None:
    text = f"[{mark} link](https://e.org/)\n\n| {mark} head | b |\n|---|---|\n| {mark} cell | b |\n\n* \\{mark} item"
    shown = pdf_text(to_document(report(text), "pdf"))
    assert all(f"{mark} {word}" in shown for word in ("link", "head", "cell", "item"))
