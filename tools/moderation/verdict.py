"""The schema of a verdict on a text, and its text for people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator


class Verdict(BaseModel):
    """Whether a text may be shown, and why."""

    is_safe: bool = Field(description="True if the text may be shown to anyone; true exactly for category 'safe'.")
    category: Literal["safe", "spam", "inappropriate", "harmful"] = Field(
        description="safe; spam: unwanted advertising or fraud; inappropriate: sexual, vulgar or insulting;"
        " harmful: threats, violence, hate, self-harm or help with crime."
    )
    confidence: Annotated[float, Field(ge=0, le=1)] = Field(description="How sure the verdict is, from 0 to 1.")
    reason: str = Field(description="One sentence: what in the text led to the verdict.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Verdict:
        if self.is_safe != (self.category == "safe"):
            raise ValueError(f"is_safe={self.is_safe} contradicts category={self.category}")
        return self


def sentence(verdict: Verdict) -> str:
    """Formats a verdict as one line for a person."""
    judged = "safe" if verdict.is_safe else f"not safe, {verdict.category}"
    return f"**Verdict: {judged}** (confidence {verdict.confidence:.2f}). {verdict.reason}"


def schema_error(error: ValidationError) -> str:
    """Says why an answer is not a verdict, without quoting the answer."""
    fields = ", ".join(".".join(map(str, e["loc"])) or "answer" for e in error.errors(include_url=False))
    return f"the answer does not match its schema ({fields})"
