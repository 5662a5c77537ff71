"""Makes a value for a JSON schema from a text, such as a classification, an extraction or a verdict."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from interactions_emulator.brain.rules.arguments import mentioned_value
from interactions_emulator.brain.rules.concepts import SERIOUS_CONCEPTS, concepts_of, is_benign, match
from interactions_emulator.brain.rules.places import is_place_like, places_in
from interactions_emulator.brain.rules.values import (
    NOT_GIVEN,
    TEXT_PREFIX,
    Schema,
    bounds,
    find_formatted,
    fit_to_schema,
    is_catch_all,
    is_confidence,
    is_placeholder,
    kind_of,
    may_be_null,
    number_near,
)
from interactions_emulator.corpus.words import clip, join_names, sentences, terms, word_set

MAX_DEPTH = 12
"""Depth of nesting below which only required properties are filled."""


def fill_schema(schema: Schema, text: str) -> Any:
    """A value that satisfies `schema`, filled from the text."""
    return _SchemaFiller(schema, text[:60_000]).fill(schema, "", 0)


@dataclass
class _SchemaFiller:
    """Fills a schema from a text. Each method takes a schema or its parts, and the name of the property."""

    root: Schema
    text: str
    chosen: dict[str, Any] = field(default_factory=dict)
    """Enum values chosen so far, by property name, so that other fields can agree with them."""
    cues: list[str] = field(default_factory=list)
    """Words of the text that led to the chosen values."""
    margin: float = 0.0
    """How clearly the last enum value was better than the others, about 0 to 1. It sets the confidence."""

    def fill(self, raw: Any, name: str, depth: int) -> Any:
        schema = self.resolve(raw)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.choose_enum(schema["enum"], name, str(schema.get("description") or ""))
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                return self.fill_any_of(schema, schema[key], name, depth)
        kind = kind_of(schema)
        if kind == "null":
            return None
        if kind == "boolean":
            return self.decide_boolean(name)
        if kind in ("integer", "number"):
            return self.find_number(schema, name, kind)
        if kind == "array":
            return self.fill_array(schema, name, depth)
        if kind == "object":
            return self.fill_object(schema, depth)
        found = self.find_string(schema, name)
        return None if is_placeholder(found) and may_be_null(schema) else fit_to_schema(found, schema)

    def resolve(self, raw: Any) -> Schema:
        """The schema with `$ref` resolved and `allOf` merged."""
        schema: Schema = raw if isinstance(raw, dict) else {}
        for _ in range(MAX_DEPTH):
            if isinstance(reference := schema.get("$ref"), str):
                target: Any = self.root
                for part in reference.lstrip("#/").split("/") if reference.startswith("#/") else []:
                    target = target.get(part, {}) if isinstance(target, dict) else {}
                schema = {
                    **(target if isinstance(target, dict) else {}),
                    **{k: v for k, v in schema.items() if k != "$ref"},
                }
            elif schema.get("allOf"):
                merged: Schema = {k: v for k, v in schema.items() if k != "allOf"}
                for one in map(self.resolve, schema["allOf"]):
                    merged = {
                        **one,
                        **merged,
                        "properties": {**one.get("properties", {}), **merged.get("properties", {})},
                        "required": [*one.get("required", []), *merged.get("required", [])],
                    }
                schema = (
                    merged
                    if merged["properties"]
                    else {k: v for k, v in merged.items() if k not in ("properties", "required")}
                )
            else:
                break
        return schema

    def fill_any_of(self, schema: Schema, options: list[Any], name: str, depth: int) -> Any:
        """A value of the first option that the text supports.

        If it supports none, the value is null if that is allowed, else a value of the first option.
        """
        shared = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "default", "title")}
        concrete = [
            one
            for one in options
            if kind_of(self.resolve(one)) != "null" and self.resolve(one).get("const", 0) is not None
        ]
        nullable = len(concrete) < len(options)
        if not concrete:
            return None
        for option in concrete:
            value = self.fill({**shared, **self.resolve(option)}, name, depth + 1)
            if not (nullable and self.has_no_basis(value, name)):
                return value
        return None if nullable else self.fill({**shared, **self.resolve(concrete[0])}, name, depth + 1)

    def choose_enum(self, values: list[Any], name: str, description: str) -> Any:
        """The value that the text speaks for most; if it speaks for none, a benign one such as `safe`."""
        scores: list[tuple[float, int, Any, tuple[str, ...]]] = []
        for position, value in enumerate(values):
            weight, cues = 0.0, tuple[str, ...]()
            for concept in concepts_of(str(value)):
                found = match(concept, self.text)
                factor = 1.5 if concept in SERIOUS_CONCEPTS else 1.0
                weight += found.weight * factor
                cues += found.cues
            if concepts_of(str(value)) == ["spam"] and weight == 1.0:
                weight = 0.6  # a single advertising word is weak evidence of spam
            if isinstance(value, str) and mentioned_value([value], self.text) is not None and not is_benign(value):
                weight += 0.5 if weight else 1.0
                cues += (value,)
            scores.append((weight, -position, value, cues))
        best = max(scores, key=lambda one: one[:2])
        others = [score for score in scores if score is not best]
        benign = next((value for value in values if isinstance(value, str) and is_benign(value)), None)
        runner_up = max((score[0] for score in others), default=0.0)
        if best[0] < 1.0:
            result = (
                benign
                if benign is not None
                else (None if None in values else values[-1] if is_catch_all(values[-1]) else best[2])
            )
            margin = 0.2 - best[0] / 8
        else:
            result, margin = best[2], (best[0] - runner_up) / (best[0] + runner_up + 1.0)
            self.cues += [cue for cue in best[3] if cue not in self.cues]
        self.chosen[name] = result
        self.margin = margin
        return result

    def decide_boolean(self, name: str) -> bool:
        words = [
            part
            for part in re.split(r"_|(?<=[a-z])(?=[A-Z])", name)
            if part.casefold() not in ("is", "has", "are", "was", "contains")
        ]
        word = " ".join(words).casefold()
        for value in self.chosen.values():
            if isinstance(value, str):
                if is_benign(word) and any(is_benign(v) or concepts_of(v) for v in [value]):
                    return is_benign(value)
                if word and (value.casefold() == word or set(concepts_of(word)) & set(concepts_of(value))):
                    return True
        if is_benign(word):
            return (
                not any(match(concept, self.text).weight >= 1 for concept in concepts_of("unsafe") if concept != "spam")
                and match("spam", self.text).weight < 2
            )
        concepts = concepts_of(word)
        if concepts:
            found = [match(concept, self.text) for concept in concepts]
            self.cues += [cue for one in found for cue in one.cues if cue not in self.cues]
            return any(one.weight >= 1 for one in found)
        own = set(terms(word))
        denied = (
            re.search(
                rf"\b(?:no|not|never|without|isn't|don't)\b[^.]{{0,20}}{re.escape(word.split(' ')[-1][:6])}",
                self.text,
                re.I,
            )
            if word
            else None
        )
        return bool(own) and own <= set(terms(self.text)) and not denied

    def find_number(self, schema: Schema, name: str, kind: str) -> float | int:
        low, high = bounds(schema)
        if is_confidence(name) and kind == "number":
            top = high if high is not None and high > 1 else 1.0
            value = round(top * min(0.97, 0.55 + 0.42 * max(0.0, self.margin)), 2)
        else:
            value = number_near(self.text, name, str(schema.get("description") or ""))
        if kind == "integer":
            value = math.floor(value)
        value = max(value, low) if low is not None else value
        value = min(value, high) if high is not None else value
        if low is not None and value == low and schema.get("exclusiveMinimum") == low:
            value = low + (1 if kind == "integer" else ((high - low) / 2 if high is not None else 1.0))
        if high is not None and value == high and schema.get("exclusiveMaximum") == high:
            value = high - (1 if kind == "integer" else ((high - low) / 2 if low is not None else 1.0))
        if step := schema.get("multipleOf"):
            value = math.floor(value / step) * step
            value = value if low is None or value >= low else value + step
        return int(value) if kind == "integer" else float(value)

    def fill_array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        min_items, max_items = int(schema.get("minItems") or 0), int(schema.get("maxItems", 20))
        items = self.resolve(schema.get("items"))
        mixed = any(key in items for key in ("const", "anyOf", "oneOf"))
        kind = "" if mixed or depth > MAX_DEPTH else kind_of(items)
        found: list[Any] = []
        if items.get("enum"):
            found = [value for value in items["enum"] if self.mentions(value)]
        elif kind == "string":
            found = [fit_to_schema(one, items) for one in self.find_strings(name, items)]
        elif kind in ("integer", "number"):
            number = float if kind == "number" else int
            found = [number(float(one)) for one in re.findall(r"-?\d+(?:\.\d+)?", self.text)]
            low, high = bounds(items)
            closed = [n for n in found if n not in (items.get("exclusiveMinimum"), items.get("exclusiveMaximum"))]
            found = [n for n in closed if (low is None or n >= low) and (high is None or n <= high)]
        elif kind == "object":
            found = self.fill_records(items, depth)
        if schema.get("uniqueItems"):
            found = [one for place, one in enumerate(found) if one not in found[:place]]
        while len(found) < min_items:
            one = self.fill(items, name, depth + 1)
            if schema.get("uniqueItems") and one in found:
                one = (
                    f"{one} {len(found) + 1}"
                    if isinstance(one, str)
                    else len(found)
                    if isinstance(one, int | float)
                    else one
                )
                rest = [v for v in items.get("enum", []) if v not in found]
                one = rest[0] if rest else one
            found.append(one)
        return found[:max_items]

    def mentions(self, value: Any) -> bool:
        """Whether the text names the value or indicates its concept."""
        if mentioned_value([value], self.text) is not None:
            return True
        return any(match(concept, self.text).weight >= 1 for concept in concepts_of(str(value)))

    def fill_records(self, items: Schema, depth: int) -> list[Any]:
        """One record for each list item or part of the text, else one for the whole text."""
        lines = re.findall(r"(?m)^\s*(?:[-*•]|\d+[.)])\s+(.+)$", self.text)
        if len(lines) < 2:
            parts = re.split(r"\s*;\s*|\s+and\s+(?=[A-Z])|,\s+(?=[A-Z][\w]+\s*[(,]?\s*\d)", self.text)
            lines = parts if len(parts) > 1 and all(re.search(r"\d|[A-Z]", part) for part in parts) else [self.text]
        return [_SchemaFiller(self.root, line).fill(items, "", depth + 1) for line in lines[:20] if line.strip()]

    def fill_object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties") or {}
        required = set(schema.get("required") or [])
        if depth > MAX_DEPTH:
            properties = {key: value for key, value in properties.items() if key in required}
        if depth > 2 * MAX_DEPTH:
            return {}
        # Enums are filled first, because the other fields must agree with them. The result has the schema's order.
        keys = sorted(properties, key=lambda key: self.fill_order(properties[key], key))
        filled = {key: self.fill(properties[key], key, depth + 1) for key in keys}
        for key in required - filled.keys():
            filled[key] = NOT_GIVEN
        kept = {key: filled[key] for key in [*properties, *sorted(required - properties.keys())]}
        return {
            key: value
            for key, value in kept.items()
            if key in required
            or (may_be_null(self.resolve(properties[key])) if value is None else not self.has_no_basis(value, key))
        }

    def has_no_basis(self, value: Any, name: str) -> bool:
        """Whether a value has no basis in the text, so that an optional property is left out."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_placeholder(value) or (number and not is_confidence(name) and not re.search(r"\d", self.text))

    def fill_order(self, raw: Any, name: str) -> int:
        """Properties are filled in the order of this number."""
        schema = self.resolve(raw)
        if schema.get("enum") or "const" in schema:
            return 0
        return {"boolean": 1, "object": 1, "array": 1, "integer": 2, "number": 2}.get(kind_of(schema), 3)

    def find_string(self, schema: Schema, name: str) -> str:
        low, form = name.casefold(), str(schema.get("format") or "")
        if form in ("date", "date-time", "time", "uuid", "email", "uri", "url") or re.search(
            r"e-?mail|url|link|phone", low
        ):
            return find_formatted(form or low, self.text)
        if re.search(r"reason|explanation|rationale|justification|why|comment|note|analysis|thought", low):
            return f"{TEXT_PREFIX}{self.explain_choice()}"
        if re.search(r"summary|abstract|gist|description|overview", low):
            first = sentences(self.text)[:2]
            return TEXT_PREFIX + (clip(" ".join(first), 300) if first else "the text is empty.")
        if re.search(r"^(?:text|content|input|quote|message|body|original)", low):
            return self.text
        if named := self.labelled_value(low):
            return named
        if is_place_like(name, schema):
            return ", ".join(places_in(self.text)[:1]) or NOT_GIVEN
        found = self.find_strings(low, schema)
        if found and _NAME_PROPERTY.search(low):
            return found[0]
        if re.search(r"answer|reply|response|result|output", low):
            return f"{TEXT_PREFIX}I fill in schemas from the text alone and have no answer of my own to it."
        return NOT_GIVEN

    def labelled_value(self, name: str) -> str:
        """The words that follow `name:` or `name is` in the text; "" if there are none."""
        word = re.escape(name.replace("_", " "))
        found = (
            re.search(rf"\b{word}\b\s*(?:is|are|was|:|=)\s*[\"'“]?([^\"'”,;.\n]{{1,80}})", self.text, re.I)
            if name
            else None
        )
        return found[1].strip() if found else ""

    def find_strings(self, name: str, items: Schema) -> list[str]:
        """The strings of the text for a list: places, keywords, sentences, names, or the parts of an enumeration."""
        if is_place_like(name.rstrip("s"), items) or re.search(r"cities|countries|places", name):
            return list(places_in(self.text))
        if re.search(r"keyword|tag|topic|term", name):
            return list(dict.fromkeys(w for w in re.findall(r"[^\W\d_]{4,}", self.text.casefold()) if terms(w)))[:5]
        if re.search(r"cue|evidence|trigger|flag|violation|match", name):
            return list(self.cues)
        if re.search(r"sentence|point|finding|quote|claim|fact", name):
            return sentences(self.text)[:5]
        names = re.findall(r"[A-ZÀ-Þ][\w'’.-]*[\w](?:\s+(?:(?:de|von|van|of|la|der)\s+)?[A-ZÀ-Þ][\w'’-]+)*", self.text)
        names = [one for one in names if one.split()[0].casefold() not in _SENTENCE_STARTS or len(one.split()) > 1]
        if names:
            return list(dict.fromkeys(names))[:20]
        listing = self.text.partition(":")[2] or self.text
        parts = [part.strip(" .") for part in re.split(r",|;|\band\b|\n", listing)]
        return [part for part in parts if part and len(part.split()) <= 5] if len(parts) > 1 else []

    def explain_choice(self) -> str:
        choice = join_names([str(value) for value in self.chosen.values() if value is not None])
        if self.cues:
            cues = join_names([f"“{clip(cue, 40)}”" for cue in self.cues[:4]])
            return f"{choice or 'decided'}, because the text says {cues}."
        return f"{choice + ', because ' if choice else ''}the text has none of the words that the emulator looks for."


_NAME_PROPERTY = re.compile(
    r"(?:^|_)(?:(?:full|first|last|\w+_)?name|person|who|author|title|company|organi[sz]ation|product|brand|customer"
    r"|speaker)(?:$|_)"
)
_SENTENCE_STARTS = word_set("""
    the a an is are this that these those i we you he she it they my our your please if when what who how and but
    in on at for to from
""")
