"""Each part of a document is written in the direction of its own letters, whatever the language of the report."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.documents.reports import ARABIC, ENGLISH, FIRST, LONG, paragraphs, parts, pdf, pdf_text, places, report
from tools.research.report.document_worker import convert
from tools.research.report.documents import to_document
from tools.research.report.html_pages import render_html_blocking
from tools.research.report.html_rendering import to_fragment, to_html
from tools.research.report.writing_direction import LEFT_TO_RIGHT, NUMBER, direction_of
from tools.research.verification.checks import SourceCheck, Verification

MIDDLE = 300
"""Points from the left edge to the middle of a page."""
LTR_MARK = "\u200e"
ARABIC_WITH_ENGLISH = """# Heat Pumps 2026

تعمل المضخة في البرد حتى −15 °C. تنقل المضخة الحرارة من الخارج إلى الداخل.

## Key findings

Short line.

| Model | Price |
|---|--:|
| Nordic | 4,500 |

> Quoted words.

```python
price = 1
```

## الأسعار

| البلد | التغير |
|---|--:|
| النرويج | −3.5 % |
| Finland | +2 % |

- البند الأول
- Polar Max.
- البند الثالث

استخدم `pip install` ثم انتظر.
"""
"""An Arabic report with English parts that are too short to show their language."""


def docx(text: str) -> tuple[str, dict[str, str]]:
    """The XML of a Word document, and of its paragraphs by their text."""
    document = parts(to_document(report(text, first=["البرد"] if "البرد" in text else []), "docx"))["word/document.xml"]
    texts = ("".join(re.findall(r"<w:t[^>]*>([^<]*)", paragraph)) for paragraph in paragraphs(document))
    return document, {text.strip(f" {LTR_MARK}"): p for text, p in zip(texts, paragraphs(document), strict=True)}


def epub(text: str) -> str:
    """All pages of an EPUB."""
    files = parts(to_document(report(text), "epub"))
    return "".join(page for name, page in files.items() if name.endswith(".xhtml"))


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("Key findings", "ltr"),
        ("日本語", "ltr"),
        ("مضخات الحرارة", "rtl"),
        ("משאבות חום", "rtl"),
        ("پمپ گرمایی", "rtl"),
        ("ܫܠܡܐ", "rtl"),  # Syriac, a language that nothing here knows
        ("IEA هي وكالة الطاقة الدولية", "rtl"),
        ("تدعم Kubernetes و Prometheus و Grafana", "rtl"),
        ("COP عند −7 °C", "rtl"),
        ("The word مضخة means pump.", "ltr"),
        ("مصدر https://e.org/a-long-address/with/words", "rtl"),
        ("2023 −3.5 %, 5 °C", None),
    ],
)
def test_the_direction_of_a_text_comes_from_its_letters(text: str, direction: str | None) -> None:
    assert direction_of(text) == direction


def test_numbers_with_a_sign_or_a_unit_are_written_from_left_to_right() -> None:
    text = "إلى −15 °C ثم (-7) و +3.5 % و−$4,500 في 2026-11-22 والمدى 10–20 ° C عند https://e.org/a/."
    found = ["−15 °C", "-7", "+3.5 %", "2026-11-22", "10–20 ° C", "https://e.org/a/"]
    assert [piece for piece in LEFT_TO_RIGHT.findall(text) if "$" not in piece] == found
    assert LEFT_TO_RIGHT.findall("2019-2024 COVID-19 3.5 v1.-2") == []
    assert LEFT_TO_RIGHT.findall("C++ و C# و +49-30-1234") == ["C++", "C#", "+49-30-1234"]


def test_a_sign_after_a_space_that_does_not_break_stays_on_the_left_of_its_number() -> None:
    text = "إلى\u00a0−15\u00a0°C و 3\u00a0-7 و 1\u202f000\u00a0%"
    assert LEFT_TO_RIGHT.findall(text) == ["−15\u00a0°C", "-7", "1\u202f000\u00a0%"]


@pytest.mark.parametrize("mark", ["\u00a0", "\u202f", "٫", "٬", ".", ","])
def test_a_long_number_is_read_from_its_beginning_only(mark: str) -> None:
    number, text = re.compile(NUMBER), f"1{mark}" * 9 + "1"
    assert [start for start in range(0, len(text), 2) if number.match(text, start)] == [0]


def test_many_numbers_in_a_row_do_not_cost_the_web_page() -> None:
    page = render_html_blocking(report(f"# مضخة\n\n{'1-' * 50_000}"))

    assert 'class="plain"' not in page  # that is the page of a report that takes too long


def test_arabic_text_is_set_from_right_to_left_and_an_english_paragraph_in_it_is_not() -> None:
    arabic = report(ARABIC, first=["في البرد"])
    data, remark = convert(arabic, "pdf")
    at = places(data)
    document = parts(to_document(arabic, "docx"))["word/document.xml"]
    chapter = parts(to_document(arabic, "epub"))["EPUB/text/ch001.xhtml"]

    assert remark == ""  # a font that comes with Typst has these letters
    assert pdf(data).trailer["/Root"]["/Lang"] == "ar"
    assert at["مضخات"] > MIDDLE  # the first word of the title
    assert at["البلد"] > at["السعر"]  # the first column is the right one
    assert at["المصادر"] > MIDDLE
    assert next(x for text, x in at.items() if text.startswith("This paragraph")) < MIDDLE
    by_text = {"".join(re.findall(r"<w:t[^>]*>([^<]*)", p)): p for p in paragraphs(document)}
    for text, paragraph in by_text.items():
        if text.startswith(("مضخات", "تعمل", "البلد", "المصادر")):
            assert "<w:bidi />" in paragraph and "<w:rtl />" in paragraph, text
        if text.startswith("This paragraph"):
            assert "<w:bidi />" not in paragraph
    assert document.count("<w:bidiVisual />") == 1
    assert '<html dir="rtl"' in chapter
    assert '<div lang="en" dir="ltr">' in chapter


def test_the_language_of_a_report_is_that_of_its_parts_in_the_main_direction() -> None:
    names = "| البلد | الطراز |\n|---|---|\n" + "| النرويج | Nordic Promaster |\n" * 9
    arabic = report(f"# مضخات الحرارة\n\nتعمل المضخة في البرد.\n\nIt is for the cold.\n\n{names}", first=["في البرد"])
    checked = replace(arabic, verification=Verification("2026-11-22T17:00:00Z", (SourceCheck(1, FIRST),) * 9))
    data = to_document(checked, "pdf")

    assert pdf(data).trailer["/Root"]["/Lang"] == "ar"
    assert "المصادر" in pdf_text(data)


def test_arabic_and_japanese_parts_of_an_english_report_have_their_own_direction_and_language() -> None:
    english = report(ENGLISH)
    at = places(to_document(english, "pdf"))
    document = parts(to_document(english, "docx"))["word/document.xml"]

    assert at["What it costs"] < MIDDLE < at["ملخص"]
    assert at["البلد"] > at["السعر"]
    right_to_left = [p for p in paragraphs(document) if "<w:bidi />" in p]
    assert {"ar"} == {language for p in right_to_left for language in re.findall(r'w:lang w:val="(\w+)"', p)}
    assert len(right_to_left) == 6  # heading, paragraph, four cells
    assert 'w:lang w:val="ja"' in document


def test_english_parts_of_an_arabic_pdf_are_not_turned_however_short_they_are() -> None:
    at = places(to_document(report(ARABIC_WITH_ENGLISH), "pdf"))

    for text in ("Heat Pumps 2026", "Key findings", "Short line.", "Quoted words.", "price = 1"):
        assert at[text] < MIDDLE, text
    assert at["Model"] < at["Price"]
    assert at["الأسعار"] > MIDDLE
    assert at["البلد"] > at["التغير"]


def test_english_parts_of_an_arabic_word_document_are_not_turned_however_short_they_are() -> None:
    document, by_text = docx(ARABIC_WITH_ENGLISH)

    for text in ("Heat Pumps 2026", "2026-11-22", "Key findings", "Short line.", "Model", "Quoted words.", "price = 1"):
        assert "<w:bidi />" not in by_text[text] and "<w:rtl />" not in by_text[text], text
    assert ["<w:bidiVisual />" in table for table in re.findall(r"<w:tbl>.*?</w:tbl>", document, re.DOTALL)] == [
        False,
        True,
    ]
    for text in ("Finland", "Polar Max."):  # the text only: the cell and the item keep their place
        assert "<w:bidi />" in by_text[text] and "<w:rtl />" not in by_text[text], text
    code = next(paragraph for text, paragraph in by_text.items() if "pip install" in text)
    assert re.search(r"<w:rtl />", re.findall(r"<w:r>.*?</w:r>", code)[-1])
    assert "<w:rtl />" not in next(run for run in re.findall(r"<w:r>.*?</w:r>", code) if "pip install" in run)


def test_english_parts_of_an_arabic_epub_are_not_turned_however_short_they_are() -> None:
    pages = epub(ARABIC_WITH_ENGLISH)

    assert re.search(r'class="titlepage" dir="ltr">\s*<h1 class="title"><span dir="ltr">Heat Pumps 2026<', pages)
    assert '<h1 lang="und" dir="ltr">Key findings</h1>' in pages
    for text in ("<p>Short line.", "<table>", "<blockquote>"):
        assert re.search(rf'<div lang="und" dir="ltr">\s*{text}', pages), text
    assert '<li><span lang="und" dir="ltr">Polar Max.</span></li>' in pages
    assert '<span dir="ltr"><code>pip install</code></span>' in pages


def test_english_parts_of_an_arabic_web_page_are_not_turned_however_short_they_are() -> None:
    arabic = report(ARABIC_WITH_ENGLISH)
    page = to_html(arabic)

    assert '<main dir="rtl">' in page
    for block in ('<h1 dir="ltr">Heat', '<h2 dir="ltr">Key', '<p dir="ltr">Short', '<blockquote dir="ltr">'):
        assert block in page, block
    assert re.findall(r'<table dir="(\w+)">', page) == ["ltr", "rtl"]
    assert '<h2 dir="rtl">الأسعار' in page
    assert re.search(r'<ul dir="rtl">.*<li><bdi dir="ltr">Polar Max.</bdi></li>', page, re.DOTALL)
    assert page.count('<bdi dir="ltr">−15 °C</bdi>') == 1
    assert '<p dir="ltr">Short' in to_fragment(arabic)
    assert ' dir="' not in to_fragment(report("# Title\n\nIt is 日本語 at −15 °C.\n\n- One\n"))


def test_the_direction_of_a_heading_in_an_epub_is_not_that_of_the_text_below() -> None:
    pages = epub("# Title\n\nIt is a text for the reader.\n\n## ملخص\n\nThis is not Arabic.\n")

    assert '<h1 lang="ar" dir="rtl">ملخص</h1>\n<p>This is not Arabic.</p>' in pages
    assert re.findall(r'<section [^>]*dir="rtl"', pages) == []


@pytest.mark.parametrize("words", ["تنخفض الحرارة إلى", "הטמפרטורה יורדת אל", "دما می‌رسد به"])
def test_the_sign_of_a_number_is_on_its_left_in_text_from_right_to_left(words: str) -> None:
    text = f"# {words}\n\n{words} −15 °C {words}.\n"
    _, by_text = docx(text)
    paragraph = next(xml for found, xml in by_text.items() if "15" in found)

    assert [piece for piece in places(to_document(report(text), "pdf")) if piece.startswith("−15 °C")]
    assert "<w:bidi />" in paragraph
    assert f'<w:r><w:t xml:space="preserve">{LTR_MARK}−15 °C{LTR_MARK}</w:t></w:r>' in paragraph
    assert '<span dir="ltr">−15 °C</span>' in epub(text)


def test_the_sign_of_a_number_is_on_its_left_beside_arabic_words_in_english_text() -> None:
    english = report("# Title\n\nThe word for it is عند −15 °C in the table, and it is written so.\n")
    at = places(to_document(english, "pdf"))

    assert at["عند"] < at["−15 °C"] < at["in the table, and it is written so."]
    assert f"{LTR_MARK}−15 °C{LTR_MARK}" in docx(english.text)[0]
    assert '<span dir="ltr">−15 °C</span>' in epub(english.text)
    assert '<bdi dir="ltr">−15 °C</bdi>' in to_html(english)


def test_a_number_does_not_turn_the_latin_words_behind_it_in_text_from_right_to_left() -> None:
    at = places(to_document(report("# مضخة\n\n«لا تتوقف المضخة عند −25 °C.» — NILU\n"), "pdf"))

    assert at["NILU"] < at["−25 °C"] < at["لا"]


def test_an_item_in_the_other_direction_stays_beside_the_mark_of_its_list() -> None:
    at = places(to_document(report(ARABIC_WITH_ENGLISH), "pdf"))
    english = places(to_document(report("# Title\n\n1. The first\n2. البند\n3. The third\n"), "pdf"))

    assert at["Polar Max."] > MIDDLE
    assert english["البند"] < 100


def test_a_table_with_arabic_heads_keeps_its_direction_and_a_list_of_latin_names_has_its_own() -> None:
    names = "- Nordic Pro\n- Polar Max\n\n| البلد | الطراز |\n|---|---|\n" + f"| Nordic Pro 2000 | {LONG} |\n" * 3
    at = places(to_document(report(f"{ARABIC.partition('|')[0]}{names}"), "pdf"))

    assert at["البلد"] > at["الطراز"]
    assert next(x for text, x in at.items() if text.startswith("Polar")) < MIDDLE


def test_a_column_on_the_right_is_on_the_right_in_a_word_document_from_right_to_left() -> None:
    _, by_text = docx(ARABIC_WITH_ENGLISH)

    assert '<w:jc w:val="right" />' in by_text["4,500"]
    assert '<w:bidi /><w:jc w:val="left" />' in by_text["−3.5 %"]  # Word means the side where lines begin


def test_two_tables_without_text_between_them_are_two_in_a_word_document() -> None:
    document, _ = docx("# Title\n\n| a | b |\n|---|---|\n| c | d |\n\n| البلد |\n|---|\n| النرويج |\n")

    assert re.search(r"</w:tbl><w:p/>\s*<w:tbl>", document)


def test_the_id_of_a_run_is_under_the_title_and_never_alone_on_a_page() -> None:
    long = report("# Title\n\n" + "A line.\n\n" * 60)
    pages = [page.extract_text() for page in pdf(to_document(replace(long, pictures=()), "pdf")).pages]

    assert len(pages) > 1
    assert ["v1_a" in page for page in pages] == [True] + [False] * (len(pages) - 1)
