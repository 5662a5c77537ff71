"""Passages are found by their words and figures in any usual spelling, and a changed figure is noticed."""

from __future__ import annotations

import pytest

from tools.interactions.citations import Citation, cite
from tools.research.report.languages import language_of
from tools.research.verification.checks import Verdict
from tools.research.verification.matching import WINDOW_SENTENCES, Page
from tools.research.verification.passages import cited_passages

PAGE = (
    "Tidal power in Europe\n"
    "The barrage of La Rance was opened on 26 November 1966 and is still in use today.\n"
    "Its 24 turbines reach a peak rating of 240 megawatts. In 2009 it supplied 1,234.5 gigawatt hours of electricity.\n"
    "It cost the equivalent of 1.2 million francs per megawatt, says the opera\u00adtor of the station.\n"
    "The barrage is 750 metres long and carries a road that 30,000 vehicles use each day.\n"
)


@pytest.mark.parametrize(
    ("passage", "verdict"),
    [
        ("The barrage of La Rance was opened on 26 November 1966.", Verdict.FOUND),
        ("The BARRAGE of La Rance — “opened” on 1966-11-26 — is in use today", Verdict.FOUND),
        ("The barrage of La Rance was opened on 26.11.1966.", Verdict.FOUND),
        ("The barrage of La Rance was opened on 11/26/1966.", Verdict.FOUND),
        ("The barrage of La Rance was opened on 27 November 1966.", Verdict.MISQUOTED),
        ("The barrage of La Rance was opened on 1966-11-27.", Verdict.MISQUOTED),
        *(
            (f"In 2009 it supplied {figure} gigawatt hours of electricity", Verdict.FOUND)
            for figure in ("1,234.5", "1.234,5", "1 234,5", "1\u202f234,5", "1'234.5", "1234.5", "１２３４.５")
        ),
        ("In 2009 it supplied 1,243.5 gigawatt hours of electricity", Verdict.MISQUOTED),
        ("In 2009 it supplied 12,345 gigawatt hours of electricity", Verdict.MISQUOTED),
        ("Its cost was 1,200,000 francs per megawatt, equivalent, the operator says", Verdict.FOUND),
        ("The road on the barrage is used by 30 000 vehicles each day", Verdict.FOUND),
        ("The road on the barrage is used by 30.000 vehicles each day", Verdict.FOUND),
        ("The road on the barrage is used by 3,000 vehicles each day", Verdict.MISQUOTED),
        ("Nuclear reactors supply most of the electricity of France", Verdict.NOT_FOUND),
        ("24, 240, 751", Verdict.NOT_FOUND),
        ("See below.", Verdict.UNKNOWN),
    ],
)
def test_a_passage_is_found_in_any_spelling_and_misquoted_if_a_figure_differs(passage: str, verdict: Verdict) -> None:
    assert Page(PAGE).check(passage).verdict is verdict


@pytest.mark.parametrize(
    ("passage", "missing"),
    [
        ("The share of tidal power rose by 4 percentage points to 12.5% in 2010.", "4 percentage points"),
        ("The share of tidal power rose by 4% to 12.5 percent in 2010.", ""),
        ("The barrage is 750 kilometres long and carries a road.", "750 km"),
        ("The barrage is 750 m long and carries a road.", ""),
        ("Its 240 turbines reach a peak rating of 24 megawatts.", "24 MW"),
        ("It cost the equivalent of 1.2 billion francs per megawatt.", "1.2 billion"),
        ("It cost the equivalent of 1.2M francs per megawatt.", ""),
        ("Revenue of the station was €3.5 billion in that quarter.", "3.5 billion €"),
        ("Revenue of the station was 3.5bn dollars in Q3 2021.", ""),
        ("Revenue of the station was $3.5bn in Q4 2021.", "Q4"),
        ("The barrage of La Rance was opened on 26 December 1966.", "26 December 1966"),
        ("The barrage of La Rance was opened in December 1966.", "December 1966"),
        ("The barrage of La Rance was opened in November 1966.", ""),
        ("The road was closed on 3 May 2021, in that quarter of the revenue.", ""),
        ("The share of turbines to locks is 1:3 at the station.", "1:3"),
        ("The barrage of Sihwa was opened on 26 November 1966.", "Sihwa"),
        ("The barrage of La Rance was opened by Georges Pompidou.", "Georges, Pompidou"),
        ("The operator “closed the road for” one quarter of the day.", ""),
        ("The operator “for one day closed the road” in the quarter.", "the quotation, word for word,"),
        ("**Peak Rating:** the turbines of the barrage reach 240 MW.", ""),
        ("turbines | peak rating | Very High | barrage of La Rance | 240 MW", ""),
    ],
)
def test_a_changed_unit_scale_date_name_or_quotation_is_never_found(passage: str, missing: str) -> None:
    page = f"""{PAGE}The share of tidal power rose by 4 percent to 12.5% in 2010. The ratio of turbines to locks is 3:1.
Revenue of the station was $3.5 billion in Q3 2021, when the operator closed the road for

one day. That was on 3 May, in the second quarter. The barrage is also used by Frenchmen."""
    found = Page(page).check(passage, "en")
    assert found.remark == (f"{missing} is not there" if missing else "")
    assert found.verdict is (Verdict.MISQUOTED if missing else Verdict.FOUND)


