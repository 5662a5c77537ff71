"""Files in a message: documents are quoted, pictures measured, and what cannot be read is said."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from brain.conftest import SEARCH, Ask, document, pdf, said, text_of
from interactions_emulator.brain.protocol import Brain, Step, Turn

PAPER = pdf(
    "On birds of the estuary\n\nWading birds feed on the mud flats at low water, and rest where the water is high.",
    "Methods\n\nWe counted 4,300 wading birds on each day of the winter with a telescope.",
)
TABLE = document(b"Plant;Output\nRance;240\nSihwa;254\nAnnapolis;20\n", "text/csv")


def asked(text: str, *parts: dict[str, Any]) -> Step:
    return {"type": "user_input", "content": [*([{"type": "text", "text": text}] if text else []), *parts]}


def cited(step: Step) -> list[tuple[str, str, int]]:
    """(file, quotation, page) of each citation, cut out by its bytes."""
    content = step["content"][0]
    raw = content["text"].encode()
    notes = content.get("annotations", [])
    assert all(note["type"] == "file_citation" and "url" not in note for note in notes)
    return [(n["file_name"], raw[n["start_index"] : n["end_index"]].decode(), n.get("page_number", 0)) for n in notes]


def test_a_pdf_question_is_answered_with_quoted_sentences_and_page_numbers(ask: Ask) -> None:
    [answer] = ask(asked("How many wading birds did they count in this paper?", document(PAPER, "application/pdf")))
    sentence = "We counted 4,300 wading birds on each day of the winter with a telescope."
    assert ("On birds of the estuary", sentence, 2) in cited(answer)


@pytest.mark.parametrize(
    ("mime_type", "data"),
    [
        ("text/plain", b"Bees\n====\n\nHoney bees dance to tell their sisters where flowers stand."),
        ("text/markdown", b"# Bees\n\nHoney bees *dance* to tell their sisters where flowers stand."),
        ("text/html", b"<title>Bees</title><p>Honey bees <b>dance</b> to tell their sisters where flowers stand.</p>"),
    ],
)
def test_plain_text_markdown_and_html_documents_are_quoted(ask: Ask, mime_type: str, data: bytes) -> None:
    [answer] = ask(asked("Summarise this document", document(data, mime_type)))
    assert cited(answer) == [("Bees", "Honey bees dance to tell their sisters where flowers stand.", 0)]


def test_a_summary_of_the_attached_file_quotes_it_and_nothing_else(ask: Ask) -> None:
    policy = document(b"We retry three times with exponential backoff.", "text/plain")
    before = [said("What is a bee?"), *ask("What is a bee?", tools=[SEARCH])]
    [answer] = ask(asked("summarize the attached file", policy), tools=[SEARCH], before=before)
    assert [quoted for _, quoted, _ in cited(answer)] == ["We retry three times with exponential backoff."]


def test_a_document_of_an_earlier_message_can_be_asked_about(ask: Ask) -> None:
    before = [asked("Read this", document(PAPER, "application/pdf")), *ask(asked("Read this", document(PAPER, "")))]
    [answer] = ask("What does the paper say about the telescope?", before=before)
    assert "telescope" in cited(answer)[0][1]
    assert "welcome" in text_of(ask("thanks", before=before))


def test_a_csv_row_is_quoted_with_its_column_names(ask: Ask) -> None:
    [answer] = ask(asked("How much output has Sihwa?", TABLE))
    assert [quotation for _, quotation, _ in cited(answer)] == ["Plant: Sihwa, Output: 254"]


def test_facts_missing_from_a_document_are_searched_for_if_allowed_and_never_invented(ask: Ask) -> None:
    paper = document(PAPER, "application/pdf")
    text = text_of(ask(asked("What is the price of gold?", paper)))
    assert "found nothing there" in text
    [_, _, answer] = ask(asked("What is a tidal barrage?", paper), tools=[SEARCH])
    assert "A tidal barrage is a dam" in answer["content"][0]["text"]


def test_files_that_have_no_answer_are_named_beside_what_the_search_finds(ask: Ask) -> None:
    picture = {"type": "image", "mime_type": "image/png", "data": "A" * 16_000}
    owls = document(b"# Owls\n\nOwls hunt for mice in the night.", "text/markdown")
    for question in ("What is a tidal barrage?", "What is the price of gold?"):
        for part, named in ((owls, "I have read “Owls” and found nothing there."), (picture, "I see 1 image")):
            assert text_of(ask(asked(question, part), tools=[SEARCH])).startswith(named)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (document(b"%PDF-1.4 broken", "application/pdf"), "damaged"),
        (document(pdf("words", password="x"), "application/pdf"), "password"),
        (document(b"PK", "application/msword"), "application/msword is not supported"),
        (document(b"  ", "text/plain"), "empty"),
        ({"type": "document", "mime_type": "application/pdf", "data": "%%%"}, "damaged|base64"),
        (
            {"type": "document", "uri": "gs://bucket/a.pdf"},
            "files are not downloaded from addresses (gs://bucket/a.pdf)",
        ),
    ],
)
def test_an_unreadable_document_is_reported_with_the_reason(
    ask: Ask, brain: Brain, part: dict[str, Any], reason: str
) -> None:
    def says(text: str) -> bool:
        return "cannot read document 1" in text and any(one in text for one in reason.split("|"))

    assert says(text_of(ask(asked("What does it say?", part))))
    report = list(brain(Turn("deep-research", True, (asked("Research tidal power", part),), 1)))[-1].step
    assert says(report["content"][0]["text"])


def test_research_cites_both_the_attached_file_and_the_corpus(brain: Brain) -> None:
    brief = asked("Research wading birds and tidal barrages", document(PAPER, "application/pdf"))
    beats = list(brain(Turn("deep-research", True, (brief,), 1, documents_url="http://127.0.0.1:1/documents/")))
    notes = beats[-1].step["content"][0]["annotations"]
    assert {note["type"] for note in notes} == {"url_citation", "file_citation"}


def test_structured_output_is_filled_from_the_attached_document(ask: Ask) -> None:
    schema = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}
    part = document(b"Honey bees dance to tell their sisters where flowers stand.", "text/plain")
    assert "bees" in text_of(ask(asked("Extract the summary", part), response_schema=schema))


def test_an_image_is_described_by_format_and_size_only(ask: Ask) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    for stated, told in (("image/png", "PNG, 64 × 48"), ("image/jpeg", "PNG, sent as image/jpeg, 64 × 48")):
        text = text_of(ask(asked("What is this?", {"type": "image", "mime_type": stated, "data": data})))
        assert f"I see 1 image ({told}, 1 kB)" in text and "does not analyse images" in text


def test_no_document_answer_is_given_when_no_document_is_attached(ask: Ask) -> None:
    assert "read" not in text_of(ask(said("What does the paper say?"))).replace("already", "")


def text_file(name: str, text: str) -> Step:
    """A text file as the application sends it: a text with the file's name and a code block."""
    return said(f"{name}:\n\n```\n{text}\n```")


NOTES = text_file("notes.txt", "Team meeting on the move\n\nAnna is responsible for the movers. Ben orders the boxes.")


def test_a_text_file_sent_as_text_is_a_document_and_not_the_message(ask: Ask) -> None:
    for parts in (
        [said("who's responsible for the movers?"), NOTES],
        [NOTES, said("who's responsible for the movers?")],
    ):
        [answer] = ask(*parts)
        assert cited(answer)[0] == ("notes.txt", "Anna is responsible for the movers.", 0)
    [answer] = ask("What were the sales in June?", text_file("sales.csv", "month,sales\nApril,12\nMay,17\nJune,21"))
    assert cited(answer) == [("sales.csv", "month: June, sales: 21", 0)]


def test_a_text_with_a_code_block_is_no_file(ask: Ask) -> None:
    assert "```" in text_of(ask("Why does this fail:\n\n```\nprint(x)\n```\nThe name is not defined."))
