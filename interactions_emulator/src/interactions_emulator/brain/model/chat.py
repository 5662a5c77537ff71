"""Answers the turns of a model: one or more chat completions, with searches, repairs and citations between them."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from interactions_emulator.brain.model.chat_chunks import Delta
from interactions_emulator.brain.model.chat_client import ChatClient, ChatError
from interactions_emulator.brain.model.limits import MAX_REPAIRS, MAX_SEARCH_ROUNDS
from interactions_emulator.brain.model.messages import (
    Message,
    chat_messages,
    has_images,
    tool_call,
    tool_result,
    without_images,
)
from interactions_emulator.brain.model.prompts import FIT_SCHEMA
from interactions_emulator.brain.model.server_tools import call_step, new_id, pending_call, result_step
from interactions_emulator.brain.model.signature_data import unpack
from interactions_emulator.brain.model.sources import Found, Library, Sources, as_prompt
from interactions_emulator.brain.model.structured_output import (
    FORMATS,
    SchemaError,
    check,
    plain_schema,
    response_format,
)
from interactions_emulator.brain.model.tool_calls import BadCall, Calls
from interactions_emulator.brain.model.tool_offer import Offer, offer
from interactions_emulator.brain.model.writer import Writer
from interactions_emulator.brain.protocol import Ending, Entry, Step, TextDelta, TimedStep, Turn

_SETTINGS = {
    "max_output_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "stop_sequences": "stop",
}
_EFFORTS = {"minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}


@dataclass
class Abilities:
    """The abilities that a model server lacks, as far as known, so that later turns do not request them again."""

    images: bool = True
    format: int = 0
    """Index in `schema.FORMATS` of the first response format that the server has not refused."""
    tool_streams: bool = True
    """Whether answers can be streamed that may call tools."""


@dataclass
class Reply:
    """A completion: its whole text, its tool calls, and why it ended."""

    text: str = ""
    calls: Calls = field(default_factory=Calls)
    finish: str = ""


class Chat:
    """One turn of a model."""

    def __init__(self, turn: Turn, client: ChatClient, library: Library, abilities: Abilities) -> None:
        self._turn = turn
        self._client = client
        self._library = library
        self._abilities = abilities
        self._offer: Offer = offer(turn)
        self._schema = None if turn.response_schema is None else plain_schema(turn.response_schema)
        self._sources = Sources()
        self._writer = Writer(self._sources)
        self._messages: list[Message] = []
        self._repairs = 0

    def answer(self) -> Iterator[Entry]:
        """The entries of the answer. Raises `ChatError`, also after the first entries."""
        turn = self._turn
        yield from (TimedStep(0, step) for step in turn.answered)
        if turn.answered and turn.answered[-1]["type"] in ("model_output", "function_call"):
            return  # a server that stopped had sent everything but the end
        if turn.modalities and "text" not in turn.modalities:
            wanted = ", ".join(turn.modalities)
            raise ChatError(
                "invalid_request", f"The model {self._client.model!r} writes text and no {wanted}: use --brain rules."
            )
        answered = list(turn.answered)
        if pending := pending_call(answered):
            answered.append(result_step(pending, self._library))
            yield TimedStep(0, answered[-1])
        self._messages = chat_messages(self._system(), (*turn.steps, *answered), self._sources)
        for rounds in range(MAX_SEARCH_ROUNDS + MAX_REPAIRS + 1):
            reply = yield from self._completion(searches=rounds < MAX_SEARCH_ROUNDS)
            yield from self._writer.close()
            if reply.finish == "length":
                if self._schema is not None and reply.text:
                    yield TextDelta(reply.text)
                yield Ending("incomplete")
                return
            if reply.finish == "content_filter":
                raise ChatError("prohibited_content", f"The server at {self._client.address} filtered the answer.")
            if not (yield from self._use(reply)):
                return
        raise ChatError("internal_error", f"The model {self._client.model!r} keeps searching and gives no answer.")

    def _use(self, reply: Reply) -> Generator[Entry, None, bool]:
        """Yield the entries for a completion. Return whether another completion is needed."""
        if reply.calls.all:
            return (yield from self._use_calls(reply))
        if self._offer.forced:
            names = ", ".join(sorted(self._offer.names))
            self._repair("malformed_function_call", reply.text, f"Call one of these tools, without text: {names}.")
            return True
        if self._schema is not None:
            text, wrong = self._checked(reply.text)
            if wrong:
                self._repair("malformed_response", reply.text, f"Your answer does not fit: {wrong}. Write it again.")
                return True
            yield TextDelta(text)
        elif not reply.text.strip():
            self._repair("malformed_response", "", "Your answer is empty. Answer the user.")
            return True
        return False

    def _use_calls(self, reply: Reply) -> Generator[Entry, None, bool]:
        """Execute the calls of server tools and yield the calls of functions. Return whether the model continues."""
        functions: list[Step] = []
        searches: list[Step] = []
        try:
            for call in reply.calls.all:
                arguments = call.arguments(self._offer.names)
                if call.name in self._offer.own:
                    searches.append(call_step(call.name, arguments))
                else:
                    id_ = new_id()
                    functions.append({"type": "function_call", "id": id_, "name": call.name, "arguments": arguments})
        except BadCall as error:
            words = "\n".join(f"{call.name}({call.text})" for call in reply.calls.all)
            self._repair("malformed_function_call", words, f"This call is wrong: {error}. Call the tool again.")
            return True
        said = reply.text
        for search in searches:
            yield TimedStep(0, search)
            result = result_step(search, self._library)
            yield TimedStep(0, result)
            found = self._sources.add(Found(*one) for one in unpack(result))
            name = search["type"].removesuffix("_call")
            self._messages.append(tool_call(search["id"], name, search["arguments"]) | {"content": said})
            said = ""
            self._messages.append(tool_result(search["id"], as_prompt(found) or "Nothing was found."))
        yield from (TimedStep(0, step) for step in functions)
        return not functions

    def _completion(self, searches: bool) -> Generator[Entry, None, Reply]:
        """Send one chat completion. Its text is streamed as it arrives, unless it has to be checked as a whole."""
        reply, live = Reply(), self._schema is None and not self._offer.forced
        thinks = self._turn.generation_config.get("thinking_summaries") != "none"
        for delta in self._deltas(searches):
            if delta.reasoning and thinks:
                yield from self._writer.think(delta.reasoning)
            if delta.text and live:
                yield from self._writer.say(delta.text)
            reply.text += delta.text
            reply.finish = delta.finish or reply.finish
            for piece in delta.calls:
                reply.calls.add(piece)
        return reply

    def _deltas(self, searches: bool) -> Iterator[Delta]:
        """The events of a completion. A request that the server refuses is sent again in a simpler form."""
        abilities = self._abilities
        while True:
            with closing(self._client.stream(self._request(searches, abilities))) as stream:
                try:
                    first = next((delta for delta in stream if any(delta)), Delta())
                except ChatError as error:
                    if not (simpler := self._simpler(error, abilities)):
                        raise
                    abilities = simpler
                    continue
                vars(self._abilities).update(vars(abilities))
                yield first
                yield from stream
                return

    def _simpler(self, error: ChatError, tried: Abilities) -> Abilities | None:
        """The next simpler form of a request that failed in the form `tried`; None if there is none."""
        refused = error.status >= 400 and error.status not in (401, 403, 404, 429, 503)
        if (refused or error.cut) and self._offer.tools and tried.tool_streams:
            return replace(tried, tool_streams=False)
        if refused and self._schema is not None and tried.format + 1 < len(FORMATS):
            return replace(tried, format=tried.format + 1)
        if refused and tried.images and has_images(self._messages):
            return replace(tried, images=False)
        return None

    def _request(self, searches: bool, abilities: Abilities) -> dict[str, Any]:
        config = self._turn.generation_config
        settings = {name: config[key] for key, name in _SETTINGS.items() if config.get(key) is not None}
        if effort := _EFFORTS.get(config.get("thinking_level") or ""):
            settings["reasoning_effort"] = effort
        tools = self._offer.request()
        if tools and not searches and self._offer.own:
            tools["tool_choice"] = "none"
        elif self._offer.forced and self._repairs:  # llama-server takes the name of a function for "auto"
            tools["tool_choice"] = "required"
        if self._schema is not None:
            settings |= response_format(FORMATS[abilities.format], self._schema)
        if tools and not abilities.tool_streams:
            settings["stream"] = False
        return {"messages": self._messages if abilities.images else without_images(self._messages), **tools, **settings}

    def _system(self) -> str:
        parts = [self._turn.system_instruction]
        if self._schema is not None:
            parts.append(FIT_SCHEMA + json.dumps(self._schema, ensure_ascii=False))
        return "\n\n".join(filter(None, parts))

    def _checked(self, text: str) -> tuple[str, str]:
        assert self._schema is not None
        try:
            return check(text, self._schema)
        except SchemaError as error:
            raise ChatError("invalid_request", str(error)) from error

    def _repair(self, code: str, words: str, request: str) -> None:
        """Ask the model again. Raises `ChatError` with the model's words if it was asked often enough."""
        if self._repairs == MAX_REPAIRS:
            raise ChatError(
                code,
                f"The model {self._client.model!r} gave {MAX_REPAIRS + 1} answers that cannot be used."
                f" {request.partition('. ')[0]}. Its last words: {words[:300]!r}. Use a larger model.",
            )
        self._repairs += 1
        self._messages += [
            {"role": "assistant", "content": words or "(nothing)"},
            {"role": "user", "content": request},
        ]
