"""Decisions of an application's root agent: when to call the researcher, and when to delete the conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.answer import Ids, function_call, say
from interactions_emulator.brain.rules.intents import MEMORY, SMALL_TALK, intent_of, study_score
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn, PastCall
from interactions_emulator.brain.rules.phrases import WEATHER
from interactions_emulator.brain.rules.research_phrases import (
    JOB_ID,
    ResearchIntent,
    begins_with_yes,
    normalized_message,
    research_intents,
)
from interactions_emulator.brain.rules.tool_selection import Candidate

FORGET_FUNCTION, CONFIRM_FUNCTION = "forget_conversation", "confirm_forgetting"
DELETION_FUNCTIONS = frozenset((FORGET_FUNCTION, CONFIRM_FUNCTION))
"""Functions that are called only for deletion requests."""
NOTHING_DELETED = "Nothing was deleted."
NOTHING_STARTED = "All right, nothing was started."
MAX_REFUSAL_WORDS = 8
"""Maximum number of words of a message that only says not to start anything."""
RECENT_ENTRIES = 8
"""How many of the conversation's latest entries are searched for answers of the researcher."""

_REPLIES: frozenset[ResearchIntent] = frozenset(("yes", "no", "drop_it", "later", "not_start", "keep"))
_COMMANDS: frozenset[ResearchIntent] = frozenset(
    ("status", "cancel", "list", "delete", "again", "further", "show", "send")
)
_RUN_TOPICS: frozenset[ResearchIntent] = frozenset(
    (
        *("cost", "time", "start_over", "drop_it", "later", "settings"),
        *("made_of_report", "part_of_report", "about_report", "only_change"),
    )
)
_ASKS_FOR_YES = re.compile(
    r"\bsay \*{0,2}yes\b|\bwaits for (?:your|a) yes\b|\bapproval\b|\bgo ahead\b|\[…\]\s*$", re.IGNORECASE
)
"""Matches an answer that asks for a yes, or that was cut with […] and may have asked for a yes."""
_BACK_REFERENCE = re.compile(
    r"\b(?:it|its|this|that|these|they|them|both|the two|the \w+ one|(?:step|point|section) \d+)\b", re.IGNORECASE
)
"""Words that refer to something shown before."""
_RUN = re.compile(
    r"\b(?:research|report|study|run|job|order)\w*\b|\b\w*(?:recherche|bericht|studie)\w*\b|\b(?:rapport|étude|informe)s?\b"
    r"|\binvestigaci(?:ón|ones)\b",
    re.IGNORECASE,
)


def decide(parsed: ParsedTurn, functions: frozenset[str], options: Sequence[Candidate], ids: Ids) -> Step | None:
    """The step of a root agent that answers by itself; None if another agent or rule should answer.

    The step calls a function to delete the conversation, or says that nothing was deleted or started.
    """
    intents = research_intents(parsed.message)
    if functions >= DELETION_FUNCTIONS and (step := _deletion_step(parsed, intents, ids)):
        return step
    researcher = researcher_of(options)
    declines = "not_start" in intents and "question" not in intents and len(parsed.message.split()) <= MAX_REFUSAL_WORDS
    named = _RUN.search(parsed.message) or "start" in parsed.message.casefold()
    if declines and named and researcher and not is_for_researcher(parsed, researcher):
        if _researcher_answers(parsed, researcher):
            return function_call(ids, researcher.name, researcher.fixed)
        return say(NOTHING_STARTED)
    return None


def _deletion_step(parsed: ParsedTurn, intents: frozenset[ResearchIntent], ids: Ids) -> Step | None:
    last = parsed.last_call
    before = next((utterance.text for utterance in reversed(parsed.history) if utterance.speaker == "user"), "")
    if last and last.name in DELETION_FUNCTIONS and last.message == before:
        if "anyway" in intents:
            return function_call(ids, CONFIRM_FUNCTION, {"anyway": True})
        if intents & {"no", "drop_it", "later", "keep", "not_start"} and "confirms_forgetting" not in intents:
            return say(NOTHING_DELETED)
        begins = begins_with_yes(parsed.message)
        clear = "yes" in intents and "question" not in intents and (begins or "begin" not in intents)
        if clear or "confirms_forgetting" in intents:
            return function_call(ids, CONFIRM_FUNCTION, {})
        if begins:
            return function_call(ids, FORGET_FUNCTION, {})  # ask once more
    return function_call(ids, FORGET_FUNCTION, {}) if "forget_all" in intents else None


def answers_question(parsed: ParsedTurn, message: str, options: Sequence[Candidate]) -> bool:
    """Whether a reply such as "ok" answers a question of the researcher."""
    researcher = researcher_of(options)
    return researcher is not None and is_for_researcher(replace(parsed, message=message), researcher)


def is_for_researcher(parsed: ParsedTurn, researcher: Candidate) -> bool:
    """Whether a message is about an earlier research run."""
    message, intents = parsed.message, research_intents(parsed.message)
    intent = intent_of(message)
    if intent in ("judge", "draw") or intent in MEMORY:
        return False
    if JOB_ID.search(message) or "cancel" in intents or normalized_message(message) in ("list", "liste", "lista"):
        return True
    if intents & _REPLIES and _awaits_yes(parsed, researcher):
        return True
    if _researcher_answered_last(parsed, researcher):
        if intents & (_COMMANDS | _RUN_TOPICS) or ("change" in intents and "question" not in intents):
            return True
        return (
            intent not in SMALL_TALK
            and bool(_BACK_REFERENCE.search(normalized_message(message)))
            and not WEATHER.search(message)
        )
    if (
        intents & {"status", "delete", "list", "cost"}
        and intent != "greeting"
        and _researcher_answers(parsed, researcher)
    ):
        return True
    if "order" in intents or study_score(message) >= 2:
        return False
    return bool(intents & (_COMMANDS | {"cost", "time"}) and _RUN.search(message))


def is_call_of(call: PastCall, option: Candidate) -> bool:
    """Whether a call was made for `option`."""
    return option.name == call.name and all(call.arguments.get(key) == value for key, value in option.fixed.items())


def researcher_of(options: Sequence[Candidate]) -> Candidate | None:
    """The option that transfers to an agent for research, or None."""
    return next((option for option in options if option.purpose == "study" and option.fixed), None)


def _researcher_answered_last(parsed: ParsedTurn, researcher: Candidate) -> bool:
    """Whether the last answer came from the researcher."""
    last = next((utterance for utterance in reversed(parsed.history) if utterance.speaker != "user"), None)
    return bool(last and last.speaker != "model" and last.call and is_call_of(last.call, researcher))


def _researcher_answers(parsed: ParsedTurn, researcher: Candidate) -> list[str]:
    """The researcher's recent answers, newest first."""
    recent = [
        utterance
        for utterance in reversed(parsed.history[-RECENT_ENTRIES:])
        if utterance.speaker not in ("user", "model")
    ]
    return [utterance.text for utterance in recent if utterance.call and is_call_of(utterance.call, researcher)]


def _awaits_yes(parsed: ParsedTurn, researcher: Candidate) -> bool:
    """Whether the researcher's last answer asks for a yes, even if other agents have answered since."""
    return any(_ASKS_FOR_YES.search(answer[-1_500:]) for answer in _researcher_answers(parsed, researcher)[:1])
