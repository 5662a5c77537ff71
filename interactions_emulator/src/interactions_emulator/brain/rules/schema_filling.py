"""Makes a value for a JSON schema from a text, such as a classification or an extraction."""

import re
from typing import Any

from interactions_emulator.brain.rules.call_arguments import Schema, mentioned
from interactions_emulator.brain.rules.message import compiled
from interactions_emulator.corpus.words import clip, join_names, sentences, stem, terms, word_set

MAX_DEPTH, MAX_TEXT_CHARS = 12, 60_000
"""Depth below which optional parts are left out, and maximum characters that are read."""
PREFIX = "Emulator: "
"""Prefix of every free text in a structured answer, which shows that Gemini did not write it."""
NOT_GIVEN = f"{PREFIX}not given"
_FORMATS = {
    "email": (r"[\w.+-]+@[\w-]+\.[\w.-]*\w", "nobody@example.invalid"),
    "uri": (r"https?://[^\s<>\"']+\w", "https://example.invalid/"),
}
"""By format: a pattern that finds a value in the text, and a placeholder for a missing required value."""
_CUES = {
    "harm harmful violence violent threat hate dangerous selfharm suicide unsafe toxic": r"""
        (?:kill|hurt|murder|stab|shoot|beat up) (?:you|him|her|them|your\w*|myself|people)|cutting myself
        |should (?:all )?(?:be (?:shot|killed|hanged)|die)|break your (?:legs|neck|bones)|burn \w+ house
        |watch your back|know where you live|(?:make|build) a (?:\w+ )?bomb|want to die|end my life
        |vermin|wiped out|bringe? dich um|je vais te tuer|te voy a matar""",
    "inappropriate offensive abusive toxic unsafe harassment insult rude vulgar profanity sexual adult": r"""
        idiots?|morons?|losers?|pathetic|brainless|imbécile|shut up|get lost|nobody likes you|old hag|\w*shit\w*|fuck\w*
        |bitch|arse|asshole|you are an? (?:\w+ )?(?:fool|disgrace|pig)|tits|nudes?|porn""",
    "spam scam fraud phishing advertising promotion unsafe": r"""
        prize|voucher|claim|lottery|jackpot|guaranteed|congratulations|cash|bonus|ringtone|crypto|singles
        |you(?:'ve| have)? (?:been selected|won)|click (?:here|now)|(?:act|order|buy) (?:now|today)|\d+% off
        |cheap|offer|www|https?|account has been suspended|verify your account|work from home|followers|txt
        |final notice|pay the fee|parcel|use code|inherited|bank details|earn \W\d+|free prize|\d{5}""",
}
"""Maps the names that a schema may give a category to a pattern of its cues in a text."""
SPAM_WEIGHT = 0.6
"""The weight of one cue of spam, which alone is too little. Other cues weigh 1."""
_BENIGN = word_set("safe none neutral ok okay other clean ham general normal unknown allowed harmless no")
_REPORTED = re.compile(r"(?i)\bcalled (?:me|him|her|us|them) an? (?:\w+ )?\w+")
"""Matches a report of what others said: an insult in it is not the writer's."""
_CONFIDENCE = re.compile(r"(?i)confidence|score|probability")
_BASELESS = ("", [], {}, NOT_GIVEN, *(placeholder for _, placeholder in _FORMATS.values()))


def fill_schema(schema: Schema, text: str) -> Any:
    """A value that satisfies `schema`, filled from the text. A `pattern` in the schema is ignored."""
    return _Filler(schema, text[:MAX_TEXT_CHARS]).fill(schema, "", 0)


