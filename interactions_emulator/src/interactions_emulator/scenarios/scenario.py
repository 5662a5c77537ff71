"""The form of scenarios: what a scenario matches, and what it answers."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from interactions_emulator.brain.protocol import Step
from interactions_emulator.errors import Refused
from interactions_emulator.requests.input_steps import check_answer_step
from interactions_emulator.requests.vocabulary import STEP_FIELDS

HOP = {"type": "hop"}
"""A step that ends the interaction as requires_continuation; the steps after it answer the SDK's next request."""
Status = Literal["completed", "failed", "incomplete", "budget_exceeded", "cancelled", "idle"]


def _text_step(text: str) -> Step:
    return {"type": "model_output", "content": [{"type": "text", "text": text}]}


def _checked_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text has to be a text, not {value!r}: put it in quotes")
    return value


def _complete(step: Step) -> Step:
    """Check a step and add arguments that are left out. Raises ValueError with the reason."""
    if step.keys() == {"text"}:
        return _text_step(_checked_text(step["text"]))
    if step == HOP:
        return step
    kind = step.get("type")
    if not isinstance(kind, str) or kind not in STEP_FIELDS:
        raise ValueError(f"step type {kind!r} is unknown; known are {', '.join(sorted(STEP_FIELDS))} and hop")
    required = STEP_FIELDS[kind]
    complete = {"arguments": {}} | step if "arguments" in required else step
    for part in complete["content"] if isinstance(complete.get("content"), list) else ():
        if isinstance(part, dict) and "text" in part:
            _checked_text(part["text"])
    ids = {name: "id" for name in ("id", "call_id") if name in required}  # they are made with the answer
    try:
        check_answer_step(ids | complete)
    except Refused as error:
        raise ValueError(error.message) from error
    return complete


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ResultMatch(_Form):
    """The function results that a scenario answers. A field that is None does not restrict them."""

    name: re.Pattern[str] | None = None
    """A regular expression for the whole name of the function."""
    result: re.Pattern[str] | None = None
    """A regular expression, searched in the result as text or as JSON."""
    is_error: bool | None = None


class Match(_Form):
    """The requests that a scenario answers. A field that is None does not restrict them."""

    text: re.Pattern[str] | None = None
    model: re.Pattern[str] | None = None
    agent: re.Pattern[str] | None = None
    function_result: ResultMatch | None = None

    @field_validator("function_result", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Failure(_Form):
    """An entry of the resource's `errors`."""

    code: str
    message: str


class Answer(_Form):
    """One scripted answer."""

    text: str | None = Field(default=None, min_length=1)
    """The text of the answer: short for one step of text."""
    steps: list[Annotated[Step, AfterValidator(_complete)]] = []
    wait: float = Field(default=0.0, ge=0)
    """Virtual seconds before each step; infinite: the run never makes progress."""
    status: Status = "completed"
    error: Failure | None = None

    @model_validator(mode="after")
    def _text_or_steps(self) -> Answer:
        if self.text is not None and self.steps:
            raise ValueError("give text or steps, not both: text is short for one step of text")
        if self.error is not None and self.status == "completed":
            raise ValueError("error goes with a status that is not completed: add status: failed")
        if self.text is not None:
            self.steps = [_text_step(self.text)]
        return self

    def says_something(self) -> bool:
        """Whether the answer has anything in it."""
        return bool(self.steps or self.wait or self.error) or self.status != "completed"


class Scenario(Answer):
    """A scripted answer, or several, for the requests that match."""

    match: Match = Match()
    answers: list[Answer] = []
    """Answers to successive requests; the last one is repeated."""
    times: int | None = Field(default=None, ge=1)
    """Number of requests to answer; None: all."""
    _where: str = PrivateAttr("")
    _shared: bool = PrivateAttr(False)

    @model_validator(mode="after")
    def _one_form(self) -> Scenario:
        if not self.model_fields_set - {"match", "times"}:
            raise ValueError("the answer is missing: give text, steps or answers; `steps: []` is an empty answer")
        if "answers" in self.model_fields_set and not self.answers:
            raise ValueError("answers is empty: give at least one; `steps: []` is an empty answer")
        if self.answers and self.says_something():
            raise ValueError("give answers, or the fields of one answer next to match, not both")
        if not self.answers:
            fields = {name: getattr(self, name) for name in ("steps", "wait", "status", "error")}
            self.answers = [Answer.model_construct(**fields)]
        return self

    @property
    def where(self) -> str:
        """The place of the scenario: file and line, or its number."""
        return self._where

    @property
    def shared(self) -> bool:
        """Whether the scenario comes from a file, which several tests may use."""
        return self._shared
