"""The emulator's brain: small, deterministic and honest. It reads what a request declares and invents no fact.

What it does is decided by the declared tools, schemas and texts alone, in this order: report function results, fill the
response schema, call the function that the message is for, search the corpus, talk about the conversation, or say
that it cannot. Agents research the corpus (`research.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interactions_emulator.brain import lookup, results, talk
from interactions_emulator.brain.answer import Ids, function_call, say
from interactions_emulator.brain.arguments import Filled, fill, fill_all
from interactions_emulator.brain.choose import Candidate, best_of, candidates, choose
from interactions_emulator.brain.heard import Heard, hear
from interactions_emulator.brain.intents import (
    intent_of,
    is_about_last_answer,
    is_assent,
    is_elliptical,
    study_score,
)
from interactions_emulator.brain.research import research
from interactions_emulator.brain.schema import fill_schema
from interactions_emulator.corpus import Corpus
from interactions_emulator.turn import Beat, Brain, Step, Turn

__all__ = ["make_brain"]


def make_brain(corpus: Corpus) -> Brain:
    """A brain that knows what stands in `corpus` and in the turn, and nothing else."""

    def brain(turn: Turn) -> Iterator[Beat]:
        if turn.is_agent:
            yield from research(turn, corpus)
        else:
            for step in _chat(turn, corpus):
                yield Beat(0.0, step)

    return brain


@dataclass(frozen=True)
class _Allowed:
    """What the request's `tool_choice` leaves of its tools."""

    options: list[Candidate]
    must_call: bool
    types: frozenset[str]


def _chat(turn: Turn, corpus: Corpus) -> Iterator[Step]:
    heard, ids, allowed = hear(turn), Ids(turn), _allowed(turn)
    if not heard.results:
        calls = list(_calls(turn, heard, allowed, ids))
        if calls:
            yield from calls
            return
    if turn.response_schema is not None:
        told = results.tell(heard) if heard.results else heard.message
        filled = fill_schema(turn.response_schema, told or heard.asked)
        text = json.dumps(filled, ensure_ascii=False, separators=(",", ":"))
        yield {"type": "model_output", "content": [{"type": "text", "text": text}]}
        return
    if heard.results:
        yield say(results.tell(heard))
        return
    yield from _words(turn, heard, allowed, corpus, ids)


def _words(turn: Turn, heard: Heard, allowed: _Allowed, corpus: Corpus, ids: Ids) -> Iterator[Step]:
    message = heard.message
    if not message:
        note = (
            f"I see {talk.seen(heard.attachments)}; the emulator cannot read pictures or files."
            if heard.attachments
            else ""
        )
        yield say(note or f"I was sent no text. {talk.abilities(allowed.options, turn)}")
        return
    asking = intent_of(message) in ("lookup", "study", "judge", "action")
    text: str | None = None
    if heard.last_answer and is_about_last_answer(message):
        text = talk.about_last_answer(heard)
    elif option := _lacking(turn, heard, allowed):
        text = option
    else:
        text = talk.small_talk(heard, allowed.options, turn)
        if text is None and re.search(r"\b(?:report|study|above|it|you (?:said|wrote))\b", message, re.IGNORECASE):
            text = talk.from_last_answer(heard)
        if text is None and asking and "google_search" in allowed.types and intent_of(message) != "action":
            yield from lookup.answer(corpus, message, turn.documents_url, ids)
            return
        text = text or (talk.from_last_answer(heard) if asking else None)
    text = text or talk.unable(heard, allowed.options, turn)
    if heard.attachments and not text.startswith("I see"):
        text = f"I see {talk.seen(heard.attachments)}; the emulator cannot read pictures or files.\n\n{text}"
    yield say(text)


def _calls(turn: Turn, heard: Heard, allowed: _Allowed, ids: Ids) -> Iterator[Step]:
    """The function calls that answer the message; none if no function is for it or the message lacks what it needs."""
    option, message, previous = _option(heard, allowed)
    if option is None:
        return
    for filled in _filled(option, message, previous):
        if not filled.missing or allowed.must_call:
            arguments = {**filled.arguments, **dict.fromkeys(filled.missing, message)}
            yield function_call(ids, option.name, arguments)


