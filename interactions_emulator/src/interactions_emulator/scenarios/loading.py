"""Reads scenarios and recorded exchanges from a YAML file, a YAML text or a list. Errors name line and remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from interactions_emulator.errors import Refused
from interactions_emulator.recording.file_format import Exchange, RecordedEvent, RecordedRequest, RecordedResponse
from interactions_emulator.scenarios.scenario import Answer, Failure, Match, ResultMatch, Scenario
from interactions_emulator.scenarios.yaml_checks import NotPlain, check_plain
from interactions_emulator.text_file import read_text_file

Source = Path | str | list[dict[str, Any]] | dict[str, Any]
"""A path, a YAML text, or parsed YAML: a list of entries, or an object with `scenarios` and `strict`."""
Place = tuple[int | str, ...]
Form = TypeVar("Form", bound=BaseModel)

_FORMS: dict[str, type[BaseModel]] = {
    "match": Match,
    "function_result": ResultMatch,
    "answers": Answer,
    "error": Failure,
    "request": RecordedRequest,
    "response": RecordedResponse,
    "events": RecordedEvent,
}
"""The forms of nested objects, by field."""
_REMEDY = 'write a list of scenarios, such as [{match: {text: "(?i)hello"}, text: "Hi."}]'


@dataclass
class ScenarioFile:
    """The contents of a source of scenarios."""

    scenarios: list[Scenario] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    strict: bool = False
    """Whether a request that nothing matches is an error."""


def load_scenarios(source: Source) -> ScenarioFile:
    """Read scenarios and recorded exchanges. Raises `Refused` (400) with the place of the error and what to do."""
    document = _Document(source)
    content = document.content
    prefix: Place = ()
    strict: Any = None
    if isinstance(content, dict):
        if unknown := content.keys() - {"scenarios", "strict"}:
            name = str(min(unknown, key=str))
            raise document.error((name,), f"field {name!r} is unknown; known are strict and scenarios: {_REMEDY}")
        strict, content, prefix = content.get("strict"), content.get("scenarios"), ("scenarios",)
    if strict not in (None, True, False):
        raise document.error(("strict",), f"strict is true or false, not {strict!r}")
    if not isinstance(content, list):
        what = "empty" if content is None else "not a list"
        raise document.error(prefix, f"this is {what}: {_REMEDY}")
    loaded = ScenarioFile()
    for index, entry in enumerate(content):
        place: Place = (*prefix, index)
        if not isinstance(entry, dict):
            raise document.error(place, f"a scenario is an object with match and an answer, not {entry!r:.60}")
        where = document.where(place)
        if "request" in entry:
            exchange = document.parse(Exchange, entry, place)
            exchange._where = where
            loaded.exchanges.append(exchange)
        else:
            scenario = document.parse(Scenario, entry, place)
            scenario._where, scenario._shared = where, document.is_file
            loaded.scenarios.append(scenario)
    if loaded.exchanges and document.ends_in_a_line:
        remedy = "record again, delete this entry, or end the file with a line break if it is whole"
        raise document.error((*prefix, len(content) - 1), f"the file breaks off in its last line: {remedy}")
    loaded.strict = bool(loaded.exchanges) if strict is None else strict
    return loaded


class _Document:
    """A source with its content and, if it is YAML, the line of each value."""

    def __init__(self, source: Source) -> None:
        self.is_file = isinstance(source, Path) or (isinstance(source, str) and not _is_yaml(source))
        self._name = str(source) if self.is_file else "scenarios"
        """The name of the source in messages."""
        self.ends_in_a_line = False
        """Whether this is a file without a line break at its end, as one that was cut off."""
        self._node: yaml.Node | None = None
        if isinstance(source, (list, dict)):
            self.content: Any = source
            return
        try:
            text = read_text_file(Path(str(source)), f"scenarios {source}") if self.is_file else str(source)
            self.ends_in_a_line = self.is_file and not text.endswith("\n")
            loader = yaml.SafeLoader(text)
            self._node = loader.get_single_node()
            check_plain(self._node)
            self.content = None if self._node is None else loader.construct_document(self._node)
        except NotPlain as error:
            raise Refused(400, f"{self._name}:{error.line}: {error}") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = f":{mark.line + 1}" if mark else ""
            raise Refused(400, f"{self._name}{line}: this is not YAML: {error.problem}; {_REMEDY}") from error
        except yaml.YAMLError as error:
            raise Refused(400, f"{self._name}: this is not YAML: {error}; {_REMEDY}") from error
        except RecursionError as error:
            raise Refused(400, f"{self._name}: this is nested too deeply: {_REMEDY}") from error

    def parse(self, form: type[Form], entry: Any, place: Place) -> Form:
        """Check an entry. Raises `Refused` with the place of its first error."""
        try:
            return form.model_validate(entry)
        except ValidationError as error:
            wrong = error.errors(include_url=False)[0]
            inside = wrong["loc"]
            said = f"{'.'.join(str(part) for part in inside)}: " if inside else ""
            raise self.error((*place, *inside), f"{said}{_explained(wrong, form)}") from error

    def where(self, place: Place) -> str:
        """Return the file and line of a value; without lines, its number."""
        if self._node is None:
            number = next((part for part in place if isinstance(part, int)), None)
            return self._name if number is None else f"{self._name}[{number}]"
        return f"{self._name}:{_line(self._node, place)}"

    def error(self, place: Place, message: str) -> Refused:
        return Refused(400, f"{self.where(place)}: {message}")


def _is_yaml(text: str) -> bool:
    """Whether a text is YAML itself, not the path of a file."""
    return "\n" in text or ": " in text or text.lstrip().startswith(("[", "{", "- "))


def _line(node: yaml.Node, place: Place) -> int:
    """The line of the value at a place, or of the nearest value above it; lines count from 1."""
    line = node.start_mark.line + 1
    for part in place:
        child: yaml.Node | None = None
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
            line = child.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    child, line = value, key.start_mark.line + 1
        if child is None:
            return line
        node = child
    return line


def _explained(wrong: ErrorDetails, form: type[BaseModel]) -> str:
    """Say what is wrong and what to do."""
    message = wrong["msg"].removeprefix("Value error, ")
    names = [part for part in wrong["loc"] if isinstance(part, str)]
    if wrong["type"] in ("string_type", "pattern_type") and isinstance(wrong["input"], bool | int | float):
        return f"this has to be a text, not {wrong['input']!r}: put it in quotes"
    if wrong["type"] == "extra_forbidden":
        known = list(_FORMS.get(names[-2] if len(names) > 1 else "", form).model_fields)
        name = str(wrong["loc"][-1])
        close = get_close_matches(name, known, 1)
        return f"this field is unknown{f', did you mean {close[0]}?' if close else ''}; known are {', '.join(known)}"
    if wrong["type"] == "model_type":
        fields = ", ".join(_FORMS.get(names[-1] if names else "", form).model_fields)
        return f"it is an object with {fields}, not {wrong['input']!r:.60}"
    if wrong["type"] == "missing":
        return "this field is missing: add it"
    if wrong["type"] == "literal_error":
        return f"it is one of {wrong['ctx']['expected']}, not {wrong['input']!r}"
    if wrong["type"] == "pattern_regex":
        return f"{wrong['input']!r} is not a regular expression: write a \\ before characters that it should match"
    return message
