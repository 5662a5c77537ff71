"""Reads a turn: the message to answer, the function results to report, and the conversation before."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import from_json

from interactions_emulator.brain.answer import SIGN_OFF
from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.corpus.attached_files import described_media, documents_of, text_of

MAX_TEXT_CHARS = 60_000
"""Maximum characters of a text that are read, half from its beginning and half from its end."""
_QUOTED = re.compile(r"(?:\[([^\]\n]{1,80})\] said:\s*)?<<<BEGIN_(\w+)>>>(.*?)<<<END_\2>>>", re.DOTALL)
_CONTEXT_LINE = re.compile(r"^(?:For context:|\[[^\]\n]{1,80}\] ).*$", re.MULTILINE)


@dataclass
class PastCall:
    """An earlier function call, the message that led to it, and its result as plain data."""

    name: str
    arguments: dict[str, Any]
    message: str
    id: str
    result: Any = None


class Utterance(NamedTuple):
    """A text. `speaker` is "user", "model" or the name of another agent or function; `call` is the call before it."""

    speaker: str
    text: str
    call: PastCall | None


@dataclass
class Conversation:
    """A turn that has been read. `message` is the text to answer, "" if the turn ends in function `results`."""

    message: str = ""
    asked: str = ""
    """The newest text of the user, in both cases."""
    results: list[Step] = field(default_factory=list)
    history: list[Utterance] = field(default_factory=list)
    """The earlier texts, oldest first."""
    calls: list[PastCall] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    """Descriptions of the images, audio and video of the newest message."""
    cited: dict[str, str] = field(default_factory=dict)
    """The title of each web page that earlier answers cite, by its address."""
    documents: list[dict[str, Any]] = field(default_factory=list)
    """Contents of type `document`, also of earlier messages."""
    has_new_documents: bool = False
    """Whether the newest message has documents."""

    @property
    def answers(self) -> list[Utterance]:
        """The answers to the user, newest first, without the emulator's sign-off."""
        told = [one for one in reversed(self.history) if one.speaker != "user"]
        return [one._replace(text=one.text.rstrip().removesuffix(SIGN_OFF).rstrip()) for one in told]

    @property
    def user_texts(self) -> list[str]:
        """The user's earlier messages, newest first."""
        return [one.text for one in reversed(self.history) if one.speaker == "user"]

    def add(self, speaker: str, text: str) -> None:
        """Adds a text. After an answer, the next files belong to a new message."""
        if text and speaker != "user":
            self.media, self.has_new_documents = [], False
        if text:
            self.history.append(Utterance(speaker, text, self.calls[-1] if self.calls else None))


def read_conversation(turn: Turn) -> Conversation:
    """Reads a turn. Quoted context (`<<<BEGIN_...>>>`) is text of other agents, never the user's message."""
    read = Conversation()
    for number, step in enumerate(turn.steps):
        content, arguments = step.get("content"), step.get("arguments")
        match step.get("type"):
            case "user_input":
                _read_input(read, content)
            case "model_output":
                read.add("model", text_of(content))
                read.cited |= _cited(content)
            case "function_call":
                known = arguments if isinstance(arguments, dict) else {}
                read.calls.append(PastCall(str(step.get("name")), known, read.asked, str(step.get("id"))))
            case "function_result":
                value = value_of(step.get("result"))
                for call in read.calls:
                    call.result = value if call.id == step.get("call_id") else call.result
                answer = value.get("answer") if isinstance(value, dict) else value
                read.add(str(step.get("name")), answer if isinstance(answer, str) else "")
                read.results += [step] if number >= len(turn.steps) - turn.fresh else []
    if not read.results and read.asked:
        read.message = read.asked
        del read.history[max(place for place, one in enumerate(read.history) if one.speaker == "user")]
    return read


def _cited(content: Any) -> dict[str, str]:
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    notes = [note for part in parts for note in part.get("annotations") or () if isinstance(note, dict)]
    return {str(note["url"]): str(note.get("title") or note["url"]) for note in notes if note.get("url")}


def _read_input(read: Conversation, content: Any) -> None:
    text, media, documents = text_of(content), described_media(content), documents_of(content)
    if len(text) > MAX_TEXT_CHARS:
        text = f"{text[: MAX_TEXT_CHARS // 2]}\n…\n{text[-MAX_TEXT_CHARS // 2 :]}"
    if "<<<END_" in text or text.startswith("For context:"):
        for found in _QUOTED.finditer(text):
            read.add(found[1] or "tool", found[3].strip())
        text = _CONTEXT_LINE.sub("", _QUOTED.sub("", text))
    read.media += media
    read.documents += documents
    read.has_new_documents |= bool(documents)
    read.asked = text.strip() or read.asked
    read.add("user", text.strip())
    if text.strip() or media or documents:
        read.results.clear()


def value_of(result: Any) -> Any:
    """A function's result as plain data: JSON strings are parsed, wrappers such as {"result": x} removed."""
    if isinstance(result, list) and result and all(isinstance(one, dict) and "text" in one for one in result):
        result = text_of(result)
    if isinstance(result, str) and result.lstrip()[:1] in ("{", "["):
        try:
            result = from_json(result)
        except ValueError:
            return result
    wrapped = isinstance(result, dict) and result.keys() <= {"result", "output"} and len(result) == 1
    return value_of(next(iter(result.values()))) if wrapped else result
