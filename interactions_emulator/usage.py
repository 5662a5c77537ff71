"""How many tokens a turn took, by estimate."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from interactions_emulator.turn import Step, Turn

BYTES_A_TOKEN = 4
MEDIA_TOKENS = 258
"""What Gemini's documentation counts for one small picture; used for any picture, sound, film or document."""


def usage(turn: Turn, output: Iterable[Step]) -> dict[str, Any]:
    """Return the `usage` object of a turn and the steps it gave.

    There is no tokenizer here: a text counts one token for each four bytes of UTF-8, rounded up, and anything
    with `data` or a `uri` counts 258. Input is the whole timeline, the system instruction and the declared
    tools, for that is what a model would read. Thoughts and the results of the server's own tools are counted
    apart.
    """
    read, written, thought, fetched = _Count(), _Count(), _Count(), _Count()
    for step in turn.steps:
        read.add(step)
    if turn.system_instruction:
        read.add_text(turn.system_instruction)
    if turn.tools:
        read.add_text(list(turn.tools))
    searches = 0
    for step in output:
        kind = step["type"]
        searches += kind == "google_search_call"
        own_tool = kind != "function_call" and kind.endswith(("_call", "_result"))
        (fetched if own_tool else thought if kind == "thought" else written).add(step)
    result: dict[str, Any] = {
        "total_input_tokens": read.total,
        "input_tokens_by_modality": read.by_modality(),
        "total_cached_tokens": 0,
        "total_output_tokens": written.total,
        "output_tokens_by_modality": written.by_modality(),
        "total_tool_use_tokens": fetched.total,
        "total_thought_tokens": thought.total,
        "total_tokens": read.total + written.total + fetched.total + thought.total,
    }
    if searches:
        result["grounding_tool_count"] = [{"type": "google_search", "count": searches}]
    return result


class _Count:
    """Tokens, in all and of each kind of media."""

    def __init__(self) -> None:
        self.total = 0
        self._media: dict[str, int] = {}

    def add(self, step: Step) -> None:
        for contents in (step.get("content"), step.get("summary")):
            for content in contents or ():
                if content["type"] == "text":
                    self.add_text(content["text"])
                else:
                    self.total += MEDIA_TOKENS
                    self._media[content["type"]] = self._media.get(content["type"], 0) + MEDIA_TOKENS
        for value in (step.get("arguments"), step.get("result")):
            if value:
                self.add_text(value)

    def add_text(self, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        self.total += -(-len(text.encode()) // BYTES_A_TOKEN)

    def by_modality(self) -> list[dict[str, Any]]:
        text = self.total - sum(self._media.values())
        counts = {**self._media, "text": text} if text else self._media
        return [{"modality": modality, "tokens": tokens} for modality, tokens in sorted(counts.items())]
