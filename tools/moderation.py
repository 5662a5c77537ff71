"""The moderator: a verdict on a text, said in a sentence and carried as data; never "safe" by default."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Literal

from google.adk.agents import InvocationContext, LlmAgent
from google.adk.events import Event
from google.genai import types
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


class Moderator(LlmAgent):
    """An `LlmAgent` whose structured answer is shown as a sentence, with the verdict as the event's `output`.

    Raw JSON is mangled by the Markdown of `adk web`. An answer that is missing or invalid is reported as
    not moderated, which is never to be read as safe.
    """

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        async for event in super()._run_async_impl(ctx):
            if not event.partial:  # fragments of JSON are of no use to a reader
                yield event if event.get_function_calls() or event.get_function_responses() else spoken(event)


def spoken(event: Event) -> Event:
    """The final event of a moderation: a verdict in words and as data, or why there is none."""
    parts = (event.content.parts if event.content else None) or []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    try:
        if event.error_code:
            raise ValueError(event.error_message or event.error_code)
        verdict = Verdict.model_validate_json(text)
    except ValueError as error:
        reason = _short(error)
        return event.model_copy(
            update={
                "error_code": event.error_code or "NOT_MODERATED",
                "error_message": reason,
                "content": _content(f"**Not moderated.** Treat the text as unchecked, not as safe: {reason}"),
            }
        )
    return event.model_copy(update={"content": _content(sentence(verdict)), "output": verdict.model_dump()})


def sentence(verdict: Verdict) -> str:
    """One line for a person."""
    judged = "safe" if verdict.is_safe else f"not safe, {verdict.category}"
    return f"**Verdict: {judged}** (confidence {verdict.confidence:.2f}). {verdict.reason}"


def _content(text: str) -> types.Content:
    return types.Content(role="model", parts=[types.Part(text=text)])


def _short(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        fields = ", ".join(".".join(map(str, e["loc"])) or "answer" for e in error.errors(include_url=False))
        return f"the answer does not match its schema ({fields})"
    return str(error)
