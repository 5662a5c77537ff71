"""Decisions of an application's root agent: when to call the researcher, and when to delete the conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.answer import Ids, function_call, say
from interactions_emulator.brain.rules.intents import MEMORY, SMALL_TALK, intent_of, study_score
from interactions_emulator.brain.rules.parsed_turn import Call, ParsedTurn
from interactions_emulator.brain.rules.research_phrases import (
    JOB_ID,
    Wish,
    begins_with_yes,
    normalized_message,
    wishes_of,
)
from interactions_emulator.brain.rules.tool_selection import Candidate

FORGET, CONFIRM = "forget_conversation", "confirm_forgetting"
FORGETTING = frozenset((FORGET, CONFIRM))
"""Functions that are called only for deletion requests."""
KEPT = "Nothing was deleted."
NOTHING_STARTED = "All right, nothing was started."
MOST_WORDS = 8
"""Maximum number of words of a message that only says not to start anything."""
RECENT = 8
"""Number of latest entries of the conversation in which the researcher's answers are searched."""

_ANSWERS: frozenset[Wish] = frozenset(("yes", "no", "drop_it", "later", "not_start", "keep"))
_COMMANDS: frozenset[Wish] = frozenset(("status", "cancel", "list", "delete", "again", "further", "show"))
_ABOUT: frozenset[Wish] = frozenset(
    (
        *("cost", "time", "start_over", "drop_it", "settings"),
        *("made_of_report", "part_of_report", "about_report", "only_change"),
    )
)
_WAITS = re.compile(
    r"\bsay \*{0,2}yes\b|\bwaits for (?:your|a) yes\b|\bapproval\b|\bgo ahead\b|\[…\]\s*$", re.IGNORECASE
)
"""Matches an answer that asks for a yes, or that was cut with […] and may have asked for a yes."""
_POINTS = re.compile(
    r"\b(?:it|its|this|that|these|they|them|both|the two|the \w+ one|(?:step|point|section) \d+)\b", re.IGNORECASE
)
"""Words that refer to something shown before."""
_WEATHER = re.compile(r"\b(?:weather|forecast|rain\w*|snow\w*|umbrella|wetter|météo|temps|tiempo)\b", re.IGNORECASE)
_RUN = re.compile(
    r"\b(?:research|report|study|run|job)\w*\b|\b\w*(?:recherche|bericht|studie)\w*\b|\b(?:rapport|étude|informe)s?\b"
    r"|\binvestigaci(?:ón|ones)\b",
    re.IGNORECASE,
)


def decide(heard: ParsedTurn, functions: frozenset[str], options: Sequence[Candidate], ids: Ids) -> Step | None:
    """The step of a root agent that answers by itself; None if another agent or rule should answer.

    The step calls a function to delete the conversation, or says that nothing was deleted or started.
    """
    wishes = wishes_of(heard.message)
    if functions >= FORGETTING and (step := _forgetting(heard, wishes, ids)):
        return step
    researcher = researcher_of(options)
    declines = "not_start" in wishes and "question" not in wishes and len(heard.message.split()) <= MOST_WORDS
    named = _RUN.search(heard.message) or "start" in heard.message.casefold()
    if declines and named and researcher and not is_for_researcher(heard, researcher):
        return say(NOTHING_STARTED)
    return None


def _forgetting(heard: ParsedTurn, wishes: frozenset[Wish], ids: Ids) -> Step | None:
    last = heard.last_call
    before = next((said.text for said in reversed(heard.before) if said.speaker == "user"), "")
    if last and last.name in FORGETTING and last.message == before:
        if "anyway" in wishes:
            return function_call(ids, CONFIRM, {"anyway": True})
        if wishes & {"no", "drop_it", "later", "keep", "not_start"} and "confirms_forgetting" not in wishes:
            return say(KEPT)
        begins = begins_with_yes(heard.message)
        clear = "yes" in wishes and "question" not in wishes and (begins or "begin" not in wishes)
        if clear or "confirms_forgetting" in wishes:
            return function_call(ids, CONFIRM, {})
        if begins:
            return function_call(ids, FORGET, {})  # ask once more
    return function_call(ids, FORGET, {}) if "forget_all" in wishes else None


def is_for_researcher(heard: ParsedTurn, researcher: Candidate) -> bool:
    """Whether a message is about an earlier research run."""
    message, wishes = heard.message, wishes_of(heard.message)
    intent = intent_of(message)
    if intent in ("judge", "draw") or intent in MEMORY:
        return False
    if JOB_ID.search(message) or normalized_message(message) in ("list", "liste", "lista"):
        return True
    if wishes & _ANSWERS and _waits(heard, researcher):
        return True
    if _spoke_last(heard, researcher):
        if wishes & (_COMMANDS | _ABOUT) or ("change" in wishes and "question" not in wishes):
            return True
        return intent not in SMALL_TALK and bool(_POINTS.search(message)) and not _WEATHER.search(message)
    if wishes & {"status", "cancel"} and intent != "greeting" and _answers(heard, researcher):
        return True
    if "order" in wishes or study_score(message) >= 2:
        return False
    return bool(wishes & (_COMMANDS | {"cost", "time"}) and _RUN.search(message))


def is_call_of(call: Call, option: Candidate) -> bool:
    """Whether a call was made for `option`."""
    return option.name == call.name and all(call.arguments.get(key) == value for key, value in option.fixed.items())


def researcher_of(options: Sequence[Candidate]) -> Candidate | None:
    """The option that transfers to an agent for research, or None."""
    return next((option for option in options if option.calling == "study" and option.fixed), None)


def _spoke_last(heard: ParsedTurn, researcher: Candidate) -> bool:
    """Whether the last answer came from the researcher."""
    last = next((said for said in reversed(heard.before) if said.speaker != "user"), None)
    return bool(last and last.speaker != "model" and last.call and is_call_of(last.call, researcher))


def _answers(heard: ParsedTurn, researcher: Candidate) -> list[str]:
    """The researcher's recent answers, newest first."""
    recent = [said for said in reversed(heard.before[-RECENT:]) if said.speaker not in ("user", "model")]
    return [said.text for said in recent if said.call and is_call_of(said.call, researcher)]


def _waits(heard: ParsedTurn, researcher: Candidate) -> bool:
    """Whether the researcher's last answer asks for a yes, even if other agents have answered since."""
    return any(_WAITS.search(answer[-1_500:]) for answer in _answers(heard, researcher)[:1])
