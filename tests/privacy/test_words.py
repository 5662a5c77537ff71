"""What a message must say for a conversation to be forgotten, and what must not do it."""

from __future__ import annotations

import pytest

from tools.forget.words import agrees, declines, insists, wants_forgetting


@pytest.mark.parametrize(
    "text",
    [
        "forget this conversation",
        "Forget this conversation!",
        "Please forget this conversation, thanks.",
        "delete this conversation",
        "Could you please delete this chat?",
        "I want you to forget our whole conversation",
        "I’d like you to forget our whole conversation".replace("I’d", "I would"),
        "erase everything in this conversation",
        "forget everything we said here",
        "Forget everything we've talked about",
        "forget everything that I told you in this conversation",
        "forget what we said here, please",
        "delete everything here",
        "delete this session and everything in it for good",
    ],
)
def test_a_wish_to_forget_the_conversation_is_understood(text: str) -> None:
    assert wants_forgetting(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "can you forget conversations?",
        "how do I forget this conversation?",
        "what happens if I say forget this conversation?",
        "forget this conversation about X research?",
        "don't forget this conversation",
        "please do not delete this conversation",
        "forget job_23456789",
        "delete job_23456789 please",
        "forget my research",
        "forget this research",
        "forget it",
        "forget what you said",
        "delete everything",
        "summarise this conversation",
        "translate: forget this conversation",
        "forget this conversation and write a research report on tides",
    ],
)
def test_nothing_else_is_taken_for_it(text: str) -> None:
    assert not wants_forgetting(text)


@pytest.mark.parametrize("text", ["yes, forget it", "Yes!", "yes please", "**yes, forget it**", "Yes, delete it now."])
def test_a_yes_is_a_yes(text: str) -> None:
    assert agrees(text)


@pytest.mark.parametrize(
    "text", ["", "forget it", "yes but keep the files", "yes?! no", "ok", "forget it anyway", "sure"]
)
def test_only_a_yes_is_a_yes(text: str) -> None:
    assert not agrees(text)


def test_insisting_takes_the_word_anyway() -> None:
    assert insists("forget it anyway")
    assert insists("Yes, forget it anyway!")
    assert not insists("yes, forget it")
    assert not insists("anyway, what is the weather?")


@pytest.mark.parametrize("text", ["no", "No, thanks.", "never mind", "keep it", "no, please keep it", "stop"])
def test_a_no_is_a_no(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize("text", ["", "no idea what the weather is", "stop the research"])
def test_another_message_is_no_no(text: str) -> None:
    assert not declines(text)
