"""PDFs: paragraphs as an author wrote them, and no exception for a file that cannot be read."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from brain.conftest import pdf
from interactions_emulator.corpus.index import Corpus
from interactions_emulator.corpus.passage_splitting import paragraphs
from interactions_emulator.corpus.pdf import Unreadable, join_lines, read_pdf

PAGE = """Journal of Tides 1
Tidal barrages of the world
Costs and numbers
A tidal barrage is a dam across an estuary with turbines in its gates. The barrage on the Rance
river is a state-of-the-art plant that has produced elec-
tricity since 1966. Its state-of-
the-art turbines reach 240 megawatts.
Whoever builds another one has to know how long a barrage can run, and that is something that
1"""
LAST = """Journal of Tides 2
nobody has found out yet, because the oldest one runs still.
Birds feed on the mud flats of an estuary, which is a reason to think twice before building one.
2"""
THIRD = "Journal of Tides 3\nThe third page of the document has a single sentence that ends here.\n3"


def test_pdf_lines_become_paragraphs_with_headings_pages_and_no_hyphenation() -> None:
    title, text = read_pdf(pdf(PAGE, LAST, THIRD))
    assert title == "Tidal barrages of the world"
    found = paragraphs(text, "pdf")
    assert [(one.heading, one.page) for one in found] == [("Costs and numbers", page) for page in (1, 1, 2, 3)]
    first, over, birds, _ = (one.text for one in found)
    assert "has produced electricity since 1966." in first and "Its state-of-the-art turbines" in first
    assert over.endswith("that is something that nobody has found out yet, because the oldest one runs still.")
    assert birds.startswith("Birds feed")
    assert "Journal" not in text and "elec-" not in text


def test_the_metadata_title_is_used_unless_it_is_a_file_name() -> None:
    assert read_pdf(pdf(PAGE, title="On tides")).title == "On tides"
    assert read_pdf(pdf(PAGE, title="Microsoft Word - draft7.docx")).title != "Microsoft Word - draft7.docx"


def test_an_unreadable_pdf_raises_an_error_with_the_reason() -> None:
    whole = pdf(PAGE)
    for data, reason in (
        (b"", "not a PDF"),
        (b"%PDF-1.7 and then nothing", "damaged"),
        (whole[: len(whole) // 2], "damaged|no text"),
        (pdf(PAGE, password="secret"), "password"),
        (pdf(""), "scanned"),
    ):
        with pytest.raises(Unreadable, match=reason):
            read_pdf(data)


def test_a_bad_pdf_is_skipped_with_a_warning_and_the_good_one_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "good.pdf").write_bytes(pdf(PAGE, LAST, THIRD))
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-")
    with caplog.at_level(logging.WARNING):
        corpus = Corpus.open(tmp_path)
        assert len(corpus) == 1
    assert "bad.pdf is not read" in caplog.text
    [best, *_] = corpus.search("mud flats and birds")
    assert (best.document_id, best.page, best.title) == ("good.pdf", 2, "Tidal barrages of the world")


@pytest.mark.parametrize("pages", [[""], ["\n\n"], ["-"], ["a-", "b"], ["1", "2", "3"], ["•"] * 9, ["\x02\f\x02"]])
def test_pages_without_prose_give_no_paragraphs(pages: list[str]) -> None:
    assert paragraphs(join_lines(pages), "pdf") == []


@pytest.mark.parametrize(
    ("page", "read"),
    [
        ("1" * 200_000, "1" * 200_000),
        ("word\n" * 50_000, "word " * 49_999 + "word"),
        ("co-\nop\n" * 20_000, "coop " * 19_999 + "coop"),
    ],
    ids=["digits", "lines", "hyphens"],
)
def test_a_very_long_page_is_read_completely(page: str, read: str) -> None:
    assert join_lines([page]) == f"\f\n{read}"
