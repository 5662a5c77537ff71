"""The text of ADK's contents."""

from __future__ import annotations

from google.genai import types

from tools.adk.contents import lines_of, parts_of, text_of

ANSWER = types.Content(
    parts=[types.Part(text="weighing", thought=True), types.Part(text="It is "), types.Part(), types.Part(text="done.")]
)


def test_the_parts_of_an_answer_are_one_text_without_its_thoughts() -> None:
    assert text_of(ANSWER) == "It is done."
    assert text_of(ANSWER, thoughts=True) == "weighingIt is done."


def test_words_of_two_parts_of_a_message_are_never_joined_to_one() -> None:
    message = types.Content(parts=[types.Part(text="yes"), types.Part(text="please")])
    assert lines_of(message) == "yes\nplease"


def test_a_content_that_is_missing_or_empty_has_no_parts_and_no_text() -> None:
    for content in (None, types.Content(), types.Content(parts=[])):
        assert (parts_of(content), text_of(content), lines_of(content)) == ([], "", "")
