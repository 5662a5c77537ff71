"""Makes the function calls that answer a message, or asks the user for a missing argument."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.brain.rules.answer import Ids, function_call
from interactions_emulator.brain.rules.arguments import Filled, fill, fill_all
from interactions_emulator.brain.rules.desk import FORGETTING, is_call_of, is_for_researcher, researcher_of
from interactions_emulator.brain.rules.intents import (
    intent_of,
    is_about_last_answer,
    is_assent,
    is_elliptical,
    study_score,
)
from interactions_emulator.brain.rules.parsed_turn import Call, ParsedTurn
from interactions_emulator.brain.rules.results import humanised
from interactions_emulator.brain.rules.tool_selection import Candidate, best_of, candidates, choose
from interactions_emulator.corpus.words import word_set, words


@dataclass(frozen=True)
class Allowed:
    """The tools that the request's `tool_choice` allows."""

    options: list[Candidate]
    """The functions to choose from by their descriptions."""
    must_call: bool
    types: frozenset[str]
    """The types of all tools."""
    functions: frozenset[str] = frozenset()
    """The names of all functions."""


def allowed_by(turn: Turn) -> Allowed:
    """Reads `tool_choice`: "auto", "none", "any", "validated" or {"allowed_tools": {"mode", "tools"}}."""
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
        return Allowed([], False, frozenset())
    tools = [t for t in turn.tools if names is None or t.get("name") in names or t.get("type") in names]
    functions = frozenset(str(t["name"]) for t in tools if t.get("type") == "function" and t.get("name"))
    apart = FORGETTING if functions >= FORGETTING else ()
    options = candidates((t for t in tools if t.get("name") not in apart), turn.system_instruction)
    types = frozenset(str(t.get("type")) for t in tools)
    return Allowed(options, mode == "any" and bool(options), types, functions)


def calls(heard: ParsedTurn, allowed: Allowed, ids: Ids) -> Iterator[Step]:
    """The function calls that answer the message; none if no function fits or a required argument is missing."""
    request = _request(heard, allowed)
    if request is None:
        return
    for filled in request.filled():
        if not filled.missing or allowed.must_call:
            arguments = {**filled.arguments, **dict.fromkeys(filled.missing, heard.message)}
            yield function_call(ids, request.option.name, arguments)


def question_back(heard: ParsedTurn, allowed: Allowed) -> str | None:
    """A question to the user if a function fits the message but a required argument is missing; else None."""
    request = _request(heard, allowed)
    if request is None or not (missing := request.filled()[0].missing):
        return None
    names = " and ".join(humanised(key) for key in missing)
    return f"Which {names}? `{request.option.name}` cannot be called without it."


class _Request(NamedTuple):
    """A function to call, the message to read the arguments from, and the arguments of the previous call.

    `follows` means that the message says only what differs from the previous call.
    """

    option: Candidate
    message: str
    previous: dict[str, Any]
    follows: bool = False

    def filled(self) -> list[Filled]:
        return fill_all(self.option.parameters, self.message, self.option.fixed, self.previous, self.follows)


def _request(heard: ParsedTurn, allowed: Allowed) -> _Request | None:
    """The function to call for the message; None if there is none."""
    message, options, last = heard.message, allowed.options, heard.last_call
    if not message.strip() or not options:
        return None
    if reply := _reply(heard, options):
        return reply
    last_option = _option_of(last, options) if last else None
    researcher = researcher_of(options)
    if researcher and is_for_researcher(heard, researcher):
        return _Request(researcher, message, {})
    if last and last_option:
        hands_over = bool(last_option.fixed)
        if is_assent(message) and hands_over and _spoke_last(heard) and _invites(heard.last_answer):
            return _Request(last_option, message, last.arguments)
        if is_about_last_answer(message) and study_score(message) < 2:
            return _Request(last_option, message, last.arguments) if hands_over else None
        if is_elliptical(message):
            named = choose(message, options, [last_option], by_words_alone=True) or last_option
            return _Request(named, message, last.arguments if named == last_option else {})
    before = [option for call in heard.calls if (option := _option_of(call, options))]
    chosen = choose(message, options, before)
    if chosen is None and allowed.must_call:
        chosen = best_of(message, options)
    if chosen is None:
        return None
    return _Request(chosen, message, last.arguments if last and chosen == last_option else {})


def _reply(heard: ParsedTurn, options: list[Candidate]) -> _Request | None:
    """The call for a message that answers the last question; None if the last answer did not ask one.

    The question asks for a missing argument, or which of several candidates is meant.
    """
    if len(heard.message.split()) > 8 or intent_of(heard.message) not in ("lookup", "statement", "chat"):
        return None
    if wanted := re.search(r"`([\w.:-]+)` cannot be called without", heard.last_answer):
        option = next((option for option in options if option.name == wanted[1] and not option.fixed), None)
        earlier = next((said.text for said in reversed(heard.before) if said.speaker == "user"), "")
        if option:
            known = fill(option.parameters, earlier, {}).arguments
            return _Request(option, heard.message, known, follows=True)
    if "Which one do you mean?" in heard.last_answer and heard.last_call:
        option = _option_of(heard.last_call, options)
        if option:
            return _Request(option, _picked(heard), heard.last_call.arguments, follows=True)
    return None


def _picked(heard: ParsedTurn) -> str:
    """The offered candidate that a message such as `the second one` picks; the message itself if it picks none."""
    offered = re.findall(r"^- (.+)$", heard.last_answer.partition("Which one do you mean?")[2], re.MULTILINE)
    ordinals = ("first", "second", "third", "fourth", "fifth")
    for number, candidate in enumerate(offered):
        if re.search(rf"\b(?:{number + 1}|{ordinals[number] if number < 5 else chr(0)})\b", heard.message.casefold()):
            return str(candidate)
    told = set(words(heard.message)) - _PICKING
    named = [one for one in offered if told and told <= set(words(one))]
    return named[0] if named else heard.message


_PICKING = word_set("the one in at from of i mean meant want that please is it")


def _option_of(call: Call, options: list[Candidate]) -> Candidate | None:
    return next((option for option in options if is_call_of(call, option)), None)


def _spoke_last(heard: ParsedTurn) -> bool:
    """Whether a function's answer came after the user's previous message."""
    for said in reversed(heard.before):
        if said.speaker != "model":
            return bool(said.speaker != "user")
    return False


def _invites(answer: str) -> bool:
    tail = answer[-600:].casefold()
    return "?" in tail or bool(re.search(r"\b(?:approve|approval|go ahead|say go|plan|confirm|proceed)\b", tail))
