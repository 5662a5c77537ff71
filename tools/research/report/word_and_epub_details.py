"""Adds to Pandoc's Word documents and EPUBs what Pandoc leaves out: page numbers, the paper, directions."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

_NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_FOOTER = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:ftr xmlns:w="{_NAMESPACE}"><w:p><w:pPr><w:jc w:val="center"/></w:pPr>
<w:r><w:rPr><w:sz w:val="18"/></w:rPr><w:fldChar w:fldCharType="begin"/></w:r>
<w:r><w:rPr><w:sz w:val="18"/></w:rPr><w:instrText xml:space="preserve"> PAGE </w:instrText></w:r>
<w:r><w:rPr><w:sz w:val="18"/></w:rPr><w:fldChar w:fldCharType="end"/></w:r>
</w:p></w:ftr>"""
_PAPER = """<w:pgSz w:w="11906" w:h="16838"/>
<w:pgMar w:top="1417" w:right="1417" w:bottom="1417" w:left="1417" w:header="708" w:footer="708" w:gutter="0"/>
"""
"""A4 with margins of 2.5 cm, in twentieths of a point."""

_OTHER_SIDE = {"left": "right", "right": "left"}
_SECTION = re.compile(r'(<section [^<>]*?) lang="[\w-]+" dir="\w+"')
"""Matches the start of a section with the direction of its heading, which is not that of the text below."""
_TEXTS = (".xml", ".rels", ".xhtml")


def finish_docx(data: bytes) -> bytes:
    """Returns a Word document with page numbers, on A4 paper, with its parts in the direction of their text."""
    changes = {
        "word/document.xml": _document,
        "word/_rels/document.xml.rels": _relations,
        "[Content_Types].xml": _types,
    }
    return _changed(data, lambda name, text: changes.get(name, str)(text), {"word/footer-pages.xml": _FOOTER})


def finish_epub(data: bytes, direction: str, title_direction: str) -> bytes:
    """Returns an EPUB whose pages have a direction. The language of its title may differ."""
    starts = {
        "<html": direction,
        '<section epub:type="titlepage" class="titlepage"': title_direction,
        '<h1 class="unnumbered"': title_direction,  # the title again, above text without a heading
    }

    def page(name: str, text: str) -> str:
        if name.endswith(".xhtml"):
            text = _SECTION.sub(r"\1", text)
            for start, dir in starts.items():
                text = text.replace(start, f'{start} dir="{dir}"', 1)
        return text

    return _changed(data, page, {})


def _changed(data: bytes, change: Callable[[str, str], str], more: dict[str, str]) -> bytes:
    """Changes the texts in an archive, and adds more of them.

    Args:
        change: returns the new text of a file, given its name and its text.
    """
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith(_TEXTS):
                content = change(entry.filename, content.decode()).encode()
            new.writestr(entry, content)
        for name, text in more.items():
            new.writestr(name, text)
    return written.getvalue()


def _document(xml: str) -> str:
    body, _, end = xml.rpartition("<w:sectPr")
    reference = f'<w:footerReference xmlns:r="{_OFFICE}" w:type="default" r:id="rIdPages"/>'
    end = re.sub(r"^([^>]*>)(.*?)(</w:sectPr>)", rf"\1{reference}\2{_PAPER}\3", end, count=1, flags=re.DOTALL)
    body = re.sub(r"<w:p>.*?</w:p>", lambda title: _title(title[0]), body, count=1, flags=re.DOTALL)
    body = re.sub(r"(?<=</w:tbl>)(?=\s*<w:tbl>)", "<w:p/>", body)  # else Word makes one table of two
    body = re.sub(r"<w:tbl>.*?</w:tbl>", lambda table: _table(table[0]), body, flags=re.DOTALL)
    return f"{body}<w:sectPr{end}"


def _title(xml: str) -> str:
    style = '<w:pStyle w:val="Title" />'
    return xml.replace(style, f"{style}<w:bidi />", 1) if "<w:rtl />" in xml else xml


def _table(xml: str) -> str:
    """Makes the first column the right one if the text of the table is written from right to left."""
    if "<w:bidi />" not in xml:
        return xml
    style = '<w:tblStyle w:val="Table" />'
    xml = xml.replace(style, f"{style}<w:bidiVisual />", 1)
    # In a paragraph from right to left, Word calls the side where lines end "right" (ECMA-376, 17.3.1.13).
    return re.sub(r'(?<=<w:bidi /><w:jc w:val=")(left|right)', lambda side: _OTHER_SIDE[side[0]], xml)


def _relations(xml: str) -> str:
    footer = f'<Relationship Id="rIdPages" Type="{_OFFICE}/footer" Target="footer-pages.xml"/>'
    return xml.replace("</Relationships>", f"{footer}</Relationships>")


def _types(xml: str) -> str:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml"
    return xml.replace("</Types>", f'<Override PartName="/word/footer-pages.xml" ContentType="{kind}"/></Types>')
