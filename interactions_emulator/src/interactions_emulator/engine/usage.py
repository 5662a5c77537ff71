"""Estimates the tokens of a turn."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from interactions_emulator.brain.protocol import Step, Turn

BYTES_PER_TOKEN = 4
MEDIA_TOKENS = 258
"""Tokens of one small picture in Gemini's documentation; used for any image, audio, video or document."""


Counts = Mapping[str, int]
"""Tokens by modality."""


def count_tokens(steps: Iterable[Step], before: Counts | None = None) -> dict[str, int]:
    """Return the tokens of steps, added to the tokens `before` them."""
    counts = dict(before or {})
    for step in steps:
        _add_tokens(counts, step)
    return counts


def usage(turn: Turn, output: Iterable[Step], before: Counts | None = None) -> dict[str, Any]:
    """Return the `usage` object of a turn and its output steps.

    `before` are the tokens of all steps before this request's input, if they are known, so that a long chain is not
    counted again for each interaction.

    There is no tokenizer: a text counts one token for each four bytes of UTF-8, rounded up, and anything with
    `data` or a `uri` counts 258. Input is what a model would read: all steps of the chain, the system instruction
    and the declared tools. Thoughts and the steps of the server's own tools are counted separately.
    """
    counted = turn.steps if before is None else turn.steps[len(turn.steps) - turn.fresh :]
    input_counts = count_tokens(counted, before)
    for extra in (turn.system_instruction, turn.tools):
        if extra:
            input_counts["text"] = input_counts.get("text", 0) + _text_tokens(extra)
    answer: dict[str, int] = {}
    thoughts: dict[str, int] = {}
    server_tools: dict[str, int] = {}
    searches = 0
    for step in output:
        kind = step["type"]
        searches += kind == "google_search_call"
        is_server_tool = kind != "function_call" and kind.endswith(("_call", "_result"))
        _add_tokens(server_tools if is_server_tool else thoughts if kind == "thought" else answer, step)
    input_tokens, output_tokens = sum(input_counts.values()), sum(answer.values())
    thought_tokens, tool_tokens = sum(thoughts.values()), sum(server_tools.values())
    result: dict[str, Any] = {
        "total_input_tokens": input_tokens,
        "input_tokens_by_modality": _by_modality(input_counts),
        "total_cached_tokens": 0,
        "total_output_tokens": output_tokens,
        "output_tokens_by_modality": _by_modality(answer),
        "total_tool_use_tokens": tool_tokens,
        "total_thought_tokens": thought_tokens,
        "total_tokens": input_tokens + output_tokens + tool_tokens + thought_tokens,
    }
    if searches:
        result["grounding_tool_count"] = [{"type": "google_search", "count": searches}]
    return result


def _add_tokens(counts: dict[str, int], step: Step) -> None:
    """Add the tokens of a step to the tokens by modality."""
    for name, value in step.items():
        if name in ("content", "summary"):
            for content in value or ():
                kind = content["type"]
                tokens = _text_tokens(content["text"]) if kind == "text" else MEDIA_TOKENS
                counts[kind] = counts.get(kind, 0) + tokens
        elif name in ("arguments", "result") and value:
            counts["text"] = counts.get("text", 0) + _text_tokens(value)


def _text_tokens(value: Any) -> int:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _by_modality(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokens": tokens} for modality, tokens in sorted(counts.items())]
