"""Finds the names of places in a message by the words around them, without a gazetteer, in any script and case."""

from __future__ import annotations

import re
from typing import Any

from interactions_emulator.brain.rules.intents import core
from interactions_emulator.brain.rules.phrases import DEFINITION
from interactions_emulator.corpus.words import word_set

_PLACE_NOUNS = r"place|location|locality|city|town|country|region|where|destination|origin|address|area|state"


def is_place_like(key: str, schema: dict[str, Any]) -> bool:
    """Whether the value of a parameter is the name of a place."""
    if re.search(rf"(?:^|_)(?:{_PLACE_NOUNS})(?:$|_|s$|_?name)", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).casefold()):
        return True
    return bool(
        re.match(
            rf"(?:the |an? |name of (?:the |an? )?)*(?:{_PLACE_NOUNS})\b",
            str(schema.get("description") or "").casefold(),
        )
    )


def places_in(message: str) -> tuple[str, ...]:
    """The places in a message, as the message spells them: one for `São Paulo, Brazil`, two for `Paris and Rome`."""
    plain = " ".join(message.replace("’", "'").split())[:2_000]
    if re.match(r"(?i)(?:no,? )?(?:the|that) one (?:in|from|near) ", plain):
        return ()  # it needs the candidates that were offered
    plain = re.sub(r"\b(and|und|et|y)\s(?:also\s)?(?:in|for|at|à|en)\s(?=[A-ZÀ-Þ])", r"\1 ", plain)
    if coordinates := re.search(r"(?<![\d.])-?\d{1,3}\.\d+\s*,\s*-?\d{1,3}\.\d+", plain):
        return (coordinates[0],)
    for match in _PREPOSITION.finditer(plain):
        if not _NOT_A_PLACE.match(plain, match.end()) and (
            found := _split_enumeration(_before_stop(plain[match.end() :]))
        ):
            return found
    if wide := re.search(
        r"([\u3040-\u30ff\u4e00-\u9fff]{2,8}?)(?:今天|明天|后天|现在|这周|的?天气|的天気|の天気)", plain
    ):
        return (re.sub(r"^(?:请问|告诉我|查询?|那)", "", wide[1]),)
    if names := _CAPITALISED.findall(plain):
        kept = [name for name in names if not _is_noise(name)]
        if kept:
            return _split_enumeration(" and ".join(kept))
    return _split_enumeration(_without_common_words(plain))


