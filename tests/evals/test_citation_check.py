"""What a report says without a source, or says twice, is found."""

from __future__ import annotations

from evals.citation_check import Pair, check
from tools.interactions.citations import Citation, cite
from tools.interactions.source_list import source_list

A, B = "https://a.example/", "https://b.example/"


def report(text: str, *citations: tuple[str, str, str]) -> str:
    """A report as the application writes it; a citation has title, address and the passage before its mark."""
    ends = [(title, url, len(text[: text.index(passage) + len(passage)].encode())) for title, url, passage in citations]
    written, sources = cite(text, [Citation(*each) for each in ends])
    return f"{written}\n\n## Sources\n\n{source_list(sources)}\n"


def test_each_statement_is_paired_with_each_of_its_sources() -> None:
    found = check(
        report(
            "# Bees\n\nBees really do dance. 蜜蜂真的会跳舞给同伴看。",
            ("A", A, "dance."),
            ("B", B, "dance."),
            ("B", B, "看。"),
        )
    )
    assert found.pairs == (
        Pair("Bees really do dance.", A),
        Pair("Bees really do dance.", B),
        Pair("蜜蜂真的会跳舞给同伴看。", B),
    )
    assert (found.claims, found.coverage, found.duplicates) == (2, 1.0, ())


def test_a_repeated_pair_counts_once_and_is_listed_as_duplicate() -> None:
    text = "Bees really do dance.\n\nAnd so it goes on.\n\nBees REALLY do  dance!"
    found = check(report(text, ("A", A, "Bees really do dance."), ("A", A, "dance!")))
    assert found.pairs == found.duplicates == (Pair("Bees really do dance.", A),)


def test_claims_and_figures_without_a_source_are_listed() -> None:
    text = "Bees really do dance. They fly at 24 km/h. They like flowers very much."
    text += "\n\n| a | b |\n|---|---|\n| rows count | 7 kg |"
    found = check(report(text, ("A", A, "dance.")))
    assert found.uncited == ("They fly at 24 km/h.", "They like flowers very much.", "rows count | 7 kg")
    assert found.figures == ("They fly at 24 km/h.", "rows count | 7 kg")
    assert found.coverage == 0.25


def test_unused_sources_and_marks_without_a_source_are_listed() -> None:
    text = report("Bees really do dance.", ("A", A, "dance."))
    found = check(text.replace("dance.", "dance. They fly far, too [7].") + "2. [B](https://b.example/)\n")
    assert (found.unused, found.astray) == (("B",), (7,))


def test_the_url_in_a_citation_mark_takes_precedence_over_the_source_list() -> None:
    text = report("Bees really do dance.", ("A", A, "dance.")).replace(
        "## Sources", f"**Sources**\n\n1. [B]({B})\n\n##"
    )
    assert check(text).pairs == (Pair("Bees really do dance.", A),)


def test_a_report_without_claims_has_full_coverage() -> None:
    assert check("# Bees\n").coverage == 1


def test_a_prose_section_named_sources_is_not_taken_for_the_source_list() -> None:
    text = "# Bees\n\n## Sources\n\nBees find nectar in flowers. They also find pollen there.\n"
    found = check(f"{text}\n## Sources\n\n1. [A](https://a.example/)\n")
    assert (found.claims, found.coverage) == (2, 0.0)