def _option(heard: Heard, allowed: _Allowed) -> tuple[Candidate | None, str, dict[str, Any]]:
    """Who is to be called, with which message, and the arguments of the call before that it follows."""
    message, options = heard.message, allowed.options
    last = heard.last_call
    last_option = _option_of(last.name, last.arguments, options) if last else None
    previous = last.arguments if last and last_option else {}
    if not message.strip() or not options:
        return None, message, {}
    if asked := _asked_for(heard, options):
        return asked
    if last_option is not None and last is not None:
        hands_over = bool(last_option.fixed)
        if is_assent(message) and hands_over and _invites(heard.last_answer):
            return last_option, message, previous
        if is_about_last_answer(message) and study_score(message) < 2:
            return (last_option if hands_over else None), message, previous
        if is_elliptical(message):
            return choose(message, options, [last_option], by_words_alone=True) or last_option, message, previous
    before = [option for call in heard.calls if (option := _option_of(call.name, call.arguments, options))]
    option = choose(message, options, before)
    if option is None and allowed.must_call:
        option = best_of(message, options)
    same = option is not None and last is not None and option.name == last.name and option == last_option
    return option, message, previous if same else {}


def _asked_for(heard: Heard, options: list[Candidate]) -> tuple[Candidate, str, dict[str, Any]] | None:
    """The message may answer a question of ours: which place, which of several."""
    if len(heard.message.split()) > 8 or intent_of(heard.message) not in ("lookup", "statement", "chat"):
        return None
    if wanted := re.search(r"`([\w.:-]+)` cannot be called without", heard.last_answer):
        option = next((option for option in options if option.name == wanted[1] and not option.fixed), None)
        earlier = next((said.text for said in reversed(heard.before) if said.speaker == "user"), "")
        if option:
            return option, heard.message, fill(option.parameters, earlier, {}).arguments
    if "Which one do you mean?" in heard.last_answer and heard.last_call:
        option = _option_of(heard.last_call.name, heard.last_call.arguments, options)
        if option:
            return option, _picked(heard), heard.last_call.arguments
    return None


def _picked(heard: Heard) -> str:
    """`the second one` as the second of the candidates that were offered."""
    offered = re.findall(r"^- (.+)$", heard.last_answer.partition("Which one do you mean?")[2], re.MULTILINE)
    ordinals = ("first", "second", "third", "fourth", "fifth")
    for number, candidate in enumerate(offered):
        if re.search(rf"\b(?:{number + 1}|{ordinals[number] if number < 5 else chr(0)})\b", heard.message.casefold()):
            return str(candidate)
    named = [one for one in offered if heard.message.casefold().strip(" .!") in one.casefold()]
    return named[0] if named else heard.message


def _filled(option: Candidate, message: str, previous: dict[str, Any]) -> list[Filled]:
    return fill_all(option.parameters, message, option.fixed, previous)


def _lacking(turn: Turn, heard: Heard, allowed: _Allowed) -> str | None:
    """A question back to the user, if the message is for a function but lacks what it needs."""
    option, message, previous = _option(heard, allowed)
    if option is None or not (missing := _filled(option, message, previous)[0].missing):
        return None
    names = " and ".join(results.humanised(key) for key in missing)
    return f"Which {names}? `{option.name}` cannot be called without it."


def _option_of(name: str, arguments: dict[str, Any], options: list[Candidate]) -> Candidate | None:
    for option in options:
        if option.name == name and all(arguments.get(key) == value for key, value in option.fixed.items()):
            return option
    return None


def _invites(answer: str) -> bool:
    tail = answer[-600:].casefold()
    return "?" in tail or bool(re.search(r"\b(?:approve|approval|go ahead|say go|plan|confirm|proceed)\b", tail))


def _allowed(turn: Turn) -> _Allowed:
    choice = turn.generation_config.get("tool_choice") or "auto"
    mode, names = choice, None
    if isinstance(choice, dict):
        spec = choice.get("allowed_tools") or choice
        mode = spec.get("mode") or "auto"
        listed = spec.get("tools")
        if isinstance(listed, list):
            names = {one if isinstance(one, str) else one.get("name") or one.get("type") for one in listed}
    mode = str(mode).casefold()
    if mode == "none":
        return _Allowed([], False, frozenset())
    tools = [t for t in turn.tools if names is None or t.get("name") in names or t.get("type") in names]
    options = candidates(tools, turn.system_instruction)
    return _Allowed(options, mode == "any" and bool(options), frozenset(str(t.get("type")) for t in tools))