def test_german_nouns_are_not_taken_for_names() -> None:
    page = "Das Kraftwerk an der Rance ist seit 1966 in Betrieb und liefert den Strom für die Stadt. " * 3
    passage = "Seit 1966 ist das Kraftwerk an der Rance in Betrieb, mit Strom für den Norden."
    assert Page(page).check(passage, "de").verdict is Verdict.FOUND


def test_a_misquoted_figure_is_named() -> None:
    found = Page(PAGE).check("Its 24 turbines reach a peak rating of 420 megawatts.")
    assert (found.verdict, found.remark) == (Verdict.MISQUOTED, "420 MW is not there")


def test_words_that_are_far_apart_on_the_page_are_not_a_passage() -> None:
    words = ["Barrages", "generate", "electricity", "economically", "everywhere"]
    apart = "\n".join(f"{word} is one word of a long line." + "\nAnd some other line follows." * 9 for word in words)
    near = "\n".join(f"{word} is a word." for word in words[:WINDOW_SENTENCES])
    assert Page(apart).check(" ".join(words)).verdict is Verdict.NOT_FOUND
    assert Page(f"{apart}\n{near}").check(" ".join(words)).verdict is Verdict.FOUND


@pytest.mark.parametrize(
    ("page", "same", "other"),
    [
        ("月球引力引起潮汐。在圣马洛,潮差可达13米。" * 9, "潮差在圣马洛可达13米", "太阳系有八颗行星围绕太阳运行"),
        ("Приливы вызывает притяжение Луны. " * 20, "Притяжение Луны вызывает приливы", "Солнце освещает планету Марс"),
        ("น้ำขึ้นน้ำลงเกิดจากแรงดึงดูดของดวงจันทร์ " * 20, "แรงดึงดูดของดวงจันทร์", "ภาษาไทยเป็นภาษาราชการ"),
    ],
)
def test_passages_are_found_in_other_scripts(page: str, same: str, other: str) -> None:
    assert Page(page).check(same).verdict is Verdict.FOUND
    assert Page(page).check(other).verdict is Verdict.NOT_FOUND


def test_a_page_in_another_language_is_never_called_not_found() -> None:
    german = "Das Gezeitenkraftwerk an der Rance ist seit 1966 in Betrieb und liefert den Strom für die Stadt. " * 9
    report = "The tidal power station on the Rance has been in operation since 1966 and is the source of its power."
    assert (language_of(report), language_of(german)) == ("en", "de")
    found = Page(german).check(report, language_of(report))
    assert (found.verdict, found.remark) == (Verdict.UNKNOWN, "the page is in another language; it has the figures")
    assert Page(german).check(report.replace("1966", "1967"), "en").remark == "the page is in another language"


@pytest.mark.parametrize("page", ["", "Please enable JavaScript."])
def test_a_page_without_text_is_never_called_not_found(page: str) -> None:
    assert Page(page).check("The barrage of La Rance was opened in 1966.").verdict is Verdict.UNKNOWN


def test_what_may_be_in_the_unread_part_of_a_page_is_never_called_not_found() -> None:
    assert Page(PAGE, truncated=True).check("Nuclear reactors supply electricity").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("Many of them are first.^ Others of them are not.^", ["Many of them are first.", "Others of them are not."]),
        ("The moon pulls water,^ and the sun pulls weakly.^", ["The moon pulls water,", "and the sun pulls weakly."]),
        ("Rance has 240 megawatts,^ and Sihwa 254 MW.^", ["Rance has 240 megawatts,", "and Sihwa 254 MW."]),
        ("# Head\n\n1. This thing weighs 5 kg.^\n2. That has 9 kg.^", ["This thing weighs 5 kg.", "That has 9 kg."]),
        ("| Place | Power |\n|---|---|\n| Station Rance | 240 megawatts^ |", ["Station Rance | 240 megawatts"]),
        ("Read [long pages](https://e.org/2020/12) about *big* currents.^", ["Read long pages about big currents."]),
        ("The station supplies power. It does so.^", ["The station supplies power. It does so."]),
        ("Above.\n\nIt does so.^", ["It does so."]),
    ],
)  # fmt: skip
def test_a_passage_is_the_sentence_or_row_before_its_mark(text: str, passages: list[str]) -> None:
    pieces = text.split("^")
    ends = [len("".join(pieces[:count]).encode()) for count in range(1, len(pieces))]
    marked, sources = cite("".join(pieces), [Citation("A", "https://e.org/a", end) for end in ends])
    assert [passage.text for passage in cited_passages(marked, sources)] == passages
