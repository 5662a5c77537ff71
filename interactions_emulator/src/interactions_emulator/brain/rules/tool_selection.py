"""Chooses the declared function that fits a message, by the words of its name, description and parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interactions_emulator.brain.rules import phrases
from interactions_emulator.brain.rules.arguments import urls_in
from interactions_emulator.brain.rules.intents import MEMORY, SMALL_TALK, core, intent_of, split_text, study_score
from interactions_emulator.brain.rules.phrases import Intent
from interactions_emulator.brain.rules.places import is_place_like, places_in
from interactions_emulator.corpus.words import sentences, stem, terms, words

Purpose = Literal["judge", "study", "draw", "lookup", "none"]
"""The purpose of a candidate: it judges texts, writes long studies, draws, answers any question, or none of these."""

MIN_SCORE = 1.0
"""Minimum score of a chosen candidate: one significant word in common, or a matching purpose (`Purpose`)."""


@dataclass(frozen=True)
class Candidate:
    """A function; or, for a function that chooses among services by a parameter, one value of that parameter.

    For example, `transfer_to_agent` has one candidate for each value of `agent_name`.
    """

    name: str
    """The function's name."""
    parameters: dict[str, Any]
    fixed: dict[str, Any]
    """The parameter with the value that the candidate stands for; empty if it stands for the whole function."""
    name_stems: frozenset[str]
    text_stems: frozenset[str]
    purpose: Purpose
    topic: str
    """The name of the function, or the value."""
    about: str
    """The first sentence of its description, "" if there is none."""


def candidates(tools: Iterable[dict[str, Any]], system_instruction: str) -> list[Candidate]:
    """The functions in `tools` as candidates. Tools of other types are ignored.

    A function is one candidate. If the instruction or its description explains the values of a required parameter,
    it is one candidate for each of these values.
    """
    found: list[Candidate] = []
    for tool in tools:
        if tool.get("type") != "function" or not tool.get("name"):
            continue
        name, description = str(tool["name"]), _without_fences(str(tool.get("description") or ""))
        declared = tool.get("parameters")
        parameters: dict[str, Any] = declared if isinstance(declared, dict) else {}
        properties = parameters.get("properties") or {}
        described = _described_values(parameters, f"{system_instruction}\n\n{description}")
        if described:
            key, texts = described
            found += [_candidate(name, parameters, value, text, "", {key: value}) for value, text in texts.items()]
        else:
            about = " ".join(f"{_identifier_words(key)} {_description(schema)}" for key, schema in properties.items())
            found.append(_candidate(name, parameters, name, description, about, {}))
    return found


def choose(
    message: str, options: Sequence[Candidate], called_before: Sequence[Candidate] = (), by_words_alone: bool = False
) -> Candidate | None:
    """The candidate that fits a message best, or None.

    A candidate for long studies costs time and money: it is chosen only for a message that asks for a study or is about
    an earlier one. A candidate that judges texts is chosen only for a text to judge. After a call that drew a picture,
    a request to change the picture goes to a candidate that draws.

    Args:
        called_before: the candidates of the earlier calls, oldest first.
        by_words_alone: choose only among candidates that share words with the message.
    """
    intent = intent_of(message)
    if intent in SMALL_TALK or intent in MEMORY or not options:
        return None
    can_study = any(option.purpose == "study" for option in options)
    if (intent == "study" and not can_study) or (intent == "judge" and not any(o.purpose == "judge" for o in options)):
        intent = "lookup"
    if called_before and called_before[-1].purpose == "draw" and phrases.DRAW_AGAIN.match(core(message)):
        intent = "draw"
    if intent == "draw" and not any(option.purpose == "draw" for option in options):
        intent = "action"
    options = _without_misread(message, intent, options)
    about_study = can_study and _is_about_study(message, any(o.purpose == "study" for o in called_before))
    request = (split_text(message).instruction or message) if intent == "judge" else message
    stems = _significant_stems(request)
    best, best_score = None, 0.0
    for option in options:
        score = _score(option, stems, options, intent, about_study)
        if (
            score
            and urls_in(message)
            and any("ur" in key and "l" in key for key in option.parameters.get("properties") or {})
        ):
            score += 3.0
        if by_words_alone and not stems & (option.name_stems | option.text_stems):
            score = 0.0
        if score > best_score:
            best, best_score = option, score
    min_score = 1.5 if intent in ("action", "statement") else MIN_SCORE
    return best if best_score >= min_score else None


