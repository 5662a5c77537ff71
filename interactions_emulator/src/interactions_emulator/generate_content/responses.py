"""Makes the response of generateContent from an interaction, whole or chunk by chunk."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from interactions_emulator.engine.events import timestamp
from interactions_emulator.engine.interaction import Interaction
from interactions_emulator.errors import CODES, Refused
from interactions_emulator.generate_content.grounding import Grounding, url_metadata
from interactions_emulator.generate_content.parts import Part, Parts
from interactions_emulator.generate_content.requests import Generate

FINISH_REASONS = {
    "incomplete": "MAX_TOKENS",
    "budget_exceeded": "MAX_TOKENS",
    "cancelled": "OTHER",
    "requires_continuation": "CONTINUATION",
}
"""Maps the status of an interaction to the reason why its answer ends; any other status is STOP."""
_STATUS_OF_CODE = {code: status for status, code in CODES.items()}


def response(interaction: Interaction, request: Generate) -> dict[str, Any]:
    """Return the whole response. Raises `Refused` if the interaction has failed."""
    check_succeeded(interaction)
    writer, grounding = Parts(request.thoughts, request.bare_enum), Grounding()
    parts: list[Part] = []
    for step in interaction.steps:
        grounding.add_step(step)
        if step["type"] != "model_output":
            parts += writer.of_step(step)
            continue
        for content in step.get("content", ()):
            if content["type"] == "text":
                grounding.add_text(content, len(parts))
            parts += writer.of_content(content)
    return _chunk(interaction, request, parts) | _ending(interaction, request, parts, grounding)


class Chunks:
    """Makes the chunks of a streamed response from the events of an interaction."""

    def __init__(self, interaction: Interaction, request: Generate) -> None:
        self._interaction = interaction
        self._request = request
        self._parts = Parts(request.thoughts, request.bare_enum)

    def of_event(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the chunk of an event, if it has one."""
        kind = event["event_type"]
        if kind == "step.delta":
            if parts := self._of_delta(event["delta"]):
                yield _chunk(self._interaction, self._request, parts)
        elif kind == "step.stop":
            step = self._interaction.steps[event["index"]]
            if step["type"] not in ("model_output", "thought") and (parts := self._parts.of_step(step)):
                yield _chunk(self._interaction, self._request, parts)
        elif kind == "interaction.completed" and self._interaction.status != "failed":
            yield self._last()

    def _of_delta(self, delta: dict[str, Any]) -> list[Part]:
        kind = delta["type"]
        if kind == "thought_summary":
            return self._parts.of_thought(delta["content"])
        if kind == "thought_signature":
            self._parts.keep_signature(delta["signature"])
        if kind in ("text", "image", "audio", "video", "document"):
            return self._parts.of_content(delta)
        return []

    def _last(self) -> dict[str, Any]:
        """The last chunk. Its positions count from the start of the whole text, which is the client's one text part."""
        grounding, offset = Grounding(), 0
        for step in self._interaction.steps:
            grounding.add_step(step)
            for content in step.get("content", ()) if step["type"] == "model_output" else ():
                if content["type"] == "text":
                    grounding.add_text(content, 0, offset)
                    offset += len(content["text"].encode())
        parts: list[Part] = [{"text": ""}]
        return _chunk(self._interaction, self._request, parts) | _ending(
            self._interaction, self._request, parts, grounding
        )


def check_succeeded(interaction: Interaction) -> None:
    """Raise `Refused` with the reason if the interaction has failed."""
    if interaction.status == "failed":
        error = interaction.errors[0] if interaction.errors else {"code": "", "message": "The answer failed."}
        raise Refused(_STATUS_OF_CODE.get(error["code"], 500), error["message"])


def _chunk(interaction: Interaction, request: Generate, parts: list[Part]) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
        "modelVersion": request.create.target,
        "responseId": interaction.id,
        "createTime": timestamp(interaction.shown[0]),
    }


def _ending(interaction: Interaction, request: Generate, parts: list[Part], grounding: Grounding) -> dict[str, Any]:
    """The fields of a response that are known only at the end of the answer."""
    candidate: dict[str, Any] = {
        "content": {"parts": parts, "role": "model"},
        "index": 0,
        "finishReason": FINISH_REASONS.get(interaction.status, "STOP"),
    }
    if sources := grounding.metadata():
        candidate["groundingMetadata"] = sources
    if addresses := url_metadata(interaction.steps):
        candidate["urlContextMetadata"] = addresses
    if interaction.continuation_token:
        candidate["continuationToken"] = base64.b64encode(interaction.continuation_token.encode()).decode()
    return {"candidates": [candidate], "usageMetadata": usage_metadata(interaction.usage or {})}


def usage_metadata(usage: dict[str, Any]) -> dict[str, Any]:
    """Convert the usage of an interaction."""
    counts = {
        "promptTokenCount": usage.get("total_input_tokens"),
        "candidatesTokenCount": usage.get("total_output_tokens"),
        "thoughtsTokenCount": usage.get("total_thought_tokens"),
        "toolUsePromptTokenCount": usage.get("total_tool_use_tokens"),
        "totalTokenCount": usage.get("total_tokens"),
        "promptTokensDetails": details(usage.get("input_tokens_by_modality", ())),
        "candidatesTokensDetails": details(usage.get("output_tokens_by_modality", ())),
    }
    return {key: value for key, value in counts.items() if value}


def details(by_modality: Any) -> list[dict[str, Any]]:
    """Convert the tokens of each modality."""
    return [{"modality": one["modality"].upper(), "tokenCount": one["tokens"]} for one in by_modality]
