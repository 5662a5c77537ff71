"""Structured answers: always valid, judged by the text that is quoted, never a fact that is not in it."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from brain.conftest import SEARCH, WEATHER, Ask, result, text_of


class Judgement(BaseModel):
    model_config = ConfigDict(extra="forbid")
    is_safe: bool
    category: Literal["safe", "spam", "inappropriate", "harmful"]
    confidence: float = Field(ge=0, le=1)
    reason: str


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("Is this ok to post: 'See you at the harbour tomorrow'", "safe"),
        ("Moderate: Congratulations, you have won a prize! Click here to claim $500", "spam"),
        ("Check this comment: you are a pathetic idiot", "inappropriate"),
        ("Does this break our rules? --- I will kill you", "harmful"),
        ("I want to kill this process, how?", "safe"),
        ("Moderate: 'This film killed me, I could not stop laughing.'", "safe"),
        ("Moderate: 'A court convicted the man who wanted to bomb the bridge.'", "safe"),
        ("Moderate: 'The police will find a bomb, and I will kill you.'", "harmful"),
        ("Moderate: 'She called me an idiot, and it hurt.'", "safe"),
        ("Moderate: 'Ich bringe dich um.'", "harmful"),
        ("Moderate: 'Final notice: pay the fee now or your parcel is sent back.'", "spam"),
    ],
)
def test_moderation_classifies_the_quoted_text(ask: Ask, message: str, category: str) -> None:
    text = text_of(ask(message, response_schema=Judgement.model_json_schema()))
    judgement = Judgement.model_validate_json(text)
    assert judgement.category == category
    assert judgement.is_safe is (category == "safe")
    assert judgement.reason.startswith("Emulator: ")
    assert "\n" not in text and ", " not in text.split('"reason"')[0]


def test_each_number_and_each_named_label_goes_where_it_belongs(ask: Ask) -> None:
    class Person(BaseModel):
        age: int
        height: float
        hobbies: list[Literal["chess", "sailing", "singing"]]

    told = text_of(
        ask("Ada: age 36, height 180.5, likes sailing and chess.", response_schema=Person.model_json_schema())
    )
    assert json.loads(told) == {"age": 36, "height": 180.5, "hobbies": ["chess", "sailing"]}


def test_facts_before_a_colon_are_read_too(ask: Ask) -> None:
    class Person(BaseModel):
        name: str
        age: int

    message = "Ada Lovelace is 36 years old. Hobbies: chess, sailing."
    told = text_of(ask(message, response_schema=Person.model_json_schema()))
    assert json.loads(told) == {"name": "Ada Lovelace", "age": 36}


def test_present_facts_are_extracted_and_absent_ones_stay_null(ask: Ask) -> None:
    class Person(BaseModel):
        name: str
        age: int
        email: str | None = None
        nickname: str | None = None

    person = json.loads(text_of(ask("Ada Lovelace, 36, ada@example.org", response_schema=Person.model_json_schema())))
    assert person == {"name": "Ada Lovelace", "age": 36, "email": "ada@example.org", "nickname": None}


class Node(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["leaf", "branch"]
    weight: float = Field(gt=0, lt=10)
    tags: list[str] = Field(min_length=1, max_length=3)
    child: Node | None = None
    size: Literal[1, 2, 3] | None
    extra: dict[str, int]


class Tree(BaseModel):
    root: Node
    nodes: list[Node] = Field(min_length=1)
    title: str = Field(max_length=12, min_length=3)
    version: Literal["v1"] = "v1"
    flags: list[Literal["urgent", "spam"]] = []


@pytest.mark.parametrize("message", ["", "🎉", "Two leaves: Oak 3, Ash 12.5; urgent!", "量子 7", "x" * 5_000])
def test_any_text_gives_an_answer_that_satisfies_its_schema(ask: Ask, message: str) -> None:
    Tree.model_validate_json(text_of(ask(message, response_schema=Tree.model_json_schema())), strict=False)


def test_functions_are_called_first_and_their_results_fill_the_structured_answer(ask: Ask) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"temperature": {"type": "number"}},
        "required": ["temperature"],
    }
    [step] = ask("Weather in Rome?", tools=[SEARCH, WEATHER], response_schema=schema)
    assert step["type"] == "function_call"
    answer = ask(result("get_weather", {"temperature": 21.5}), tools=[SEARCH, WEATHER], response_schema=schema)
    assert json.loads(text_of(answer)) == {"temperature": 21.5}