def _without_misread(message: str, intent: Intent, options: Sequence[Candidate]) -> Sequence[Candidate]:
    """The options without those that do not fit a question: drawing, or a function that needs a place."""
    plain = core(message)
    if intent == "lookup" and phrases.ABOUT_PICTURES.match(plain):
        options = [option for option in options if option.purpose != "draw"]
    if phrases.DEFINITION.match(plain) and not places_in(message):
        options = [option for option in options if not _needs_place(option)]
    return options


def _needs_place(option: Candidate) -> bool:
    properties = option.parameters.get("properties") or {}
    return any(is_place_like(key, properties.get(key) or {}) for key in option.parameters.get("required") or [])


def most_likely(message: str, options: Sequence[Candidate]) -> Candidate:
    """The most likely candidate, for a request that must call a function."""
    stems = _significant_stems(message)
    intent = intent_of(message)
    return max(options, key=lambda option: _score(option, stems, options, intent, True))


def _significant_stems(message: str) -> set[str]:
    """The significant stems of a message, and of the English words that `phrases.SAME_WORDS` gives for its words."""
    message_words = set(words(message[:5_000]))
    implied = {stem(word) for word, others in phrases.SAME_WORDS.items() if message_words & others}
    if phrases.ASKS_WEATHER.search(message[:5_000]):
        implied.add(stem("weather"))
    return {one for one in terms(message[:5_000]) if one not in _GENERIC_STEMS and not one.isdecimal()} | implied


def _score(
    option: Candidate, stems: set[str], options: Sequence[Candidate], intent: Intent, about_study: bool
) -> float:
    wanted = intent == option.purpose or (about_study and option.purpose == "study")
    if option.purpose in ("study", "judge") and not wanted:
        return 0.0
    shared = 0.0
    for one in stems & (option.name_stems | option.text_stems):
        rivals = sum(one in other.text_stems or one in other.name_stems for other in options)
        shared += (1.5 if one in option.name_stems else 1.0) * (1.0 if rivals == 1 else 0.4)
    if wanted:
        return shared + (MIN_SCORE if intent == "lookup" else 4.0)
    if intent in ("judge", "study", "draw"):
        return 0.0
    return shared


def _candidate(
    name: str, parameters: dict[str, Any], topic: str, description: str, more: str, fixed: dict[str, Any]
) -> Candidate:
    text = _without_negations(f"{description} {more}")
    return Candidate(
        name,
        parameters,
        fixed,
        frozenset(terms(_identifier_words(topic))) - _GENERIC_STEMS,
        frozenset(terms(text)) - _GENERIC_STEMS,
        _purpose_of(_identifier_words(topic), text, parameters),
        topic,
        _first_sentence(description, topic),
    )


def _first_sentence(description: str, topic: str) -> str:
    lines = [line.strip(" -*") for line in description.splitlines()]
    lines = [re.sub(r"^[\w ]{0,20}description:\s*", "", line, flags=re.IGNORECASE) for line in lines if line]
    lines = [line for line in lines if not re.fullmatch(rf"(?:[\w ]{{0,20}}:)?\s*`?{re.escape(topic)}`?:?", line)]
    paragraph = " ".join(lines[: next((i for i, line in enumerate(lines) if line.rstrip().endswith(":")), len(lines))])
    return sentences(paragraph)[0] if paragraph else ""


def _purpose_of(topic: str, text: str, parameters: dict[str, Any]) -> Purpose:
    counts: dict[Purpose, float] = {}
    for purpose, cues in _PURPOSE_CUES.items():
        counts[purpose] = len({stem(m) for m in cues.findall(text.casefold())}) + 2 * len(
            cues.findall(topic.casefold())
        )
    if _GENERAL_SEARCH.search(topic) and "query" in " ".join(parameters.get("properties") or {}):
        counts["lookup"] += 2
    purpose = max(counts, key=lambda one: counts[one])
    return purpose if counts[purpose] >= (1 if purpose == "lookup" else 2) else "none"


_PURPOSE_CUES: dict[Purpose, re.Pattern[str]] = {
    "draw": re.compile(
        r"\b(?:draws?|drawings?|paint\w*|illustrat\w+|pictures?|images?|logos?|icons?|posters?|sketch\w*|photos?)\b"
    ),
    "lookup": re.compile(
        r"\b(?:web|internet|google|facts?|factual|questions|general knowledge|encyclop\w+|wiki\w*|look(?:s"
        r"|ing)? (?:things )?up"
        r"|news|documents|search engine|anything)\b"
    ),
    "judge": re.compile(
        r"\b(?:moderat\w+|judg\w+|spam|harmful|inappropriate|unsafe|offensive|toxic\w*|abus\w+|safe to \w+"
        r"|is safe|content policy)\b"
    ),
    "study": re.compile(
        r"\b(?:research\w*|reports?|in[- ]depth|in depth|stud(?:y|ies)|investigat\w+|long|thorough|detailed"
        r"|literature|analys[ei]s|minutes)\b"
    ),
}
_GENERAL_SEARCH = re.compile(r"\b(?:search|lookup|find|ask)\b")

