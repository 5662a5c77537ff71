"""Converts the steps of an answer to parts."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from interactions_emulator.brain.protocol import Step

Part = dict[str, Any]


class Parts:
    """Makes parts from steps. The part after a thought has its signature, as in answers of the real service.

    `thoughts`: whether summaries of thoughts become parts. `bare_enum`: whether a text is a JSON string, whose value
    becomes the part.
    """

    def __init__(self, thoughts: bool, bare_enum: bool = False) -> None:
        self._thoughts = thoughts
        self._bare_enum = bare_enum
        self._signature: str | None = None
        self._has_call = False

    def of_step(self, step: Step) -> list[Part]:
        """Return the parts of a whole step; [] for a step that has none."""
        kind = step["type"]
        if kind == "thought":
            found = [part for content in step.get("summary", ()) for part in self.of_thought(content)]
            self.keep_signature(step.get("signature"))
            return found
        if kind == "model_output":
            return [part for content in step.get("content", ()) for part in self.of_content(content)]
        if kind == "function_call":
            self.keep_signature(step.get("signature") or self._first_signature(step["id"]))
            return self._signed(
                {"functionCall": {key: step[key] for key in ("id", "name")} | {"args": step["arguments"]}}
            )
        if kind == "code_execution_call":
            arguments = step["arguments"]
            language = str(arguments.get("language", "python")).upper()
            return self._signed({"executableCode": {"language": language, "code": arguments.get("code", "")}})
        if kind == "code_execution_result":
            outcome = "OUTCOME_FAILED" if step.get("is_error") else "OUTCOME_OK"
            return [{"codeExecutionResult": {"outcome": outcome, "output": step["result"]}}]
        return []

    def of_thought(self, content: dict[str, Any]) -> list[Part]:
        """Return the part of a content of a thought's summary; [] if the request does not ask for thoughts."""
        return [{"text": content["text"], "thought": True}] if self._thoughts and "text" in content else []

    def keep_signature(self, signature: str | None) -> None:
        """Keep the signature of a thought for the next part."""
        self._signature = signature or self._signature

    def of_content(self, content: dict[str, Any]) -> list[Part]:
        """Return the part of a content of the output."""
        if content["type"] == "text":
            return self._signed({"text": content["text"].strip('"') if self._bare_enum else content["text"]})
        mime_type = content.get("mime_type", "")
        if "data" in content:
            return self._signed({"inlineData": {"mimeType": mime_type, "data": content["data"]}})
        return self._signed({"fileData": {"mimeType": mime_type, "fileUri": content.get("uri", "")}})

    def _first_signature(self, call_id: str) -> str | None:
        """A signature for the first call of an answer, as Gemini 3 sends it; None if the answer has one already."""
        first, self._has_call = not self._has_call, True
        if not first or self._signature:
            return None
        return base64.b64encode(hashlib.sha256(call_id.encode()).digest()[:12]).decode()

    def _signed(self, part: Part) -> list[Part]:
        if self._signature:
            part["thoughtSignature"], self._signature = self._signature, None
        return [part]
