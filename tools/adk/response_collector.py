"""What the server says on its way through ADK: the text of each step, its citations, and how the answer ended.

ADK 2.13 puts the texts of all steps together and keeps each citation's offset into its own step's text
(`models/interactions_utils.py:1139`), takes an answer that ended badly for a good one when something of it was streamed
(`:1318`), and without streaming shows a search result's markup as text and drops all citations (`:782`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.adk.request_options import merged
from tools.interactions.citations import Citation, read_citations

if TYPE_CHECKING:
    from google.genai import Client


@dataclass
class Block:
    """What one step shows."""

    text: str = ""
    annotations: list[dict[str, Any]] = field(default_factory=list)


class Tap:
    """Listens to one create, and adds arguments to it."""

    def __init__(self, extra: dict[str, Any], *, watched: bool = True) -> None:
        """Args:
        watched: whether somebody sees the pieces of the answer as they come.
        """
        self.extra, self.watched = extra, watched
        self.blocks: dict[tuple[int, int], Block] = {}
        """By the interaction, of which a continued answer has several, and the step in it."""
        self.status = ""
        """The last one that an interaction ended with."""
        self.errors: list[str] = []
        self.asked = False
        """Whether a server was asked at all: `adk test` answers in its place."""
        self._interaction = 0

    async def listen(self, stream: Any) -> AsyncGenerator[Any, None]:
        """Passes the events of a stream on."""
        async for event in stream:
            self._hear(event)
            yield event

    def read(self, resource: Any) -> Any:
        """Takes an answer that was not streamed as a whole; passes it on."""
        self.blocks.clear()
        for index, step in enumerate(resource.steps or ()):
            for content in (getattr(step, "content", None) if step.type == "model_output" else (step,)) or ():
                self._add((0, index), content)
        self._end(resource)
        return resource

    def cited(self) -> tuple[str, list[Citation]]:
        """All that was said, a paragraph a step, and its citations."""
        text, citations = "", list[Citation]()
        for place in sorted(self.blocks):
            text += "\n\n" if text else ""
            citations += read_citations(self.blocks[place].annotations, len(text.encode()))
            text += self.blocks[place].text
        return text, citations

    def _hear(self, event: Any) -> None:
        match getattr(event, "event_type", None):
            case "interaction.created":
                self._interaction += 1
            case "step.delta":
                self._add((self._interaction, event.index or 0), event.delta)
            case "error":
                self.errors.append(_error(event.error))
            case "interaction.completed":
                self._end(event.interaction)

    def _add(self, place: tuple[int, int], said: Any) -> None:
        """Takes a delta, or a whole content or step, which have the same fields."""
        text, annotations = "", getattr(said, "annotations", None) or ()
        match said.type:
            case "text":
                text = said.text or ""
            case "code_execution_call" if said.arguments and said.arguments.code:
                text = fenced(said.arguments.code, said.arguments.language or "")
            case "code_execution_result" if said.result:
                text = ("It failed:\n\n" if said.is_error else "") + fenced(str(said.result))
        if text or annotations:
            block = self.blocks.setdefault(place, Block())
            block.text += text
            block.annotations += [a.model_dump(mode="json", exclude_none=True) for a in annotations]

    def _end(self, interaction: Any) -> None:
        self.status = interaction.status or ""
        self.errors += [_error(error) for error in getattr(interaction, "errors", None) or ()]


class TappedClient:
    """A client look-alike whose `aio.interactions` goes through a tap."""

    def __init__(self, client: Client, tap: Tap, target: Any = None) -> None:
        self._client, self._tap = client, tap
        self._target: Any = target or client

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        return TappedClient(self._client, self._tap, value) if name in ("aio", "interactions") else value

    async def create(self, **arguments: Any) -> Any:
        """Sends a create with the tap's arguments."""
        from tools.interactions.sdk import create_stream

        self._tap.asked = True
        stream, headers = arguments.pop("stream", False), arguments.pop("extra_headers", None)
        arguments = merged(arguments, self._tap.extra)
        if stream:
            answer = await create_stream(self._client, arguments, headers, watched=self._tap.watched)
            return self._tap.listen(answer)
        return self._tap.read(await self._target.create(**arguments, stream=False, extra_headers=headers))

    async def get(self, *arguments: Any, **values: Any) -> Any:
        """Asks how an answer that was put off stands."""
        return self._tap.read(await self._target.get(*arguments, **values))


def fenced(text: str, language: str = "") -> str:
    """A block of code in Markdown, whatever stands in it."""
    fence = max(["``", *re.findall("`{3,}", text)], key=len) + "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _error(error: Any) -> str:
    return str(getattr(error, "message", None) or getattr(error, "code", None) or "no reason given")
