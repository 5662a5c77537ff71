"""Parses a turn: the message to answer, the function results to report, and the earlier conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.brain.rules.attachments import describe_file, documents_of, text_file_in

SIGN_OFF = "— emulator"
MAX_TEXT_CHARS = 60_000
"""Maximum characters of a text that are read, half from its beginning and half from its end."""

_FENCE = re.compile(r"<<<BEGIN_(\w+)>>>")
_SPEAKER = re.compile(r"\[([^\]\n]{1,80})\] said:\s*\Z")
_PREAMBLE = re.compile(r"^For context:[^\n]*\n?", re.MULTILINE)


class PastCall(NamedTuple):
    """An earlier function call and the message that led to it."""

    name: str
    arguments: dict[str, Any]
    message: str


class Utterance(NamedTuple):
    """A text in the conversation; `speaker` is "user", "model" or the name of another agent."""

    speaker: str
    text: str
    call: PastCall | None = None
    """The last function call before the text, if any."""


@dataclass(frozen=True)
class ParsedTurn:
    """A parsed turn.

    `message` is the user's text to answer. If the input ends in function results, it is "" and `results` has them.
    `user_text` is the newest text of the user in both cases. `attachments` describes images, audio and video.
    `history` are the earlier texts, oldest first.
    """

    message: str
    user_text: str
    results: tuple[Step, ...]
    attachments: tuple[str, ...]
    history: tuple[Utterance, ...]
    calls: tuple[PastCall, ...]
    documents: tuple[dict[str, Any], ...] = ()
    """Contents of type `document`, including those of earlier messages."""
    new_documents: int = 0
    """Number of documents that came with this turn. They are the last in `documents`."""

    @property
    def last_answer(self) -> str:
        """The last answer to the user, without the emulator's sign-off."""
        return next(
            (without_sign_off(utterance.text) for utterance in reversed(self.history) if utterance.speaker != "user"),
            "",
        )

    @property
    def last_call(self) -> PastCall | None:
        """The last function call before this message."""
        return self.calls[-1] if self.calls else None


def parse_turn(turn: Turn) -> ParsedTurn:
    """Parses a turn. Quoted context (`<<<BEGIN_...>>>`) is text of other agents, never the user's message."""
    utterances: list[Utterance] = []
    calls: list[PastCall] = []
    attachments: list[str] = []
    documents: list[dict[str, Any]] = []
    new_documents = 0
    results: list[Step] = []
    user_text = ""
    first_fresh = len(turn.steps) - turn.fresh
    for number, step in enumerate(turn.steps):
        kind = step.get("type")
        if kind == "user_input":
            text, files = _user_input(step, utterances)
            papers = documents_of(step.get("content"))
            documents += papers
            if number >= first_fresh:
                attachments += files
                new_documents += len(papers)
            if text:
                continues = (
                    utterances
                    and utterances[-1].speaker == "user"
                    and utterances[-1].text == user_text
                    and user_text.endswith(":")
                )
                user_text = f"{utterances.pop().text}\n{text}" if continues else text
                utterances.append(Utterance("user", user_text))
            if text or files or papers:
                results.clear()
        elif kind == "model_output":
            if text := text_of(step.get("content")):
                utterances.append(Utterance("model", text, calls[-1] if calls else None))
        elif kind == "function_call":
            calls.append(PastCall(str(step.get("name", "")), _as_object(step.get("arguments")), user_text))
        elif kind == "function_result":
            if answer := _agent_answer(step.get("result")):
                utterances.append(Utterance(str(step.get("name") or "tool"), answer, calls[-1] if calls else None))
            if number >= first_fresh:
                results.append(step)
    message = "" if results else user_text
    if message:
        last = max(i for i, one in enumerate(utterances) if one.speaker == "user")
        del utterances[last]
    return ParsedTurn(
        message,
        user_text,
        tuple(results),
        tuple(attachments),
        tuple(utterances),
        tuple(calls),
        tuple(documents),
        new_documents,
    )


def text_of(content: Any) -> str:
    """The text in a step's content, which may be a list of contents, one content or a string."""
    if isinstance(content, str):
        content = {"text": content}
    parts = content if isinstance(content, list) else [content]
    texts = (p.get("text") for p in parts if isinstance(p, dict) and p.get("type", "text") == "text")
    return "\n".join(text for text in texts if isinstance(text, str) and not text_file_in(text))


def value_of(result: Any) -> Any:
    """A function's result as plain data: JSON strings are parsed, wrappers such as {"result": x} removed."""
    if isinstance(result, list) and result and all(isinstance(r, dict) and "text" in r for r in result):
        result = text_of(result)
    if isinstance(result, str):
        try:
            return value_of(json.loads(result)) if result.lstrip()[:1] in ("{", "[") else result
        except ValueError:
            return result
    if (
        isinstance(result, dict)
        and len(result) == 1
        and (key := next(iter(result))) in ("result", "output", "response")
    ):
        return value_of(result[key])
    return result


def without_sign_off(text: str) -> str:
    """An answer without its last line, the emulator's sign-off."""
    return text.rstrip().removesuffix(SIGN_OFF).rstrip()


def _user_input(step: Step, utterances: list[Utterance]) -> tuple[str, list[str]]:
    content = step.get("content")
    text = text_of(content)
    if len(text) > MAX_TEXT_CHARS:
        text = f"{text[: MAX_TEXT_CHARS // 2]}\n…\n{text[-MAX_TEXT_CHARS // 2 :]}"
    if "<<<BEGIN_" in text or text.startswith("For context:"):
        text, quoted = _without_quoted_blocks(text)
        utterances += quoted
    return text.strip(), _described_media(content if isinstance(content, list) else [])


def _without_quoted_blocks(text: str) -> tuple[str, list[Utterance]]:
    """A text without its quoted blocks and their introductions, and the quoted texts with their speakers."""
    rest: list[str] = []
    quoted: list[Utterance] = []
    position = 0
    while begin := _FENCE.search(text, position):
        mark = f"<<<END_{begin[1]}>>>"
        end = text.find(mark, begin.end())
        if end < 0:
            break
        before = text[position : begin.start()]
        rest.append(before)
        if speaker := _SPEAKER.search(before[-120:]):
            quoted.append(Utterance(speaker[1], text[begin.end() : end].strip()))
        position = end + len(mark)
    outside = _PREAMBLE.sub("", "".join([*rest, text[position:]]))
    return re.sub(r"^\[[^\]\n]{1,80}\].*$", "", outside, flags=re.MULTILINE), quoted


def _described_media(parts: Iterable[Any]) -> list[str]:
    found = []
    for part in parts:
        if isinstance(part, dict) and part.get("type") in ("image", "audio", "video"):
            found.append(describe_file(part))
    return found


def _agent_answer(result: Any) -> str:
    """The text of a function's result if it is another agent's answer, which the user has read; else ""."""
    value = value_of(result)
    if isinstance(value, dict):
        value = value.get("answer") or value.get("text")
    return value if isinstance(value, str) else ""


def _as_object(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}
