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
    for modality, tokens in _tokens(steps).items():
        counts[modality] = counts.get(modality, 0) + tokens
    return counts


def usage(turn: Turn, output: Iterable[Step], before: Counts | None = None) -> dict[str, Any]:
    """Return the `usage` object of a turn and its output steps.

    `before` are the tokens of all steps before this request's input, if they are known, so that a long chain is not
    counted again for each interaction.

    There is no tokenizer: a text counts one token for each four bytes of UTF-8, rounded up, and anything with
    `data` or a `uri` counts 258. Input is what a model would read: all steps of the chain, the system instruction
    and the declared tools. Thoughts and the steps of the server's own tools are counted separately.
    """
    input_counts = (
        _tokens(turn.steps) if before is None else count_tokens(turn.steps[len(turn.steps) - turn.fresh :], before)
    )
    for extra in (turn.system_instruction, turn.tools):
        if extra:
            input_counts["text"] = input_counts.get("text", 0) + _text_tokens(extra)
    outputs: dict[str, list[Step]] = {"written": [], "thought": [], "fetched": []}
    searches = 0
    for step in output:
        kind = step["type"]
        searches += kind == "google_search_call"
        is_server_tool = kind != "function_call" and kind.endswith(("_call", "_result"))
        outputs["fetched" if is_server_tool else "thought" if kind == "thought" else "written"].append(step)
    answer_counts = _tokens(outputs["written"])
    input_tokens, output_tokens = sum(input_counts.values()), sum(answer_counts.values())
    thought_tokens, tool_tokens = (sum(_tokens(outputs[name]).values()) for name in ("thought", "fetched"))
    result: dict[str, Any] = {
        "total_input_tokens": input_tokens,
        "input_tokens_by_modality": _by_modality(input_counts),
        "total_cached_tokens": 0,
        "total_output_tokens": output_tokens,
        "output_tokens_by_modality": _by_modality(answer_counts),
        "total_tool_use_tokens": tool_tokens,
        "total_thought_tokens": thought_tokens,
        "total_tokens": input_tokens + output_tokens + tool_tokens + thought_tokens,
    }
    if searches:
        result["grounding_tool_count"] = [{"type": "google_search", "count": searches}]
    return result


def _tokens(steps: Iterable[Step]) -> dict[str, int]:
    """The tokens of steps by modality."""
    counts: dict[str, int] = {}
    for step in steps:
        for contents in (step.get("content"), step.get("summary")):
            for content in contents or ():
                kind = content["type"]
                tokens = _text_tokens(content["text"]) if kind == "text" else MEDIA_TOKENS
                counts[kind] = counts.get(kind, 0) + tokens
        for value in (step.get("arguments"), step.get("result")):
            if value:
                counts["text"] = counts.get("text", 0) + _text_tokens(value)
    return counts


def _text_tokens(value: Any) -> int:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _by_modality(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokens": tokens} for modality, tokens in sorted(counts.items())]