_PREPOSITION = re.compile(
    r"(?<![\w-])(?:in|for|at|near|around|of|to|from|about|über|für|nach|à|(?-i:a(?=\s+[A-ZÀ-Þ]))|en|pour|para|em|zu)\s+(?=\S)",
    re.IGNORECASE,
)
_NOT_A_PLACE = re.compile(r"an?\s|\d+[\s-]*(?:days?|weeks?|hours?)\b", re.IGNORECASE)
_STOP_WORD = re.compile(
    r"""
        (?:^|[\s,]+)(?:today|tomorrow|tonight|now|right|currently|at|on|this|next|for|over|during|in|please|with
        |like|be|is|was
    |will|would|should|and\s+(?:tomorrow|will|is|what|how|then|also|tell|in\s+(?:celsius|fahrenheit))|the\s+(?:next
    |coming|weekend|week|day|forecast)
    |(?:mon|tues|wednes|thurs|fri|satur|sun)days?|week(?:end|days?)?|morning|afternoon|evening|by|until|heute
    |morgen|demain|mañana
    |weather|forecast|temperature|celsius|fahrenheit|metric|imperial|units?|looking|doing|going|i|i'm|if|because
    |that|which|so|or|instead|too
    |-|–|—)(?![\w'-])|[?!;:()\n]|(?<!\bst)\.(?:\s|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_CAPITALISED = re.compile(
    r"(?<![\w'])(?:[A-ZÀ-ÖØ-ÞŁŚŻŠČŽ][\w'.-]+(?:(?:\s(?:de|da|do|del|la|le|los|las|of|am|an|der|the|upon"
    r"|sur)){0,2}\s?[\s,]\s?(?=[A-ZÀ-ÖØ-Þ]))?)+"
)
_NOISE = word_set("""
    what how who when where why will is are was the a an and or can could would do does did please tell show give
    hello hi hey thanks monday tuesday wednesday thursday friday saturday sunday january february march april may
    june july august september october november december celsius fahrenheit google weather forecast temperature
    today tomorrow tonight i i'm it it's me my you your now right week weekend next this that there here current
    currently outside rain raining sunny snow wind windy hot cold warm should need going be like get check look
    looking same go on about also again more then and for in to of at any some if know umbrella take pack wear
    bring days day hours hour morning afternoon evening ok okay yes no which conditions condition report update
    what's how's us report degrees metric imperial units unit with degree doing state happening so but or we think
    show expected sorry mean meant whole entire rest das wetter wie ist wird es temps quel fait il tiempo qué hace
    el la clima
""")
_TWO_IN_ONE = re.compile(
    r"(?:trinidad|antigua|bosnia|turks|saint kitts|st\.? kitts|são tomé|sao tome|wallis|newfoundland|tyne"
    r"|brighton) and",
    re.IGNORECASE,
)


def _before_stop(text: str) -> str:
    match = _STOP_WORD.search(text)
    return (text[: match.start()] if match else text).strip(" ,.'\"")


def _is_noise(name: str) -> bool:
    return all(word.casefold().strip(",.'") in _NOISE for word in name.split())


def _split_enumeration(text: str) -> tuple[str, ...]:
    """The places in an enumeration. A single comma is part of the name (`Springfield, Illinois`)."""
    text = re.sub(
        r"^(?:the\s+)?(?:city|town|state|country|region|area)\s+of\s+", "", text.strip(" ,.'\""), flags=re.IGNORECASE
    )
    if not text or len(text) > 120:
        return ()
    parts = [text]
    if not _TWO_IN_ONE.match(text):
        parts = [
            part.strip(" ,")
            for part in re.split(r"\s*(?:,\s*)?(?:\band\b|\bund\b|\bet\b|&|\bvs\.?\s|\bversus\b|和)\s*", text)
        ]
        if len(parts) > 1 and "," in parts[0] and "," not in parts[-1]:
            parts = [part.strip() for one in parts for part in one.split(",")]
    # A later part of more than three words must have capitals: “Paris, and draw me a cat” names one place.
    kept = [
        _without_noise(part) for i, part in enumerate(parts) if not i or len(part.split()) <= 3 or part != part.lower()
    ]
    return tuple(dict.fromkeys(part for part in kept if part and not _is_noise(part) and len(part.split()) <= 6))


def _without_noise(name: str) -> str:
    """A name without `the`, `in` or `what's` before it and without time words after it."""
    words = name.split()
    while words and words[0].casefold().strip(",.'") in _NOISE - {"la", "el", "das"}:
        words.pop(0)
    while words and words[-1].casefold().strip(",.'") in _NOISE:
        words.pop()
    return " ".join(words).strip(" ,.'\"")


def _without_common_words(plain: str) -> str:
    """A short message without common words: `las vegas weather today` -> `las vegas`."""
    words = core(plain).split()
    if (
        DEFINITION.match(core(plain))
        or len(words) > 8
        or (len(words) > 4 and not re.search(r"weather|forecast|temperature|wetter|clima|météo", plain, re.I))
    ):
        return ""
    left = [word.strip(",.?!'") for word in words]
    kept = [word for word in left if word and word not in _NOISE and not re.fullmatch(r"\d+", word)]
    positions = [left.index(word) for word in kept]
    if not kept or len(kept) > 4 or positions != list(range(positions[0], positions[0] + len(kept))):
        return ""
    start = plain.casefold().find(" ".join(kept))
    return plain[start : start + len(" ".join(kept))] if start >= 0 else " ".join(kept)
