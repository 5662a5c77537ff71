"""Research: every sentence quoted and cited, the form that was asked for, honest about what is missing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from brain.conftest import quoted, said
from interactions_emulator.brain.protocol import Brain, Step, TimedStep, Turn
from interactions_emulator.corpus.index import Corpus

BRIEF = "Research tidal power: barrages, tidal stream turbines, costs, environmental impact and nuclear fusion"


def run(brain: Brain, brief: str, *, before: tuple[Step, ...] = (), **config: Any) -> list[TimedStep]:
    turn = Turn(
        "deep-research",
        True,
        (*before, said(brief)),
        1,
        agent_config={"type": "deep-research", **config},
        documents_url="http://127.0.0.1:1/documents/",
    )
    return list(brain(turn))


def report(beats: list[TimedStep]) -> str:
    text: str = beats[-1].step["content"][0]["text"]
    return text


def test_every_sentence_of_the_body_is_a_cited_quotation(brain: Brain, corpus: Corpus) -> None:
    beats = run(brain, BRIEF)
    quotations = quoted(beats[-1].step, corpus)
    body = report(beats).partition("## What the documents do not say")[0]
    for _, sentence in quotations:
        body = body.replace(sentence, "")
    left = [line for line in body.splitlines() if not line.startswith("#")]
    assert re.sub(r"\[\d+\]|\s", "", "".join(left)) == ""
    sentences = [sentence for _, sentence in quotations]
    assert len(sentences) == len(set(sentences)) >= 8
    assert len({document for document, _ in quotations}) >= 3
    assert "bees.html" not in {document for document, _ in quotations}


def test_a_report_has_a_title_sections_missing_topics_and_a_signature(brain: Brain) -> None:
    text = report(run(brain, BRIEF))
    assert text.startswith("# Tidal power\n")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert 3 <= len(headings) - 1 <= 6 and headings[-1] == "What the documents do not say"
    assert "nuclear fusion" in text.partition(headings[-1])[2]
    assert "barrage.build" not in text
    *_, note, _, sign = text.splitlines()
    assert re.fullmatch(r"\*Written by the local emulator from \d local documents, not by Gemini\.\*", note)
    assert sign == "— emulator"


def test_research_produces_deep_research_steps_over_twenty_virtual_minutes(brain: Brain) -> None:
    beats = run(brain, BRIEF, thinking_summaries="auto")
    kinds = [beat.step["type"] for beat in beats]
    assert kinds[0] == "thought" and kinds[-1] == "model_output"
    assert kinds[1:-1] == ["google_search_call", "google_search_result", "thought"] * ((len(kinds) - 2) // 3)
    assert beats[0].step["summary"][0]["text"].startswith("**Planning**\n\n") and beats[0].step["signature"]
    assert "**Reading**" in beats[3].step["summary"][0]["text"]
    assert sum(beat.wait for beat in beats) == pytest.approx(1200)


def test_disabling_thoughts_does_not_change_the_duration(brain: Brain) -> None:
    beats = run(brain, BRIEF, thinking_summaries="none")
    assert "thought" not in {beat.step["type"] for beat in beats}
    assert sum(beat.wait for beat in beats) == pytest.approx(1200)


def test_the_same_turn_gives_the_same_timed_steps(brain: Brain) -> None:
    assert run(brain, BRIEF) == run(brain, BRIEF)


def test_collaborative_planning_gives_a_plan_and_its_approval_starts_the_research(brain: Brain, corpus: Corpus) -> None:
    [plan] = run(brain, BRIEF, collaborative_planning=True)
    text = plan.step["content"][0]["text"]
    assert "1. Search" in text and "environmental impact" in text
    beats = run(brain, "yes, go ahead", before=(said(BRIEF), plan.step), collaborative_planning=False)
    assert report(beats).startswith("# Tidal power\n")
    assert quoted(beats[-1].step, corpus)


def test_a_report_without_findings_says_so_and_cites_nothing(brain: Brain, corpus: Corpus) -> None:
    beats = run(brain, "Research the price dynamics of chub mackerel in Pacific Rim markets")
    assert "so there is nothing to report" in report(beats) and "from 0 local documents" in report(beats)
    assert quoted(beats[-1].step, corpus) == []


def test_the_report_follows_requested_bullets_tables_word_limits_and_sections(brain: Brain, corpus: Corpus) -> None:
    bullets = report(run(brain, "Research the costs of tidal power in three bullet points"))
    assert len(re.findall(r"^- .*\[\d\]$", bullets, re.MULTILINE)) == 3
    table = run(brain, "Research tidal turbines, as a table")
    assert "| Finding | Document |" in report(table) and len(quoted(table[-1].step, corpus)) >= 3
    assert len(report(run(brain, "Write a report on tidal power in at most 100 words")).split()) <= 100
    sections = report(run(brain, "Write a report on tidal power with sections Costs, Nature and Fusion"))
    assert re.findall(r"^## (.+)$", sections, re.MULTILINE)[:3] == ["Costs", "Nature", "Fusion"]


@pytest.mark.parametrize(
    "brief",
    [
        "Write a report about tidal stream turbines for my kids' school project, with a chart",
        "A deep dive on tidal stream turbines for a small web shop, in English, one page max",
        "Research tidal stream turbines in the harbours of Wladiwostok",
    ],
)
def test_words_about_the_purpose_and_the_form_of_a_report_are_not_searched_for(brain: Brain, brief: str) -> None:
    text = report(run(brain, brief))
    assert text.startswith("# Tidal stream turbines") and "MeyGen" in text
    assert not any(word in text for word in ("school", "web shop", "chart", "English"))
