"""Checks `generate_content_config`: settings that the API does not have, and values out of their range."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from enum import Enum
from typing import Any

from google.genai import types
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.adk.deferred_tier import DEFERRED_TIER
from tools.adk.generation_config import LABEL, LABEL_KEY, SUPPORTED_KEYS
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.reading import Finding, Location, mapping

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
WORD_KEYS = ("category", "threshold", "method", "mode", "service_tier", "thinking_level")
"""Keys in `generate_content_config` whose values are words of an enum."""
MAX_INT = 2**31 - 1
"""The largest integer that the API accepts."""
THINKING_LEVELS = ("minimal", "low", "medium", "high", "xhigh")


class _Limits(BaseModel):
    """Valid ranges of the numbers in `generate_content_config`. ADK's own schema accepts `'5'` and `yes` as numbers."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: float | None = Field(None, ge=1, le=MAX_INT)
    max_output_tokens: int | None = Field(None, ge=1, le=MAX_INT)
    seed: int | None = Field(None, ge=-MAX_INT - 1, le=MAX_INT)


def setting_findings(settings: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each setting that the API does not have, which ADK would drop silently."""
    here = "generate_content_config"
    if camel := list(_camel_case(settings, (here,))):
        yield from camel
        return  # the checks below know the other names only
    for key in sorted((settings.keys() - SUPPORTED_KEYS) & types.GenerateContentConfig.model_fields.keys()):
        yield (here, key), f"`{key}` is not part of the Interactions API, which has {', '.join(sorted(SUPPORTED_KEYS))}"
    numbers = {key: settings.get(key) for key in _Limits.model_fields}
    try:
        _Limits.model_validate(numbers)
    except ValidationError as error:
        for entry in error.errors():
            yield (here, *entry["loc"]), f"`{entry['loc'][0]}`: {entry['msg']}, not {entry['input']!r:.60}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK only warns about words that are reported here
            known = types.GenerateContentConfig.model_validate(settings)
    except ValidationError:  # the agent's schema reports it
        pass
    except AttributeError:  # the SDK's enums cannot take `off`, which YAML reads as false
        yield from ((((here, *location)), text) for location, text in _unquoted_words(settings))
    else:
        yield from ((((here, *location)), text) for location, text in _unknown_words(known))
    thinking = mapping(settings.get("thinking_config")).get("thinking_level")
    if isinstance(thinking, str) and thinking.lower() not in THINKING_LEVELS:
        near = did_you_mean(thinking.lower(), THINKING_LEVELS)
        levels = ", ".join(THINKING_LEVELS)
        yield (here, "thinking_config", "thinking_level"), f"no level `{thinking}`{near}; levels are {levels}"
    for key, value in mapping(settings.get("labels")).items():
        if not LABEL_KEY.fullmatch(str(key)) or not LABEL.fullmatch(str(value)):
            yield (here, "labels", key), f"`{key}: {value}`: labels have at most 63 of a-z, 0-9, _ and -"
    if "thinking_budget" in mapping(settings.get("thinking_config")):
        yield (here, "thinking_config", "thinking_budget"), "the Interactions API has `thinking_level` instead"


def _camel_case(value: Any, location: Location) -> Iterator[Finding]:
    """Yields a finding for each key in the form of Gemini's REST pages, which the SDK's schema also accepts."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str) and key != (snake := _CAPITAL.sub(r"_\1", key).lower()):
            yield (*location, key), f"`{key}`: write `{snake}`, as in Python"
        elif key != "labels":
            yield from _camel_case(each, (*location, key))


def _unquoted_words(value: Any, location: Location = ()) -> Iterator[Finding]:
    """Yields a finding for each value that has to be a word, and that YAML reads as something else."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key in WORD_KEYS and not isinstance(each, str | dict | list | None):
            yield (*location, key), f"`{key}`: YAML reads this word as {each!r}: put it in quotes"
        yield from _unquoted_words(each, (*location, key))


def _unknown_words(value: Any, location: Location = ()) -> Iterator[Finding]:
    """Yields a finding for each word that is not in the SDK's enum. The SDK itself accepts every word."""
    if isinstance(value, BaseModel):
        for key in value.model_fields_set - {"thinking_level"}:  # `THINKING_LEVELS` has more levels than the SDK
            yield from _unknown_words(getattr(value, key), (*location, key))
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from _unknown_words(each, (*location, i))
    elif isinstance(value, Enum) and value.name not in type(value).__members__:
        words = [word for word in type(value).__members__ if not word.endswith("UNSPECIFIED")]
        words += [DEFERRED_TIER] if location == ("service_tier",) else []
        if value.value not in words:
            near = did_you_mean(str(value.value), words, fold=True)
            yield location, f"`{location[-1]}`: no `{value.value}`{near}; known are {', '.join(words)}"
