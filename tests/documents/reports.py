"""Reports that the tests convert, and helpers that read the documents."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from typing import Any

from pypdf import PdfReader

from tests.research.resources import finished, url_citation
from tests.scripts import PIXEL
from tools.research.report.reading import read_report
from tools.research.report.report import Report

PICTURE = {"type": "image", "mime_type": "image/png", "data": base64.b64encode(PIXEL).decode()}
FIRST, SECOND = "https://e.org/first", "https://e.org/second?a=b&c=d"
LONG = "https://e.org/" + "q7" * 120
ENGLISH = f"""# Heat pumps

It works below zero. It works again, and the price of this is not high.

## What it costs

| country | price | where |
|---|--:|---|
| Norway | 4,500 | {LONG} |

## 日本語の要約

日本語の文章です。

## ملخص بالعربية

مضخات الحرارة تعمل في البرد.

| البلد | السعر |
|---|--:|
| النرويج | 4500 |

### The end

```python
price = 1
```

Thank you for the time.
"""
ARABIC = """# مضخات الحرارة

تعمل المضخة في البرد. تنقل المضخة الحرارة من الخارج إلى الداخل، وهي تعمل في درجات حرارة منخفضة.

| البلد | السعر |
|---|--:|
| النرويج | 4500 |

This paragraph is in English and it is a part of the Arabic text.
"""


def report(text: str, **cited: list[str]) -> Report:
    """A report with a picture at its end. `cited` maps the name of an address ("first") to the cited passages."""
    addresses = {"first": FIRST, "second": SECOND}
    annotations = []
    for name, passages in cited.items():
        for passage in passages:
            start = len(text[: text.index(passage)].encode())
            end = start + len(passage.encode())
            annotations.append(url_citation(addresses[name], f"The {name} source", start, end))
    return read_report(finished([{"type": "text", "text": text, "annotations": annotations}, PICTURE]))


def pdf(data: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(data))


def pdf_text(data: bytes) -> str:
    """The text of a PDF, without line breaks."""
    return " ".join(" ".join(page.extract_text() for page in pdf(data).pages).split())


def pdf_links(data: bytes) -> tuple[list[str], list[Any]]:
    """The web addresses and the targets in the same document that a PDF links."""
    web, local = list[str](), list[Any]()
    for page in pdf(data).pages:
        for annotation in page.get("/Annots", []):
            link = annotation.get_object()
            action = link.get("/A", {})
            if "/URI" in action:
                web.append(str(action["/URI"]))
            elif (target := action.get("/D", link.get("/Dest"))) is not None:
                local.append(target)
    return web, local


def places(data: bytes) -> dict[str, float]:
    """The distance of each piece of text from the left edge of the first page, in points."""
    found: dict[str, float] = {}

    def visit(text: str, cm: list[float], tm: list[float], _font: Any, _size: float) -> None:
        if text.strip():
            found[text.strip()] = cm[0] * tm[4] + cm[2] * tm[5] + cm[4]

    pdf(data).pages[0].extract_text(visitor_text=visit)
    return found


def line_starts(data: bytes) -> list[float]:
    """The distance of each piece of drawn text from the left edge of the first page, in points, from top to bottom."""
    found = list[tuple[float, float]]()

    def visit(operator: bytes, _operands: Any, cm: list[float], tm: list[float]) -> None:
        if operator in (b"Tj", b"TJ"):
            found.append((-(cm[3] * tm[5] + cm[5]), cm[0] * tm[4] + cm[4]))

    pdf(data).pages[0].extract_text(visitor_operand_before=visit)
    return [x for _, x in sorted(found)]


def parts(data: bytes) -> dict[str, str]:
    """The files of a Word document or an EPUB, as text."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist()}


def paragraphs(document: str) -> list[str]:
    """The paragraphs of a Word document, as XML."""
    return re.findall(r"<w:p>.*?</w:p>", document, re.DOTALL)
