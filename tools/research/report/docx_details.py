"""Adds to a Word document of Pandoc's what Pandoc leaves out: page numbers, the paper, tables from right to left."""

from __future__ import annotations

import io
import re
import zipfile

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


def finish_docx(data: bytes) -> bytes:
    """Returns a Word document with page numbers, on A4 paper, with tables in the direction of their text."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if change := _CHANGES.get(entry.filename):
                content = change(content.decode()).encode()
            new.writestr(entry, content)
        new.writestr("word/footer-pages.xml", _FOOTER)
    return written.getvalue()


def _document(xml: str) -> str:
    body, _, end = xml.rpartition("<w:sectPr")
    reference = f'<w:footerReference xmlns:r="{_OFFICE}" w:type="default" r:id="rIdPages"/>'
    end = re.sub(r"^([^>]*>)(.*?)(</w:sectPr>)", rf"\1{reference}\2{_PAPER}\3", end, count=1, flags=re.DOTALL)
    body = re.sub(r"<w:tbl>.*?</w:tbl>", lambda table: _table(table[0]), body, flags=re.DOTALL)
    return f"{body}<w:sectPr{end}"


def _table(xml: str) -> str:
    """Makes the first column the right one if the text of the table is written from right to left."""
    style = '<w:tblStyle w:val="Table" />'
    return xml.replace(style, f"{style}<w:bidiVisual />", 1) if "<w:bidi />" in xml else xml


def _relations(xml: str) -> str:
    footer = f'<Relationship Id="rIdPages" Type="{_OFFICE}/footer" Target="footer-pages.xml"/>'
    return xml.replace("</Relationships>", f"{footer}</Relationships>")


def _types(xml: str) -> str:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml"
    return xml.replace("</Types>", f'<Override PartName="/word/footer-pages.xml" ContentType="{kind}"/></Types>')


_CHANGES = {
    "word/document.xml": _document,
    "word/_rels/document.xml.rels": _relations,
    "[Content_Types].xml": _types,
}
