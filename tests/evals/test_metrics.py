"""Each metric sees what it is there for, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.adk.evaluation.eval_metrics import EvalStatus

from evals.invocation_facts import facts_of
from evals.metrics import (
    answer_marks,
    argument_match,
    brief_quality,
    citation_coverage,
    citation_validity,
    effect_match,
    false_research_starts,
    false_starts,
    missed_yeses,
    passages_found,
    report_structure,
    research_starts,
    route_accuracy,
    supported_addresses,
    verdict_match,
    wrong_report,
)
from tests.evals.turns import did, judge, ordered, refused, score, to, turn, wants
from tools.interactions.citations import Citation, cite
from tools.interactions.source_list import source_list
from tools.moderation.verdict import Verdict, sentence
from tools.research.report.check_texts import checks_table
from tools.research.verification.checks import PassageCheck, SourceCheck, Verification
from tools.research.verification.checks import Verdict as Result

URL, OTHER = "https://a.example/one", "https://b.example/"


def cited(text: str, *citations: tuple[str, str, int | None], heading: str = "**Sources**") -> str:
    """An answer as the application writes it: marks in the text, sources below."""
    written, sources = cite(text, [Citation(title, url, end) for title, url, end in citations])
    return f"{written}\n\n{heading}\n\n{source_list(sources)}"


def test_route_accuracy_judges_the_last_agent_transferred_to() -> None:
    assert score(route_accuracy, turn("Hi"), turn()) == 1
    assert score(route_accuracy, turn("Sunny", to("assistant")), turn("", to("assistant"))) == 1
    assert score(route_accuracy, turn("Hm", to("assistant"), to("moderator")), turn("", to("assistant"))) == 0
    assert score(route_accuracy, turn("Hi"), turn("", to("assistant"))) == 0


def test_route_accuracy_accepts_any_of_several_expected_agents() -> None:
    either = turn("", to("assistant"), to("desk"))
    assert score(route_accuracy, turn("Hi"), either) == 1
    assert score(route_accuracy, turn("Hi", to("assistant")), either) == 1
    assert score(route_accuracy, turn("Hi", to("researcher")), either) == 0


def test_false_research_starts_detects_a_run_that_nobody_requested() -> None:
    wanted = turn("", to("researcher"), wants("start"))
    for order in (
        ordered(),
        ordered(asks=True),
        ordered(asks=True, plan_first=True),
        did("repeat_research", "intended"),
    ):
        actual = turn("# Report", to("researcher"), order)
        assert score(false_research_starts, actual, turn()) == 0
        assert score(false_research_starts, actual, wanted) == 1
        assert score(research_starts, actual, wanted) == 1
    assert score(false_research_starts, turn("Hi"), turn()) == 1
    assert score(research_starts, turn("Hi"), wanted) == 0
    assert score(research_starts, turn("Hi"), turn()) is None
    assert score(research_starts, turn("Hi"), turn("", wants("start", "none"))) is None
    assert score(research_starts, turn("Hi"), turn("", wants("start", setup=True))) is None


def test_effect_match_requires_exactly_one_of_the_wanted_effects() -> None:
    asked = did("ask_report", "completed", job_id="job_ab23cd45", question="Why?")
    assert score(effect_match, turn("So", asked), turn("", wants("answer"))) == 1
    assert score(effect_match, turn("So", asked), turn("", wants("quote", "answer"))) == 1
    assert score(effect_match, turn("So", asked), turn("", wants("none"))) == 0
    assert score(effect_match, turn("So"), turn("", wants("answer"))) == 0
    assert score(effect_match, turn("So"), turn("", wants("none"))) == 1
    assert score(effect_match, turn("So", asked, ordered(asks=True)), turn("", wants("answer"))) == 0
    assert score(effect_match, turn("So", asked), turn("", wants("answer", setup=True))) is None
    assert score(effect_match, turn("So", asked), turn()) is None


def test_an_unrequested_order_or_approval_is_a_false_start() -> None:
    approved, changed = did("approve", "intended", job_id="job_1"), did("revise", "awaiting_approval", wishes="shorter")
    for unwanted in (ordered(), ordered(asks=True), approved, changed, did("approve", "deleted", job_id="job_1")):
        assert score(false_starts, turn("", unwanted), turn()) == 0
        assert score(false_starts, turn("", unwanted), turn("", wants("none", "answer"))) == 0
    assert score(false_starts, turn("", approved), turn("", wants("approve"))) == 1
    assert score(false_starts, turn("", approved), turn("", wants("quote"))) == 0
    assert score(false_starts, turn("", ordered(asks=True)), turn("", wants("approve"))) == 0
    assert score(false_starts, turn("", ordered(asks=True)), turn("", wants("quote", "none"))) == 1
    assert score(false_starts, turn("", refused("approve", "no question waits")), turn()) == 1
    assert score(false_starts, turn("", did("show_research", "running")), turn()) == 1


def test_two_orders_for_one_request_are_a_false_start() -> None:
    twice = turn("", ordered("Bees", asks=True), ordered("Bees and wasps", asks=True))
    assert score(false_starts, twice, turn("", wants("quote"))) == 0
    assert score(false_starts, turn("", ordered(asks=True), did("approve", "intended")), turn("", wants("quote"))) == 0


def test_a_yes_that_approves_nothing_counts_as_missed() -> None:
    yes = turn("", wants("approve"))
    assert score(missed_yeses, turn("", did("approve", "intended", job_id="job_1")), yes) == 1
    assert score(missed_yeses, turn("", refused("approve", "no question waits", job_id="job_1")), yes) == 0
    assert score(missed_yeses, turn("", ordered("yes", asks=True)), yes) == 0
    assert score(missed_yeses, turn("Hm?"), yes) == 0
    assert score(missed_yeses, turn("Hm?"), turn("", wants("approve", "none"))) is None
    assert score(missed_yeses, turn("Hm?"), turn("", wants("approve", setup=True))) is None
    assert score(missed_yeses, turn("Hm?"), turn()) is None


def test_brief_quality_checks_required_and_forbidden_words() -> None:
    wanted = turn("", wants("quote", brief_has=("MongoDB", "web shop"), brief_lacks=("that", "please")))
    for brief, right in (
        ("MongoDB for a small  Web Shop of a thatcher, and what pleases", 1),
        ("MongoDB", 3 / 4),
        ("Please compare MongoDB for a web shop", 3 / 4),
        ("that", 1 / 4),
    ):
        assert score(brief_quality, turn("", ordered(brief, asks=True)), wanted) == right, brief
    changed = did("revise", "awaiting_approval", wishes="cheaper", brief="MongoDB for a cheap web shop")
    assert score(brief_quality, turn("", changed), wanted) == 1
    assert score(brief_quality, turn("What shall be researched?"), wanted) == 0
    assert score(brief_quality, turn("", ordered()), turn("", wants("quote"))) is None
    assert score(brief_quality, turn("", ordered()), turn()) is None


def test_wrong_report_detects_a_question_about_another_report() -> None:
    about_bees = turn("", wants("answer", about=("bees",)))
    assert score(wrong_report, turn("", did("ask_report", "completed", "Bees in gardens")), about_bees) == 1
    assert score(wrong_report, turn("", did("ask_report", "completed", "Wolves")), about_bees) == 0
    assert score(wrong_report, turn("Which one?"), about_bees) == 0
    assert score(wrong_report, turn("", did("ask_report", "completed", "Wolves")), turn("", wants("answer"))) is None
    assert score(wrong_report, turn("", did("ask_report", "completed", "Wolves")), turn()) is None


def test_argument_match_ignores_case_spaces_and_extra_arguments() -> None:
    wanted = turn("", to("assistant"), ("get_weather", {"place": "Paris", "days": 3}))
    for args in ({"place": " paris", "days": 3.0}, {"place": "Paris", "days": 3, "units": "metric"}):
        assert score(argument_match, turn("", to("assistant"), ("get_weather", args)), wanted) == 1
    for args in ({"place": "Rome", "days": 3}, {"place": "Paris"}, {"place": "Paris", "days": "three"}):
        assert score(argument_match, turn("", to("assistant"), ("get_weather", args)), wanted) == 0


def test_unexpected_and_missing_calls_lower_argument_match() -> None:
    paris, rome = ("get_weather", {"place": "Paris"}), ("get_weather", {"place": "Rome"})
    assert score(argument_match, turn("", paris, rome), turn("", paris)) == 0.5
    assert score(argument_match, turn("", paris), turn("", paris, paris)) == 0.5
    assert score(argument_match, turn("", paris), turn()) == 0
    assert score(argument_match, turn(), turn()) is None
    assert score(argument_match, turn("", paris), turn("", ("*", {}))) is None  # whatever may be called


def test_research_tools_count_in_argument_match_only_if_expected() -> None:
    order, paris = ordered(), ("get_weather", {"place": "Paris"})
    assert score(argument_match, turn("", order), turn()) is None
    assert score(argument_match, turn("", order, paris), turn("", paris)) == 1
    assert score(argument_match, turn("", order), turn("", ("start_research", {"brief": "Bees in gardens"}))) == 1
    assert score(argument_match, turn("", order), turn("", ("start_research", {"brief": "Wasps"}))) == 0
    forgets = ("forget_conversation", {}, {"asked": "the user was asked"})
    assert score(argument_match, turn("", forgets), turn()) == 0
    assert score(argument_match, turn("", forgets), turn("", wants("forget_question"))) is None


def test_verdict_match_requires_one_of_the_expected_categories() -> None:
    spam = sentence(Verdict(is_safe=False, category="spam", confidence=0.875, reason="It sells."))
    assert facts_of(turn(spam)).verdicts == (("spam", 0.88),)
    assert score(verdict_match, turn(spam), turn("**Verdict: not safe, spam**")) == 1
    assert score(verdict_match, turn(spam), turn("**Verdict: safe**")) == 0
    assert score(verdict_match, turn(spam), turn("**Verdict: safe** **Verdict: not safe, spam**")) == 1
    assert score(verdict_match, turn("**Not moderated.**"), turn("**Verdict: safe**")) == 0
    assert score(verdict_match, turn("Hi"), turn("Hi")) is None


def test_answer_marks_checks_required_and_forbidden_words() -> None:
    expected = turn("It is **12 °C** in **Paris**, not ~~in Rome~~.")
    assert score(answer_marks, turn("In PARIS: 12  °C."), expected) == 1
    assert score(answer_marks, turn("In Paris and in Rome: 12 °C."), expected) == pytest.approx(2 / 3)
    assert score(answer_marks, turn("Hi"), turn("Hello")) is None


def test_citation_metrics_accept_an_answer_as_the_application_writes_it() -> None:
    text = "Bees dance. They fly far, 蜜蜂会跳舞。"
    answer = cited(text, ("One", URL, 11), ("Two", OTHER, len(text.encode())), ("File", "", 11))
    assert [s.number for s in facts_of(turn(answer)).prose.sources] == [1, 2, 3]
    assert score(citation_validity, turn(answer), turn()) == 1
    assert score(citation_coverage, turn(answer), turn(answer)) == 1


@pytest.mark.parametrize(
    ("was", "broken"),
    [
        (f'[\\[1\\]]({URL} "One")', f'[\\[1\\]]({OTHER} "One")'),  # leads elsewhere
        (f'[\\[1\\]]({URL} "One")', ""),  # a source that nothing cites
        ("1. [One]", "2. [One]"),  # numbers that do not begin with 1
        (f"[One]({URL})", "[One](ftp://a.example/)"),  # no address of the web
        (f"\n\n1. [One]({URL})", ""),  # a mark without its source
        (f'dance.[\\[1\\]]({URL} "One")', f'dan[\\[1\\]]({URL} "One")ce.'),  # within a word
    ],
)
def test_citation_validity_detects_each_kind_of_wrong_citation(was: str, broken: str) -> None:
    answer = cited("Bees really do dance. They fly far.", ("One", URL, 21))
    assert was in answer
    found = score(citation_validity, turn(answer.replace(was, broken)), turn())
    assert found is not None and found < 1


def test_an_answer_without_its_expected_sources_scores_zero_on_citations() -> None:
    expected = turn(cited("Bees dance.", ("One", URL, 11)))
    assert score(citation_validity, turn("Bees do dance a lot."), expected) == 0
    assert score(citation_coverage, turn("Bees do dance a lot."), expected) == 0
    assert score(citation_validity, turn("Hi"), turn("Hi")) is None


def test_citation_coverage_counts_only_claims() -> None:
    text = (
        "# Title of the whole report\n\nBees really do dance. Version 3.11 of e.g. a hive flies far.\n\n"
        "Here is a list of things:\n\n- Wings are made of chitin.\n\n```\ncode is not a claim\n```\n\n"
        "| heads are | no claims at all |\n|---|---|\n| a row is a claim | too |\n\nIs that so, really now?"
    )
    answer = cited(text, ("One", URL, len("# Title of the whole report\n\nBees really do dance.")))
    claims = [claim.text for claim in facts_of(turn(answer)).prose.claims]
    assert claims == [
        "Bees really do dance.",
        "Version 3.11 of e.g. a hive flies far.",
        "Wings are made of chitin.",
        "a row is a claim | too",
    ]
    assert score(citation_coverage, turn(answer), turn(answer)) == pytest.approx(1 / 4)


def test_report_structure_checks_the_form_requested_in_the_brief() -> None:
    begins = turn("# Report\n\n## Sources\n\n1. [A](https://a.example)", wants("start"))
    report = "# Bees\n\n## Wings\n\nText.\n\n| a |\n|---|\n| b |\n\n## Risks\n\nText.\n\n## Sources\n\n1. [A](https://a.example)"
    for brief, right in (
        ("Research bees", 1),
        ("Research bees with a table", 1),
        ("Research bees in two sections", 1),
        ("Research bees with sections on wings and risks", 1),
        ("Research bees in under 500 words", 1),
        ("Research bees in 3 sections", 2 / 3),
        ("Research bees with sections on honey and risks", 3 / 4),
        ("Research bees in 5 bullet points", 2 / 3),
        ("Research bees in at most 1 words", 2 / 3),
    ):
        assert score(report_structure, turn(report, asked=brief), begins) == pytest.approx(right), brief
    assert score(report_structure, turn("No title", asked="Research bees"), begins) == 0
    assert score(report_structure, turn(report), turn()) is None
    assert score(report_structure, turn(report), turn("", wants("start"))) is None


def test_a_metric_fails_below_the_threshold_passed_by_adk() -> None:
    actual, expected = turn("In Paris"), turn("**Paris** **Rome**")
    assert judge(answer_marks, actual, expected, 0.5).overall_eval_status == EvalStatus.PASSED
    assert judge(answer_marks, actual, expected, 0.6).overall_eval_status == EvalStatus.FAILED
    unjudged = judge(answer_marks, actual, turn())
    assert unjudged.overall_eval_status == EvalStatus.NOT_EVALUATED
    assert len(unjudged.per_invocation_results) == 1


def test_passages_found_and_supported_addresses_read_the_checks_of_the_sources() -> None:
    found, missing = PassageCheck("One.", Result.FOUND), PassageCheck("Two.", Result.NOT_FOUND)
    unread = PassageCheck("One.", Result.UNKNOWN)
    good = SourceCheck(1, URL, 200, in_run=True, passages=(found, found))
    dead = SourceCheck(1, URL, dead=True, in_run=False)
    other = SourceCheck(2, OTHER, 200, in_run=True, passages=(found,))
    report = cited("One. Two.", ("A", URL, 4), ("A", URL, 9), ("B", OTHER, 9))
    assert score(passages_found, turn(report), turn()) is None
    assert score(supported_addresses, turn(report), turn()) is None
    for sources, passages, addresses in (
        ((good,), 1, 1),
        ((replace(good, passages=(found, missing)),), 1 / 2, 1),
        ((dead, other), 1 / 3, 1 / 2),
        ((replace(good, in_run=None),), 1, None),
        ((replace(good, status=403, problem="HTTP 403", passages=(unread,)),), None, 1),
    ):
        answer = turn(f"{report}\n\n{checks_table(Verification('now', sources))}")
        assert score(passages_found, answer, turn()) == (passages and pytest.approx(passages))
        assert score(supported_addresses, answer, turn()) == addresses