_GENERIC_STEMS = frozenset(
    terms(
        """
        user agent tool function call return answer question text string value name list needed ask task handle provide
        include request argument example parameter param type optional default result data json object number integer
        boolean true false specific given message query input output information transfer control suitable model new
        good best better long short full whole plain current currently today tomorrow week weekend people place like
        time day today now work use word note possible support available first last next"""
    )
)


def _described_values(parameters: dict[str, Any], text: str) -> tuple[str, dict[str, str]] | None:
    """The required parameter whose values are all described in `text`, with the descriptions; None if there is none."""
    for key in parameters.get("required") or []:
        schema = (parameters.get("properties") or {}).get(key)
        if not isinstance(schema, dict):
            continue
        values = schema.get("enum")
        if not values or not all(isinstance(value, str) for value in values):
            continue
        texts = _descriptions_of(values, f"{text}\n\n{schema.get('description') or ''}")
        if all(len(terms(description)) > 2 for description in texts.values()):
            return key, texts
    return None


def _descriptions_of(values: Sequence[str], text: str) -> dict[str, str]:
    """The description of each value: the line that begins with the value, and the following lines of the paragraph.

    If no line begins with the value, its description consists of the clauses that mention only this value.
    """
    owned: dict[str, list[str]] = {value: [] for value in values}
    mentioned: dict[str, list[str]] = {value: [] for value in values}
    for paragraph in re.split(r"\n\s*\n", text):
        owner = ""
        for line in paragraph.splitlines():
            owner = next((value for value in values if _begins_with_value(line, value)), owner)
            if owner:
                owned[owner].append(line)
        for clause in re.split(r"(?<=[.;!?])\s+|,\s|\sand\s|\n\s*[-*]", paragraph):
            if not owner and len(one := _mentioned_values(clause, values)) == 1:
                mentioned[one[0]].append(clause)
    return {value: "\n".join(owned[value] or mentioned[value]) for value in values}


def _begins_with_value(line: str, value: str) -> bool:
    """Whether a line begins with the value: `Agent name: value`, `- value: ...`, `**value** (...)`."""
    head = re.sub(r"[*`\"']", "", line[:200]).lstrip(" -#\t")
    return bool(re.match(rf"(?i)(?:[\w ]{{1,20}}:\s*)?{re.escape(value)}\s*(?:$|[:(—–-])", head))


def _mentioned_values(text: str, values: Sequence[str]) -> list[str]:
    return [value for value in values if re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", text, re.IGNORECASE)]


def _without_negations(text: str) -> str:
    """A text without negated parts: `Answers questions, never writes reports.` -> `Answers questions,`."""
    return re.sub(
        r"(?i)(?:\b(?:not|never|except|don't|doesn't|cannot|can't|rather than|instead of|unlike)\b)[^.;:\n]*", " ", text
    )


def _is_about_study(message: str, called_before: bool) -> bool:
    plain = message.casefold()
    if re.search(r"\b(?:job|research|report|study|task|run)_\w+", plain):
        return True  # it has the id of a run
    if (
        called_before
        and len(plain.split()) <= 8
        and re.search(r"\b(?:status|progress|cancel|how far|ready yet|done yet|finished)\b", plain)
    ):
        return True
    study = re.search(
        r"\b(?:the|my|that|this|our|last|previous|running)\s(?:\w+\s)?(?:research\w*|report|study|investigation)\b",
        plain,
    )
    if study and called_before and study_score(message) < 2:
        return True
    return bool(
        study
        and re.search(
            r"\b(?:status|cancel|stop|abort|resume|continue|approve|progress|far|finished|done|ready|retry|show"
            r"|list|running)\b",
            plain,
        )
    )


def _identifier_words(identifier: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", identifier).replace("_", " ").replace("-", " ")


def _description(schema: Any) -> str:
    return str(schema.get("description") or "") if isinstance(schema, dict) else ""


def _without_fences(description: str) -> str:
    """A description without the marks (`<<<...>>>`) that enclose untrusted text."""
    return re.sub(r"<<<\w+>>>", "", description)
