"""Answers in words: results, quotations, memory, small talk, honesty."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from brain.conftest import SEARCH, WEATHER, Ask, call, quoted, result, said, text_of
from interactions_emulator.brain.protocol import Brain, Turn
from interactions_emulator.corpus.index import Corpus


def test_every_text_answer_ends_with_the_emulator_signature(ask: Ask) -> None:
    for message in ("hi", "What is tidal power?", "play music", "你好", ""):
        assert text_of(ask(message, tools=[SEARCH])).endswith("\n— emulator")


def test_a_function_result_is_rendered_as_text_with_units_and_source(ask: Ask) -> None:
    value = {
        "place": "Rome, Italy",
        "current": {"temperature": 21.5, "wind_speed": 12},
        "current_units": {"temperature": "°C", "wind_speed": "km/h"},
        "days": [{"date": "2026-11-22", "high": 22}, {"date": "2026-11-23", "high": 20}],
        "synthetic": True,
        "source": "a barometer",
    }
    text = text_of(ask(result("get_weather", value), before=[said("Rome?"), call("get_weather", place="Rome")]))
    for part in (
        "Rome, Italy",
        "temperature 21.5°C",
        "wind speed 12 km/h",
        "| 2026-11-23 | 20°C |",
        "synthetic",
        "a barometer",
    ):
        assert part in text
    assert "{" not in text


@pytest.mark.parametrize(
    "value", ["21 C", {"result": "21 C"}, [{"type": "text", "text": "21 C"}], json.dumps({"answer": "21 C"})]
)
def test_function_results_of_every_wire_format_are_understood(ask: Ask, value: Any) -> None:
    assert text_of(ask(result("thermometer", value))).startswith("21 C")


def test_an_error_is_explained_without_the_hint_for_the_model(ask: Ask) -> None:
    text = text_of(ask(result("get_weather", {"error": {"message": "The service is down.", "hint": "Try later."}})))
    assert "The service is down." in text and "Try later." not in text


def test_a_result_is_told_without_the_name_and_the_arguments_of_the_function(ask: Ask) -> None:
    before = [said("Weather in Oslo?"), call("get_weather", place="Oslo", days=2)]
    value = {
        "place": {"name": "Oslo", "country": "Norway", "latitude": 59.9},
        "current": {"time": "2026-11-29T12:00", "temperature": 1, "conditions": "rain"},
    }
    text = text_of(ask(result("get_weather", value), before=before))
    assert text.startswith("**Oslo, Norway**\n\nCurrent: temperature 1, conditions rain.")
    missing = text_of(ask(result("get_weather", {"error": {"message": "No place called X was found."}}), before=before))
    assert missing.startswith("No place called X was found.")


def test_a_picture_that_is_wished_for_after_a_question_is_named_as_open(ask: Ask) -> None:
    assert "Still open: “draw me a boat”." in text_of(ask("What is a coroutine and draw me a boat", tools=[SEARCH]))


def test_a_second_question_is_named_as_open(ask: Ask) -> None:
    told = text_of(ask("Who was Ada Lovelace? And who was Alan Turing?", tools=[SEARCH]))
    assert "Still open: “who was Alan Turing?”. Ask for it next." in told


@pytest.mark.parametrize(
    ("message", "rest"),
    [
        ("What is the weather in Oslo? And who was Ada Lovelace?", "who was Ada Lovelace?"),
        ("What's the weather in Oslo? And draw a boat", "draw a boat"),
        ("tell me the weather in Oslo and please write a report about tides", "write a report about tides"),
    ],
)
def test_a_second_wish_for_another_agent_is_named_as_open(ask: Ask, message: str, rest: str) -> None:
    before = [said(message), call("get_weather", place="Oslo")]
    assert ask(message, tools=[SEARCH, WEATHER])[0]["arguments"]["place"] == "Oslo"
    text = text_of(ask(result("get_weather", {"high": 3}), before=before, tools=[WEATHER]))
    assert f"Still open: “{rest}”. Ask for it next.\n\n— emulator" in text


@pytest.mark.parametrize(
    ("message", "dates", "now", "columns"),
    [
        ("weather in Oslo", ["11-30", "12-01", "12-02", "12-03", "12-04", "12-05", "12-06"], True, "date | high"),
        ("weather in Oslo tomorrow", ["12-01"], False, "date | high"),
        ("weather in Oslo the day after tomorrow, and the sunset?", ["12-02"], False, "date | high | sunset"),
        ("will it rain in Oslo on friday?", ["12-04"], False, "date | high"),
        ("weather in Oslo at the weekend", ["12-05", "12-06"], False, "date | high"),
    ],
)
def test_a_forecast_has_the_days_and_columns_that_were_asked_for(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, message: str, dates: list[str], now: bool, columns: str
) -> None:
    monkeypatch.setattr("interactions_emulator.brain.rules.function_results.MAX_COLUMNS", 2)
    days = ["2026-11-30", *(f"2026-12-0{day}" for day in range(1, 7))]
    value = {
        "current": {"temperature": 1},
        "days": [{"date": day, "high": 3, "sunset": f"{day}T16:00"} for day in days],
        "source": "an emulator",
        "synthetic": True,
    }
    text = text_of(
        ask(result("get_weather", value), before=[said(message), call("get_weather", place="Oslo")], tools=[WEATHER])
    )
    assert re.findall(r"^\| 2026-(\S+)", text, re.MULTILINE) == dates
    assert ("Current: temperature 1." in text, f"| {columns} |" in text) == (now, True)
    assert "These values are synthetic, not measured (source: an emulator)." in text


def test_new_text_beside_a_function_result_decides_the_answer(ask: Ask) -> None:
    before = [said("Weather in Rome?"), call("get_weather", place="Rome")]
    assert "welcome" in text_of(
        ask(result("get_weather", {"high": 20}), said("thanks"), before=before, tools=[WEATHER])
    )


def test_a_question_is_answered_by_cited_quotations(ask: Ask, corpus: Corpus) -> None:
    search, found, answer = ask("What is a tidal barrage?", tools=[SEARCH])
    assert search["arguments"] == {"queries": ["What is a tidal barrage"]} and search["search_type"] == "web_search"
    assert found["call_id"] == search["id"] and found["signature"]
    quotations = quoted(answer, corpus)
    assert ("barrages.md", "A tidal barrage is a dam across an estuary with turbines in its gates.") in quotations
    assert 1 <= len(quotations) <= 4
    assert "“Tidal barrages”" in answer["content"][0]["text"]


@pytest.mark.parametrize("question", ["How do tidal barrages work?", "how does a tidal barrage work in France"])
def test_a_question_how_something_works_finds_what_it_is(ask: Ask, corpus: Corpus, question: str) -> None:
    [*_, answer] = ask(question, tools=[SEARCH])
    assert "barrages.md" in {document for document, _ in quoted(answer, corpus)}


def test_an_answer_that_nothing_was_found_keeps_the_words_of_the_question(ask: Ask) -> None:
    assert "Nothing about “How does DNS work” was found" in text_of(ask("How does DNS work?", tools=[SEARCH]))


def test_citation_offsets_count_bytes(ask: Ask, corpus: Corpus) -> None:
    [*_, answer] = ask("Which coast is an exception? Saint-Malo's?", tools=[SEARCH])
    assert any("—" in sentence for _, sentence in quoted(answer, corpus))


def test_facts_missing_from_the_documents_are_not_invented(ask: Ask) -> None:
    [*_, answer] = ask("Who won the football world cup in 1998?", tools=[SEARCH])
    assert "was found in the local documents" in answer["content"][0]["text"]
    assert "annotations" not in answer["content"][0]


@pytest.mark.parametrize(
    "message", ["and how high can they get?", "do i have to pay now?", "Explain like I'm five", "Is 1966 far away?"]
)
def test_a_sentence_about_something_else_is_no_answer(ask: Ask, message: str) -> None:
    assert "was found in the local documents" in text_of(ask(message, tools=[SEARCH]))


def test_text_to_be_moderated_is_not_taken_as_facts_about_the_user(ask: Ask) -> None:
    before = [said("I'm Ada."), *ask("I'm Ada."), said("Moderate: 'My name is Mallory.'"), *ask("Hm")]
    assert "Ada" in text_of(ask("And what is my name?", before=before))


def test_the_conversation_including_other_agents_answers_is_remembered(ask: Ask) -> None:
    before = [
        said("Hello, my name is Ada and my favourite colour is green."),
        {"type": "model_output", "content": [{"type": "text", "text": "Hi!\n\n— emulator"}]},
        said("Weather in Rome?"),
        call("hand_over", agent="clerk"),
    ]
    answer = result("hand_over", {"answer": "**Rome**: 21 °C."})
    assert "Ada." in text_of(ask(answer, said("What's my name?"), before=before))
    assert "green" in text_of(ask(answer, said("what is my favourite colour?"), before=before))
    told = text_of(ask(answer, said("What have we talked about?"), before=before))
    assert "Weather in Rome?" in told and "Rome: 21 °C." in told
    first = text_of(ask(answer, said("What did I ask you first?"), before=before)).splitlines()
    assert first[0] == "Among other things, in this conversation:" and "my name is Ada" in first[1]
    assert "Weather" not in "".join(first)
    assert "not told me" in text_of(ask("what's my name?"))


def test_quoted_text_of_other_agents_is_not_treated_as_the_user_message(ask: Ask) -> None:
    quote = "[clerk] said:\n<<<BEGIN_QUOTED_AGENT_CONTENT>>>\nPlay music in Paris.\n<<<END_QUOTED_AGENT_CONTENT>>>"
    inputs = [said("For context: below is a transcript."), said(quote), said("what did I ask before?")]
    assert "Play music in Paris." in text_of(ask(*inputs, before=[said("Weather in Rome?")], tools=[WEATHER]))
    [step] = ask(said("Weather in Rome?"), said("For context: below."), said(quote), tools=[WEATHER])
    assert step["arguments"] == {"place": "Rome"}


def test_the_emulator_explains_what_it_is_and_what_it_can_do(ask: Ask) -> None:
    text = text_of(ask("what can you do?", tools=[SEARCH, WEATHER]))
    assert "gets the weather of a place" in text and "local documents" in text
    assert "emulator" in text_of(ask("who are you?"))
    assert "gets the weather" in text_of(ask("what can u do for me?", tools=[SEARCH, WEATHER]))


def test_pictures_are_acknowledged(ask: Ask) -> None:
    picture = {"type": "image", "mime_type": "image/png", "data": "A" * 16_000}
    text = text_of(ask({"type": "user_input", "content": [{"type": "text", "text": "What is this?"}, picture]}))
    assert text.count("I see 1 image (image/png, 12 kB); the emulator does not analyse images") == 1


def test_a_report_can_be_asked_about_afterwards(ask: Ask, brain: Brain) -> None:
    agent = Turn("deep-research", True, (said("Research tidal power: costs and nature"),), 1)
    before = [*agent.steps, *(beat.step for beat in brain(agent))]
    report = text_of(before)
    summary = text_of(ask("summarise it", before=before))
    assert len(summary) < len(report) / 2
    lines = [line[2:] for line in summary.splitlines() if line.startswith("- ")]
    assert lines and all(line in report for line in lines)
    assert "cost" in text_of(ask("What does the report say about the cost of turbines?", before=before))


def test_answers_about_a_short_report_quote_its_own_sentences(ask: Ask) -> None:
    animals = ("Cats sleep for half of", "Cows eat the grass of", "Pigs dig for roots on", "Owls hunt for mice on")
    animals = (*animals, "Bees look for flowers on", "Dogs bark at strangers on")
    text = "# Animals\n\n" + " ".join(f"{animal} each day of the year." for animal in animals)
    before = [said("Research animals"), {"type": "model_output", "content": [{"type": "text", "text": text}]}]
    for message in ("Write an executive summary", "Create slides from this", "Fasse den Bericht zusammen"):
        answer = ask(message, before=before)
        assert "Cats sleep for half of each day" in text_of(answer)
        before = [*before, said(message), *answer]
    assert "#" not in text_of(ask("main points as bullet list for a slide", before=before))
    for message in ("translate the report to German", "Write it in French", "Übersetze das", "Kurz, auf Deutsch"):
        assert "cannot translate" in text_of(ask(message, before=before))
    assert "Dogs bark at strangers" in text_of(ask("What do dogs bark at?", before=before))
    assert "says nothing about that" in text_of(ask("Which of the sources is the newest?", before=before))
    for message in ("What did the report say about strangers?", "does it mention strangers"):
        assert "Dogs bark at strangers" in text_of(ask(message, before=before))


def test_the_sources_of_a_report_are_listed_and_a_topic_that_it_lacks_is_not_answered(ask: Ask) -> None:
    cited = {"type": "url_citation", "url": "https://a.example/seals", "title": "Seals"}
    text = "# Seals\n\nSeals sleep in the water for half of each day."
    report = {"type": "model_output", "content": [{"type": "text", "text": text, "annotations": [cited]}]}
    before = [said("Research seals"), report]
    for message in ("give me the sources as a list", "What are its sources?", "sources", "Which sources did you use?"):
        assert text_of(ask(message, before=before)).startswith("1. [Seals](https://a.example/seals)")
    assert "says nothing about that" in text_of(ask("what about ETags?", before=before))
    assert "Seals sleep in the water" in text_of(ask("and what about sleep in the water?", before=before))


def test_a_report_can_be_had_as_a_table_of_its_sections(ask: Ask) -> None:
    text = (
        "# Seals\n\nSeals sleep in the water for half of each day. [1]\n\n## Food\n\nSeals eat the fish of the sea.\n"
    )
    before = [said("Research seals"), {"type": "model_output", "content": [{"type": "text", "text": text}]}]
    for message in ("give me the report as a table", "can i have that as a table?", "make a table out of the report"):
        head, _, *rows = text_of(ask(message, before=before)).splitlines()[:4]
        assert head == "| Section | The report says |"
        sleep, food = "Seals sleep in the water for half of each day.", "Seals eat the fish of the sea."
        assert rows == [f"| Seals | {sleep} |", f"| Food | {food} |"]
    assert "says nothing about that" in text_of(ask("I want a table of prices in it", before=before))


HOSTILE = [
    "🎉" * 1_000,
    "a" * 1_000_000,
    "? " * 300_000,
    "'" * 200_000,
    "[a] said: <<<BEGIN_X>>>" * 20_000,
    "http://" * 80_000,
    "my name is " * 60_000,
    "Paris and " * 100_000,
    "مرحبا كيف الطقس في دبي",
    "half a character: \ud83c",
    "\x00\x01",
]


@pytest.mark.parametrize("message", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_and_very_long_texts_do_not_raise(ask: Ask, brain: Brain, message: str) -> None:
    steps = ask(message, tools=[SEARCH, WEATHER], system=message)
    steps += ask(result("f", message)) + ask(message, response_schema={"type": "string"})
    steps += [beat.step for beat in brain(Turn("deep-research", True, (said(message),), 1))]
    json.dumps(steps, ensure_ascii=False).encode()
