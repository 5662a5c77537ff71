"""`desk diff` tells what a report says that an earlier one did not, without a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.interactions.citation_marks import Source
from tools.interactions.citations import Citation, cite
from tools.research.comparison import Statement, compare, statements_of
from tools.research.comparison_text import to_markdown
from tools.research.report.report import Report

RANCE, SIHWA = Source(1, "La Rance", "https://rance.example/facts"), Source(2, "Sihwa", "https://sihwa.example/")


def report(text: str) -> Report:
    """A report from a text with marks like {1} for the sources above."""
    citations, plain = list[Citation](), ""
    for piece in text.split("{"):
        number, closed, rest = piece.partition("}")
        if closed:
            source = (RANCE, SIHWA)[int(number) - 1]
            citations.append(Citation(source.title, source.url, len(plain.encode())))
        plain += rest if closed else piece
    cited, sources = cite(plain, citations)
    return Report("Tides", cited, sources, (), {}, "v1_1", "deep-research", "2026-11-30T00:00:00Z")


BEFORE = """# Tides

The barrage of La Rance supplies 500 gigawatt hours a year.{1} It was opened in 1966 by the president of France.{1}

Tidal lagoons are being planned along the coast of Wales.

| Station | Power in megawatts |
|---|---|
| Sihwa Lake in Korea | 254 |
"""
AFTER = """# Tidal power now

It was opened in 1966, by the president of France.{1} The barrage of La Rance supplies 520 gigawatt hours a year.{1}

A second station in Korea has begun to deliver electricity.{2}

| Station | Power in megawatts |
|---|---|
| Sihwa Lake in Korea | 254 |
"""


def test_new_gone_and_changed_statements_are_told_with_both_sources_and_the_same_ones_are_not() -> None:
    found = compare(report(BEFORE), report(AFTER))
    [changed] = found.changed
    assert changed.before == Statement("The barrage of La Rance supplies 500 gigawatt hours a year.", (RANCE,))
    assert changed.after.text == "The barrage of La Rance supplies 520 gigawatt hours a year."
    assert [one.text for one in found.new] == ["A second station in Korea has begun to deliver electricity."]
    assert [one.text for one in found.gone] == ["Tidal lagoons are being planned along the coast of Wales."]
    assert [source.url for source in found.new_sources] == [SIHWA.url] and found.gone_sources == ()
    assert found.unchanged == 3 and found.reworded == ()  # the sentence with a comma, and both rows


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (
            "Sales rose to 1,234.5 million euros in spring.",
            "Sales rose to 1.234,5 million euros in spring.",
            "reworded",
        ),
        ("Sales rose to 12 million euros in spring.", "In spring the sales rose to 12 million euros.", "reworded"),
        ("Sales rose to 12 million euros in spring.", "Sales rose to 21 million euros in spring.", "changed"),
        ("The law enters into force on 2026-05-03.", "The law enters into force on 3 May 2026.", "changed"),
        ("大臣は新しい法律を五月に発表した。", "大臣は新しい法律を六月に発表した。", "reworded"),
        ("Sales rose to 12 million euros.", "Nobody knows where the whales spend their winters.", "new"),
    ],
)
def test_figures_decide_whether_a_similar_statement_has_changed(before: str, after: str, kind: str) -> None:
    found = compare(report(before), report(after))
    assert [name for name in ("changed", "reworded", "new", "gone") if getattr(found, name)] == (
        ["new", "gone"] if kind == "new" else [kind]
    )


def test_a_report_does_not_differ_from_itself_however_it_is_set() -> None:
    text = report(BEFORE)
    assert compare(text, replace(text, text=text.text.replace("\n\n", "\n\n\n"), title="Other")).empty
    assert to_markdown(compare(text, text)).startswith("Nothing has changed.")


def test_what_markdown_escapes_is_shown_and_compared_as_it_is_read() -> None:
    plain = report("A well-known turbine of the barrage supplies 1.5 gigawatts.")
    escaped = report(r"A well\-known turbine of the barrage supplies 1\.5 gigawatts\.")
    assert statements_of(escaped) == statements_of(plain)


def test_code_headings_and_pictures_are_no_statements_and_marks_in_a_text_do_no_harm() -> None:
    text = "# A heading of several words\n\n```\ncode of several words\n```\n\n![figure one two](figure-1.png)\n\n"
    assert statements_of(report(f"{text}\ue000 9\ue001")) == []
    assert statements_of(report("It says \ue0007\ue001 that whales sing songs.")) == [
        Statement("It says 7 that whales sing songs.")
    ]


def test_a_long_report_is_compared_in_time() -> None:
    long = report("".join(f"The station number {n} delivers {n} megawatts to its region. " for n in range(3_000)))
    assert compare(long, long).empty