class _Filler:
    """Fills a schema from a text. Other values agree with the enum value that was chosen first."""

    def __init__(self, root: Schema, text: str) -> None:
        self.root, self.text = root, text
        self.chosen, self.cues = list[str](), list[str]()

    def fill(self, raw: Any, name: str, depth: int) -> Any:
        """A value for the property `name`, which is `depth` levels deep."""
        schema = self._resolved(raw)
        if "const" in schema or schema.get("type") == "null":
            return schema.get("const")
        if schema.get("enum"):
            return self._choice(schema["enum"])
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kinds = [{**schema, "type": one} for one in kind] if isinstance(kind, list) else []
        if options := kinds or schema.get("anyOf") or schema.get("oneOf"):
            concrete = [one for one in map(self._resolved, options) if one.get("type") != "null"]
            may_be_null = len(concrete) < len(options)
            value = self.fill(concrete[0], name, depth + 1) if not may_be_null or depth < MAX_DEPTH else None
            return None if may_be_null and self._is_baseless(value, name) else value
        match str(kind).casefold():
            case "boolean":
                return self._decision(name)
            case "integer" | "number" as number:
                return self._number(schema, name, number)
            case "array":
                items, least = self._resolved(schema.get("items")), int(schema.get("minItems") or 0)
                named = [one for one in items.get("enum", []) if mentioned([one], self.text) is not None]
                return [*named, *(self.fill(items, name, depth + 1) for _ in range(least - len(named)))]
            case "object":
                return self._object(schema, depth)
        value = self._string(name, schema)[: schema.get("maxLength", MAX_TEXT_CHARS)]
        return value.ljust(schema.get("minLength", 0), ".")

    def _resolved(self, raw: Any) -> Schema:
        schema: Schema = raw if isinstance(raw, dict) else {}
        for part in str(schema.get("$ref", "")).lstrip("#/").split("/"):
            schema = (self.root if schema is raw else schema).get(part, {}) if part else schema
        return schema

    def _is_baseless(self, value: Any, name: str) -> bool:
        """Whether a value has no basis in the text, so that an optional property is left out or null."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return value in _BASELESS or (number and not _CONFIDENCE.search(name) and not re.search(r"\d", self.text))

    def _choice(self, values: list[Any]) -> Any:
        """The value with the strongest cues in the text; without any cue, a benign value such as `safe`."""
        found = [cues_of(str(value), self.text) for value in values]
        named = [not is_benign(str(one)) and mentioned([one], self.text) is not None for one in values]
        weights = [weight + name for (weight, _), name in zip(found, named, strict=True)]
        chosen = values[best := weights.index(max(weights))]
        if weights[best] >= 1:
            self.cues += found[best][1] or [str(chosen)]
        else:
            chosen = next((one for one in values if one is None or is_benign(str(one))), chosen)
        self.chosen.append(str(chosen))
        return chosen

    def _decision(self, name: str) -> bool:
        word = re.sub(r"^(?:is|has|are|was)_?", "", name)
        if is_benign(word):
            return is_benign(self.chosen[-1]) if self.chosen else cues_of("unsafe", self.text)[0] < 1
        own = set(terms(word.replace("_", " ")))
        return cues_of(word, self.text)[0] >= 1 or (bool(own) and own <= set(terms(self.text)))

    def _number(self, schema: Schema, name: str, kind: str) -> float:
        low: Any = schema.get("exclusiveMinimum", schema.get("minimum"))
        high: Any = schema.get("exclusiveMaximum", schema.get("maximum"))
        if _CONFIDENCE.search(name) and kind == "number":
            return round((high if high and high > 1 else 1.0) * min(0.95, 0.65 + 0.15 * len(self.cues)), 2)
        label = re.escape(name.replace("_", " ") or "\0")
        near = re.search(rf"(?i){label}\W{{0,3}}(?:is|of|was)?\s*(-?\d+(?:\.\d+)?)", self.text)
        first = near or re.search(r"(-?\d+(?:\.\d+)?)", self.text)
        value = float(first[1]) if first else 0.0
        if (low is not None and value <= low) or (high is not None and value >= high):
            value = (high - 1) if low is None else (low + 1) if high is None else (low + high) / 2
        return int(value) if kind == "integer" else value

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties") or {}, schema.get("required") or []
        shown = [key for key in properties if key in required or depth <= MAX_DEPTH]
        # Enums come first and reasons last, because each value agrees with the ones before.
        order = sorted(shown, key=lambda key: (not self._resolved(properties[key]).get("enum"), "reason" in key))
        filled = {key: self.fill(properties[key], key, depth + 1) for key in order}
        left_out = [key for key in filled if filled[key] is not None and self._is_baseless(filled[key], key)]
        kept = [key for key in dict.fromkeys([*shown, *required]) if key in required or key not in left_out]
        return {key: filled.get(key, NOT_GIVEN) for key in kept}

    def _string(self, name: str, schema: Schema) -> str:
        form = str(schema.get("format") or {"email": "email", "url": "uri"}.get(name.casefold(), ""))
        if form in _FORMATS:
            return next((one[0] for one in re.finditer(_FORMATS[form][0], self.text)), _FORMATS[form][1])
        if re.search(r"reason|explanation|why|comment", name):
            cues = join_names([f"“{clip(cue, 40)}”" for cue in self.cues[:4]])
            because = f"because the text says {cues}" if cues else "the text has none of the words that I look for"
            return f"{PREFIX}{', '.join(filter(None, [join_names(self.chosen), because]))}."
        if "summary" in name:
            return PREFIX + (clip(" ".join(sentences(self.text)[:2]), 300) or "the text is empty.")
        label = re.escape(name.replace("_", " ") or "\0")
        if named := re.search(rf"(?i)\b{label}\b\s*(?:is|are|:|=)\s*[\"'“]?([^\"'”,;.\n]{{1,80}})", self.text):
            return named[1].strip()
        found = re.search(r"[A-ZÀ-Þ][\w'’-]+(?:\s[A-ZÀ-Þ][\w'’-]+)*", self.text)
        return found[0] if found and re.search(r"(?:^|_)name$", name) else NOT_GIVEN


def is_benign(name: str) -> bool:
    """Whether a name such as `safe` or `other` means that nothing special was found."""
    return bool(set(re.split(r"[\s_-]+", name.casefold())) & _BENIGN)


def cues_of(name: str, text: str) -> tuple[float, list[str]]:
    """How strongly a text indicates what a name such as `isSpam` means, and the words in it that indicate this."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").casefold().split()
    stems = {stem(part) for part in (*parts, "".join(parts))}
    plain, weight, cues = _REPORTED.sub(" ", text), 0.0, list[str]()
    for names, lines in _CUES.items():
        if stems & set(map(stem, names.split())):
            found = list(dict.fromkeys(re.findall(rf"\b(?:{compiled(lines).pattern})\b", plain.casefold())))
            weight += len(found) * (SPAM_WEIGHT if "spam" in names else 1)
            cues += found
    return weight, cues
