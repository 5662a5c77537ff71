"""Citations: each mark is in its place, each source is listed once, and the Markdown stays intact."""

import random
from typing import Any

import pytest

from tests.research.resources import MARK, finished, short, text_of, text_part, url_citation
from tools.interactions.citation_marks import Source, plain_marks, replace_urls
from tools.interactions.citations import Citation, cite, read_citations
from tools.interactions.source_list import source_list
from tools.research.report.reading import read_report

WORDS = ["chip", "Zürich", "研究", "🔬", "👩‍🔬", "e\u0301te\u0301", "ไทย", "naïve", "𝒳", "résumé", "数据", "🇫🇷", "né"]


def test_every_citation_mark_directly_follows_its_cited_bytes() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        text, annotations = "", []
        for word in chance.choices(WORDS, k=30):
            start = len(text.encode())
            text += word
            if chance.random() < 0.4:
                url = f"https://e.org/{chance.randrange(5)}"
                annotations.append(url_citation(url, 'A "b" [c] | `d`', start, len(text.encode())))
            text += chance.choice([" ", ", ", ".\n\n"])

        cited, sources = cite(text, read_citations(annotations))

        places = []
        for mark in MARK.finditer(cited):
            before = MARK.sub("", cited[: mark.start()])
            places.append((len(before.encode()), sources[int(mark[1]) - 1].url))
        assert MARK.sub("", cited) == text, f"seed {seed}"
        assert places == [(a["end_index"], a["url"]) for a in annotations], f"seed {seed}"


def test_each_source_has_one_number_in_order_of_first_appearance() -> None:
    part = text_part("a b c d", ("c", "https://e.org/2"), ("a", "https://e.org/1"), ("d", "https://e.org/1"))

    report = read_report(finished([part]))

    assert short(report.text) == "a{1} b c{2} d{1}"
    assert [source.url for source in report.sources] == ["https://e.org/1", "https://e.org/2"]


def test_citations_that_end_at_the_same_place_are_merged_without_duplicates() -> None:
    a, b = "https://e.org/a", "https://e.org/b"

    assert text_of("x one two.", ("x", b), ("two", a), ("one two", b), ("two", a)) == "x{1} one two{1}{2}."


@pytest.mark.parametrize(
    ("text", "cited", "expected"),
    [
        ("A fact [1]. More", "A fact", "A fact{1}. More"),
        ("A fact. [1] More", "A fact", "A fact.{1} More"),
        ("A fact. [1] More", "A fact.", "A fact.{1} More"),
        ("A fact [1]. More", "A fact [1]", "A fact{1}. More"),
        ("A fact [cite: 1, 2]. More", "A fact", "A fact{1}. More"),
        ("A fact.[2][3] More", "A fact.", "A fact.{1} More"),
        ("A fact [1, 2] More", "A fact [1, 2] ", "A fact{1} More"),
        ("A fact [2016] More", "A fact", "A fact{1} [2016] More"),
        ("A fact [1](https://x.org) More", "A fact", "A fact{1} [1](https://x.org) More"),
        ("A fact [1] and [2]", "A fact", "A fact{1} and [2]"),
    ],
)
def test_citation_numbers_written_by_the_model_are_replaced_and_not_duplicated(
    text: str, cited: str, expected: str
) -> None:
    assert text_of(text, (cited, "https://e.org/a")) == expected


