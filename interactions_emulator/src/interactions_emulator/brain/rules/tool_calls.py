"""Makes the function calls that answer a message, or asks the user for a missing argument."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.brain.rules.answer import Ids, function_call
from interactions_emulator.brain.rules.arguments import Filled, fill, fill_all
from interactions_emulator.brain.rules.desk import DELETION_FUNCTIONS, is_call_of, is_for_researcher, researcher_of
from interactions_emulator.brain.rules.intents import (
    intent_of,
    is_about_last_answer,
    is_assent,
    is_elliptical,
    study_score,
)
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn, PastCall
from interactions_emulator.brain.rules.results import key_as_words
from interactions_emulator.brain.rules.tool_selection import Candidate, candidates, choose, most_likely
from interactions_emulator.corpus.words import word_set, words


@dataclass(frozen=True)
class AllowedTools:
    """The tools that the request's `tool_choice` allows."""

    options: list[Candidate]
    """The functions to choose from by their descriptions."""
    must_call: bool
    types: frozenset[str]
    """The types of all tools."""
    functions: frozenset[str] = frozenset()
    """The names of all functions."""


def allowed_tools(turn: Turn) -> AllowedTools:
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
        return AllowedTools([], False, frozenset())
    tools = [t for t in turn.tools if names is None or t.get("name") in names or t.get("type") in names]
    functions = frozenset(str(t["name"]) for t in tools if t.get("type") == "function" and t.get("name"))
    excluded = DELETION_FUNCTIONS if functions >= DELETION_FUNCTIONS else ()
    options = candidates((t for t in tools if t.get("name") not in excluded), turn.system_instruction)
    types = frozenset(str(t.get("type")) for t in tools)
    return AllowedTools(options, mode == "any" and bool(options), types, functions)


def function_calls(parsed: ParsedTurn, allowed: AllowedTools, ids: Ids) -> Iterator[Step]:
    """The function calls that answer the message; none if no function fits or a required argument is missing."""
    planned = _plan_call(parsed, allowed)
    if planned is None:
        return
    for filled in planned.fill_arguments():
        if not filled.missing or allowed.must_call:
            arguments = {**filled.arguments, **dict.fromkeys(filled.missing, parsed.message)}
            yield function_call(ids, planned.option.name, arguments)


def question_for_missing(parsed: ParsedTurn, allowed: AllowedTools) -> str | None:
    """A question to the user if a function fits the message but a required argument is missing; else None."""
    planned = _plan_call(parsed, allowed)
    if planned is None or not (missing := planned.fill_arguments()[0].missing):
        return None
    names = " and ".join(key_as_words(key) for key in missing)
    return f"Which {names}? `{planned.option.name}` cannot be called without it."


class _PlannedCall(NamedTuple):
    """A function to call, the message to read the arguments from, and the arguments of the previous call.

    `follows` means that the message says only what differs from the previous call.
    """

    option: Candidate
    message: str
    previous: dict[str, Any]
    follows: bool = False

    def fill_arguments(self) -> list[Filled]:
        return fill_all(self.option.parameters, self.message, self.option.fixed, self.previous, self.follows)


def _plan_call(parsed: ParsedTurn, allowed: AllowedTools) -> _PlannedCall | None:
    """The function to call for the message; None if there is none."""
    message, options, last = parsed.message, allowed.options, parsed.last_call
    if not message.strip() or not options:
        return None
    if reply := _call_from_reply(parsed, options):
        return reply
    last_option = _option_of(last, options) if last else None
    researcher = researcher_of(options)
    if researcher and is_for_researcher(parsed, researcher):
        return _PlannedCall(researcher, message, {})
    if last and last_option:
        hands_over = bool(last_option.fixed)
        if (
            is_assent(message)
            and hands_over
            and _function_answered_last(parsed)
            and _asks_for_approval(parsed.last_answer)
        ):
            return _PlannedCall(last_option, message, last.arguments)
        if is_about_last_answer(message) and study_score(message) < 2:
            return _PlannedCall(last_option, message, last.arguments) if hands_over else None
        if is_elliptical(message):
            named = choose(message, options, [last_option], by_words_alone=True) or last_option
            return _PlannedCall(named, message, last.arguments if named == last_option else {})
    before = [option for call in parsed.calls if (option := _option_of(call, options))]
    chosen = choose(message, options, before)
    if chosen is None and allowed.must_call:
        chosen = most_likely(message, options)
    if chosen is None:
        return None
    return _PlannedCall(chosen, message, last.arguments if last and chosen == last_option else {})


def _call_from_reply(parsed: ParsedTurn, options: list[Candidate]) -> _PlannedCall | None:
    """The call for a message that answers the last question; None if the last answer did not ask one.

    The question asks for a missing argument, or which of several candidates is meant.
    """
    if len(parsed.message.split()) > 8 or intent_of(parsed.message) not in ("lookup", "statement", "chat"):
        return None
    if wanted := re.search(r"`([\w.:-]+)` cannot be called without", parsed.last_answer):
        option = next((option for option in options if option.name == wanted[1] and not option.fixed), None)
        earlier = next((utterance.text for utterance in reversed(parsed.history) if utterance.speaker == "user"), "")
        if option:
            known = fill(option.parameters, earlier, {}).arguments
            return _PlannedCall(option, parsed.message, known, follows=True)
    if "Which one do you mean?" in parsed.last_answer and parsed.last_call:
        option = _option_of(parsed.last_call, options)
        if option:
            return _PlannedCall(option, _picked_candidate(parsed), parsed.last_call.arguments, follows=True)
    return None


def _picked_candidate(parsed: ParsedTurn) -> str:
    """The offered candidate that a message such as `the second one` picks; the message itself if it picks none."""
    offered = re.findall(r"^- (.+)$", parsed.last_answer.partition("Which one do you mean?")[2], re.MULTILINE)
    ordinals = ("first", "second", "third", "fourth", "fifth")
    for number, candidate in enumerate(offered):
        if re.search(rf"\b(?:{number + 1}|{ordinals[number] if number < 5 else chr(0)})\b", parsed.message.casefold()):
            return str(candidate)
    message_words = set(words(parsed.message)) - _PICK_WORDS
    named = [one for one in offered if message_words and message_words <= set(words(one))]
    return named[0] if named else parsed.message


_PICK_WORDS = word_set("the one in at from of i mean meant want that please is it")


def _option_of(call: PastCall, options: list[Candidate]) -> Candidate | None:
    return next((option for option in options if is_call_of(call, option)), None)


def _function_answered_last(parsed: ParsedTurn) -> bool:
    """Whether a function's answer came after the user's previous message."""
    for utterance in reversed(parsed.history):
        if utterance.speaker != "model":
            return bool(utterance.speaker != "user")
    return False


def _asks_for_approval(answer: str) -> bool:
    tail = answer[-600:].casefold()
    return "?" in tail or bool(re.search(r"\b(?:approve|approval|go ahead|say go|plan|confirm|proceed)\b", tail))
