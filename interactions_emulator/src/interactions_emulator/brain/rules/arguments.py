"""Fills a function's arguments from a message, by the names, types and descriptions of its parameters."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from interactions_emulator.brain.rules.intents import core, is_elliptical, split_text
from interactions_emulator.brain.rules.places import is_place_like, places_in
from interactions_emulator.corpus.words import terms, word_set

Schema = dict[str, Any]


class Filled(NamedTuple):
    """Arguments found, and the names of required parameters for which the message has nothing."""

    arguments: dict[str, Any]
    missing: list[str]


def fill(
    parameters: Schema,
    message: str,
    fixed: dict[str, Any],
    previous: dict[str, Any] | None = None,
    follows: bool = False,
) -> Filled:
    """The arguments of one call, including the `fixed` ones.

    Required arguments that are not in the message are taken from the `previous` call of the function. `follows` means
    that the message says only what differs from that call: optional arguments are then taken from it too.
    """
    properties: dict[str, Any] = parameters.get("properties") or {}
    required = [key for key in parameters.get("required") or [] if key in properties]
    previous = previous or {}
    arguments: dict[str, Any] = {}
    follows = follows or is_elliptical(message)
    for key, raw in properties.items():
        schema = plain_schema(raw)
        if key in fixed:
            arguments[key] = fixed[key]
            continue
        value = _value(key, schema, message, key in required, properties)
        if value is None or (follows and key in previous and _is_whole_message(key, schema)):
            value = previous.get(key) if key in required or follows else None
        if value is None and key in required:
            value = _fallback(schema)
        if value is not None:
            arguments[key] = value
    return Filled(arguments, [key for key in required if key not in arguments])


def fill_all(
    parameters: Schema,
    message: str,
    fixed: dict[str, Any],
    previous: dict[str, Any] | None = None,
    follows: bool = False,
) -> list[Filled]:
    """One call for each place if the message names several places and the function takes one place, else one call."""
    one = fill(parameters, message, fixed, previous, follows)
    for key, raw in (parameters.get("properties") or {}).items():
        schema = plain_schema(raw)
        if key in one.arguments and key not in fixed and schema.get("type") == "string" and is_place_like(key, schema):
            places = places_in(message)
            if len(places) > 1:
                return [Filled({**one.arguments, key: place}, one.missing) for place in places[:4]]
            break
    return [one]


def plain_schema(schema: Any) -> Schema:
    """A schema with a single lower-case `type` other than null, and without `anyOf` or `oneOf`."""
    if not isinstance(schema, dict):
        return {"type": "string"}
    for key in ("anyOf", "oneOf", "any_of"):
        options = [o for o in schema.get(key) or [] if isinstance(o, dict) and str(o.get("type")).lower() != "null"]
        if options:
            rest = {k: v for k, v in schema.items() if k != key}
            return plain_schema({**options[0], **rest})
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if str(one).lower() != "null"), "string")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return {**schema, "type": str(kind).lower()}


def _value(key: str, schema: Schema, message: str, required: bool, siblings: Schema) -> Any:
    if schema.get("enum"):
        return mentioned_value(schema["enum"], message)
    kind = schema["type"]
    if kind == "boolean":
        return _boolean(key, message)
    if kind in ("integer", "number"):
        numeric = [k for k, s in siblings.items() if plain_schema(s)["type"] in ("integer", "number")]
        return _number(key, schema, message, alone=len(numeric) == 1)
    if kind == "array":
        return _array(key, schema, message, required)
    if kind == "object":
        inner = fill(schema, message, {})
        return inner.arguments if required and not inner.missing else None
    return _string(key, schema, message, required)


def mentioned_value(values: list[Any], message: str) -> Any:
    """The enum value that the message names, directly or by a unit that belongs to it, or None."""
    plain = message.casefold()
    for value in values:
        name = str(value).casefold().replace("_", " ")
        if name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", plain):
            return value
    stems = set(terms(message))
    for value in values:
        if (own := terms(str(value).replace("_", " "))) and stems.issuperset(own):
            return value
    for group in _UNITS:
        if any(re.search(rf"(?<!\w){re.escape(unit)}(?!\w)", plain) for unit in group):
            return next((value for value in values if str(value).casefold() in group), None)
    return None


_UNITS = (
    ("metric", "celsius", "centigrade", "°c", "c", "km", "kilometers", "kilometres", "kmh", "km/h", "si"),
    ("imperial", "fahrenheit", "°f", "f", "us", "miles", "mph"),
)


def _boolean(key: str, message: str) -> bool | None:
    names = set(terms(key.replace("_", " "))) - {"includ", "is", "enabl", "with"}
    if not names or not names & set(terms(message)):
        return None
    return not re.search(
        rf"\b(?:no|not|without|don't|skip)\b[^.]{{0,20}}{re.escape(key.split('_')[-1][:5])}", message, re.I
    )


_NUMBER_NAMES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
NUMBER_WORDS = {word: number for number, word in enumerate(re.findall(r"\w+", _NUMBER_NAMES))}
_NUMBER = rf"(?:\d+(?:[.,]\d+)?|{'|'.join(NUMBER_WORDS)})"


def _number(key: str, schema: Schema, message: str, alone: bool) -> float | int | None:
    plain = message.casefold()
    description = str(schema.get("description") or "")
    about = f"{key.replace('_', ' ')} {description}".casefold()
    found: float | None = None
    if re.search(r"\bdays?\b", key.casefold()) or (re.search(r"\bdays\b", about) and "how many days" in about):
        found = days_in(plain)
    else:
        noun = "|".join(re.escape(one) for one in re.findall(r"[a-z]{3,}", key.casefold())) or "\0"
        match = re.search(rf"({_NUMBER})\s*(?:\w+\s)?(?:{noun})", plain) or re.search(
            rf"(?:{noun})s?\W{{0,3}}(?:is|of|to|=|:|at)?\s*({_NUMBER})", plain
        )
        numbers = re.findall(rf"(?<![\w.]){_NUMBER}(?![\w.]*\w)", plain)
        text = match[1] if match else numbers[0] if alone and len(numbers) == 1 else None
        found = _read_number(text) if text else None
    if found is None:
        return None
    stated_range = re.search(r"(\d+)\s*(?:to|-|–)\s*(\d+)", description)
    low = schema.get("minimum", int(stated_range[1]) if stated_range else None)
    high = schema.get("maximum", int(stated_range[2]) if stated_range else None)
    found = max(found, low) if isinstance(low, int | float) else found
    found = min(found, high) if isinstance(high, int | float) else found
    return int(found) if schema["type"] == "integer" or float(found).is_integer() else found


def _read_number(text: str) -> float:
    return float(NUMBER_WORDS[text] if text in NUMBER_WORDS else text.replace(",", "."))


def days_in(plain: str) -> int | None:
    """The number of days, including today, that a message asks about, or None."""
    if match := re.search(rf"({_NUMBER})[\s-]*(days?|weeks?|jours|tage|días|天)", plain):
        return int(_read_number(match[1])) * (7 if match[2].startswith("week") else 1)
    for pattern, days in (
        (r"day after tomorrow|übermorgen|后天", 3),
        (r"tomorrow|morgen\b|demain|mañana|明天", 2),
        (r"week|forecast for the (?:coming|next) days|(?:coming|next|following|few) days|woche|semaine|semana|周", 7),
        (r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", 7),
        (r"today|tonight|\bnow\b|right now|heute|aujourd'hui|hoy|今天", 1),
    ):
        if re.search(pattern, plain):
            return days
    return None


def _array(key: str, schema: Schema, message: str, required: bool) -> list[Any] | None:
    items = plain_schema(schema.get("items") or {})
    if items.get("enum"):
        chosen = [value for value in items["enum"] if mentioned_value([value], message) is not None]
        return chosen or None
    if items["type"] == "string":
        if is_place_like(
            key, {**items, "description": f"{schema.get('description', '')} {items.get('description', '')}"}
        ):
            return list(places_in(message)) or None
        if "url" in key.casefold():
            return urls_in(message) or None
        one = _string(key.rstrip("s"), {**items, "description": schema.get("description", "")}, message, required)
        return [one] if one is not None and required else None
    if items["type"] in ("integer", "number"):
        numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", message)]
        return [int(n) if items["type"] == "integer" or n.is_integer() else n for n in numbers] or None
    return None


def urls_in(message: str) -> list[str]:
    """The web addresses in a text, without the punctuation that follows them."""
    return [url.rstrip(".,;:!?)]}'\"") for url in re.findall(r"https?://[^\s<>\"']+", message)]


_TEXT_NAMES = word_set("text content comment body passage sentence post snippet paragraph")
_QUERY_NAMES = word_set("query question topic keyword keywords term terms search q subject word phrase expression")
_MESSAGE_NAMES = word_set(
    "request message prompt input task goal brief instruction instructions description details issue"
)


def _is_whole_message(key: str, schema: Schema) -> bool:
    return (
        schema["type"] == "string"
        and not schema.get("enum")
        and _has_word(key, _MESSAGE_NAMES | _QUERY_NAMES | _TEXT_NAMES)
    )


def _has_word(key: str, names: frozenset[str]) -> bool:
    return bool({part for part in re.split(r"[_\W]+|(?<=[a-z])(?=[A-Z])", key.casefold()) if part} & names)


def _string(key: str, schema: Schema, message: str, required: bool) -> str | None:
    low, description = key.casefold(), str(schema.get("description") or "").casefold()
    if schema.get("format") == "uri" or re.search(r"ur[il]|link|website", low):
        return next(iter(urls_in(message)), None)
    if schema.get("format") == "email" or "email" in low:
        found = re.search(r"[\w.+-]+@[\w-]+\.[\w.-]*\w", message)
        return found[0] if found else None
    if is_place_like(key, schema):
        return next(iter(places_in(message)), None)
    if _has_word(key, _TEXT_NAMES):
        return split_text(message).text or message.strip() or None
    if _has_word(key, _QUERY_NAMES):
        return subject_of(message) or None
    if _has_word(key, _MESSAGE_NAMES):
        return message.strip() or None
    if found := re.search(
        rf"\b{re.escape(key.replace('_', ' '))}\b(?:\s+(?:is|to|as|of)|\s*[:=])\s+[\"'“]?([^\"'”,.;\n]{{1,80}})",
        message,
        re.I,
    ):
        return found[1].strip()
    if not required:
        return None
    if re.search(r"reason|why|explan", low):
        return f"The user said: {' '.join(message.split())[:200]}"
    if (quoted := split_text(message)).instruction:
        return quoted.text
    if re.search(r"name|person|who|title", low):
        names = re.findall(r"(?<!^)(?<![.!?]\s)\b[A-ZÀ-Þ][\w'-]+(?:\s+[A-ZÀ-Þ][\w'-]+)*", message)
        return names[0] if names else None
    if re.search(r"text|query|question|request|message|topic|search|what the user", description):
        return subject_of(message) or None
    if re.search(r"date|when|time", low):
        when = re.search(
            r"\d{4}-\d\d-\d\d|\b(?:today|tomorrow|tonight|(?:next|this)\s\w+|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
            r"|\d{1,2}(?::\d\d)?\s?(?:am|pm)|\d{1,2}:\d\d)\b", message, re.I,
        )  # fmt: skip
        return when[0] if when else None
    return None


_LEADING_PHRASE = re.compile(
    r"^(?:(?:look up|search(?: the (?:web|internet))?(?: for)?|google|find(?: out)?(?: about)?"
    r"|tell me(?: more)?(?: about)?|show me|give me"
    r"|what do you know about|what can you tell me about|i (?:want|need) to know(?: about)?|information (?:on"
    r"|about)|do (?:a |some )?research (?:on|into|about)"
    r"|research|investigate|write (?:me )?an? (?:\w+ )?report (?:on|about)|explain"
    r"|define)\b[\s:,]*(?:the following[\s:,]*)?)+",
    re.IGNORECASE,
)


def subject_of(message: str) -> str:
    """The subject of a message in the user's words, without polite words and phrases such as "tell me about"."""
    plain = " ".join(message.split())
    start = core(message)[:25]
    at = plain.casefold().find(start) if start else -1
    body = plain[at:] if at > 0 else plain
    return (_LEADING_PHRASE.sub("", body).strip(" ?!.,:") or plain.strip(" ?!.,"))[:1_000]


def _fallback(schema: Schema) -> Any:
    """A required parameter's value when the message has none: its default, its first choice, false, or None."""
    if "default" in schema:
        return schema["default"]
    if schema.get("enum"):
        return schema["enum"][0]
    return False if schema["type"] == "boolean" else None