@pytest.mark.parametrize(
    ("text", "cited", "expected"),
    [
        ("A fact.\n\n# Next", "A fact.\n\n", "A fact.{1}\n\n# Next"),
        ("|a|b|\n|-|-|\n| x | y |\n\nz", "| x | y |", "|a|b|\n|-|-|\n| x | y{1} |\n\nz"),
        ("Use `a b` now", "Use `a", "Use `a b`{1} now"),
        ("See [the page](https://x.org/p) now", "See [the", "See [the page](https://x.org/p){1} now"),
        ("Wow! So", "Wow!", "Wow\\!{1} So"),
        ("Wow! [1] So", "Wow!", "Wow\\!{1} So"),
        ("C:\\ is", "C:\\", "C:\\\\{1} is"),
        ("C:\\\\ is", "C:\\\\", "C:\\\\{1} is"),
        ("Wow\\! So", "Wow\\!", "Wow\\!{1} So"),
        ("Wow\\\\! So", "Wow\\\\!", "Wow\\\\\\!{1} So"),
        ("See [a](https://x.org/a_(b)) now", "See [a](https://x.org/a_(b", "See [a](https://x.org/a_(b)){1} now"),
    ],
)
def test_a_citation_mark_never_breaks_the_markdown_around_it(text: str, cited: str, expected: str) -> None:
    assert text_of(text, (cited, "https://e.org/a")) == expected


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("x\n\n```python\na = 1\n\nb = 2\n```\n\ny", "a = 1"),
        ("x\n\n```python\na = 1\n```\n\ny", "a = 1\n```"),
        ("|a|b|\n|-|-|\n| x | y |", "|a|b|\n|-|-|"),
    ],
)
def test_a_source_is_listed_even_where_no_mark_can_be_placed(text: str, cited: str) -> None:
    report = read_report(finished([text_part(text, (cited, "https://e.org/a"))]))

    assert report.text == text
    assert report.sources == (Source(1, "A", "https://e.org/a"),)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (999, "Zürich{1}"),
        (10**30, "Zürich{1}"),
        (2, "Z{1}ürich"),  # within the ü
        (-1, "Zürich"),
        (-(10**30), "Zürich"),
        (0, "Zürich"),
        (None, "Zürich"),
        ("3", "Zürich"),
        (2.5, "Zürich"),
        (True, "Zürich"),
        ({}, "Zürich"),
    ],
)
def test_a_bad_offset_loses_at_most_the_mark_and_never_the_source(end: Any, expected: str) -> None:
    annotation = {"type": "url_citation", "url": "https://e.org/a", "end_index": end}

    text, sources = cite("Zürich", read_citations([annotation]))

    assert text.replace('[\\[1\\]](https://e.org/a "https://e.org/a")', "{1}") == expected
    assert sources == (Source(1, "https://e.org/a", "https://e.org/a"),)


def test_replacing_urls_merges_adjacent_marks_of_one_source_and_keeps_others() -> None:
    found = [Citation(name, f"https://e.org/{name}", 1) for name in "abc"] + [Citation("d", "", 1)]
    text, sources = cite("x \\[9\\]", found)

    linked, merged = replace_urls(text, sources, {"https://e.org/c": "https://e.org/a"})

    assert short(linked) == "x{1}{2}\\[3\\] \\[9\\]"
    assert [(source.number, source.title) for source in merged] == [(1, "a"), (2, "b"), (3, "d")]
    assert plain_marks(text, sources) == "x[1][2][3][4] \\[9\\]"


def test_cited_files_are_listed_as_sources() -> None:
    files = [
        {"type": "file_citation", "file_name": "a.pdf", "document_uri": "https://e.org/a.pdf", "end_index": 1},
        {"type": "file_citation", "file_name": "b.pdf", "document_uri": "gs://bucket/b.pdf", "end_index": 1},
        {"type": "file_citation", "file_name": "c_d.pdf", "end_index": 1},
    ]

    text, sources = cite("x", read_citations(files))

    assert text == 'x[\\[1\\]](https://e.org/a.pdf "a.pdf")\\[2\\]\\[3\\]'
    assert source_list(sources) == "1. [a.pdf](https://e.org/a.pdf)\n2. b.pdf — gs://bucket/b.pdf\n3. c\\_d.pdf"


def test_the_title_of_a_source_cannot_turn_its_address_around() -> None:
    turned = {"type": "url_citation", "title": "Tides \u202efdp.exe", "url": "https://e.org/a", "end_index": 1}
    assert [found.title for found in read_citations([turned])] == ["Tides fdp.exe"]


def test_markdown_in_the_title_of_a_source_is_escaped() -> None:
    text, sources = cite("x", [Citation('*A* | "b" [c](d)', "https://e.org/(a b)", 1)])

    assert text == 'x[\\[1\\]](https://e.org/%28a%20b%29 "\\*A\\* \\| \\"b\\" \\[c\\](d)")'
    assert source_list(sources) == '1. [\\*A\\* \\| \\"b\\" \\[c\\](d)](https://e.org/%28a%20b%29)'
