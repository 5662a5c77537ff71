"""How many tokens a turn took, by estimate."""

from __future__ import annotations

import json
import math
from collections import Counter
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
    read: Counter[str] = Counter()
    for step in turn.steps:
        _count(step, read)
    for extra in (turn.system_instruction, list(turn.tools)):
        if extra:
            read["text"] += _tokens(extra)
    written: Counter[str] = Counter()
    thought: Counter[str] = Counter()
    fetched: Counter[str] = Counter()
    searches = 0
    for step in output:
        kind = step["type"]
        searches += kind == "google_search_call"
        own_tool = kind != "function_call" and kind.endswith(("_call", "_result"))
        _count(step, fetched if own_tool else thought if kind == "thought" else written)
    result: dict[str, Any] = {
        "total_input_tokens": read.total(),
        "input_tokens_by_modality": _by_modality(read),
        "total_cached_tokens": 0,
        "total_output_tokens": written.total(),
        "output_tokens_by_modality": _by_modality(written),
        "total_tool_use_tokens": fetched.total(),
        "total_thought_tokens": thought.total(),
        "total_tokens": read.total() + written.total() + fetched.total() + thought.total(),
    }
    if searches:
        result["grounding_tool_count"] = [{"type": "google_search", "count": searches}]
    return result


def _count(step: Step, counter: Counter[str]) -> None:
    """Add the tokens of a step, by modality, to `counter`."""
    for content in (*step.get("content", ()), *step.get("summary", ())):
        if content["type"] == "text":
            counter["text"] += _tokens(content["text"])
        else:
            counter[content["type"]] += MEDIA_TOKENS
    for key in ("arguments", "result"):
        if step.get(key):
            counter["text"] += _tokens(step[key])


def _tokens(value: Any) -> int:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return math.ceil(len(text.encode()) / BYTES_A_TOKEN)


def _by_modality(counter: Counter[str]) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokens": tokens} for modality, tokens in sorted(counter.items())]
