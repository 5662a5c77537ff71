"""The moderator agent: shows a verdict as a sentence and attaches it as data. It never calls an unjudged text safe."""

from __future__ import annotations

import re
import warnings
from collections.abc import AsyncGenerator
from typing import ClassVar

from google.adk.agents import InvocationContext, LlmAgent
from google.adk.agents.common_configs import CodeConfig
from google.adk.agents.llm_agent_config import LlmAgentConfig
from google.adk.events import Event
from google.genai import types
from pydantic import BaseModel, ValidationError

from tools.adk.contents import lines_of, text_of
from tools.moderation.verdict import Verdict, schema_error, sentence

_MAX_SEARCHED_CHARS = 10_000
"""Maximum characters of a message in which quoted texts are looked for."""
_QUOTED = re.compile(r"""(?<!\w)(?:"[^"\n]{3,500}"|“[^”]{3,500}”|«[^»]{3,500}»|‘[^’]{3,500}’|'[^\n]{3,500}?'(?!\w))""")
"""Matches a quoted text. Its length is limited, so that a mark without a closing mark takes little time."""
_SEVERAL = "This is one verdict for the whole message: to have one for each text, send them one at a time."

with warnings.catch_warnings():  # ADK 2.13 validates the keys with a deprecated class
    warnings.simplefilter("ignore", DeprecationWarning)

    class ModeratorConfig(LlmAgentConfig):
        """Keys of a moderator's YAML file: the same as for ADK's LLM agents; `output_schema` is required."""

        output_schema: CodeConfig


class Moderator(LlmAgent):
    """An `LlmAgent` whose structured answer is shown as a sentence, with the verdict as the event's `output`.

    The Markdown of `adk web` would mangle raw JSON. A missing or invalid answer is reported as not moderated, which
    must never be read as safe.
    """

    config_type: ClassVar[type[BaseModel]] = ModeratorConfig  # type: ignore[assignment]

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        note = _SEVERAL if quotes_several(lines_of(ctx.user_content)) else ""
        async for event in super()._run_async_impl(ctx):
            if not event.partial:  # fragments of JSON are of no use to a reader
                yield event if event.get_function_calls() or event.get_function_responses() else to_event(event, note)


def quotes_several(message: str) -> bool:
    """Whether a message quotes more than one text. Looks at its first `_MAX_SEARCHED_CHARS` characters."""
    return len(_QUOTED.findall(message[:_MAX_SEARCHED_CHARS])) > 1


def to_event(event: Event, note: str = "") -> Event:
    """Builds the final event of a moderation: the verdict as a sentence and as data, or the reason why there is none.

    Args:
        note: a sentence that is shown after the verdict.
    """
    text = text_of(event.content)
    try:
        if event.error_code:
            raise ValueError(event.error_message or event.error_code)
        verdict = Verdict.model_validate_json(text)
    except ValueError as error:
        reason = schema_error(error) if isinstance(error, ValidationError) else str(error)
        return event.model_copy(
            update={
                "error_code": event.error_code or "NOT_MODERATED",
                "error_message": reason,
                "content": _content(f"**Not moderated.** Treat the text as unchecked, not as safe: {reason}"),
            }
        )
    return event.model_copy(
        update={"content": _content(f"{sentence(verdict)} {note}".strip()), "output": verdict.model_dump()}
    )


def _content(text: str) -> types.Content:
    return types.Content(role="model", parts=[types.Part(text=text)])
