"""No regular expression takes quadratic time because two of its repeats can divide a text in many ways.

The structure of each pattern is checked, so nothing here depends on time.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from tests.conftest import ROOT

ALPHABET = frozenset(map(chr, range(256))) | frozenset("あ中“”’…。")
CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}
REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)
MANY = 64
"""A repeat of at most so many characters counts as short."""
LIMITED = {"tools.research.schedules.timing._EVERY"}
"""Patterns that read texts of at most a hundred characters."""
Items = Sequence[Any]


def patterns() -> Iterator[tuple[str, re.Pattern[Any], bool]]:
    """Yields the application's patterns: where each is, the pattern, and whether it has to match a whole text."""
    for file in sorted((ROOT / "tools").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)]
        used = [(ast.unparse(call.func.value), call.func.attr, call) for call in calls if call.args]  # type: ignore[attr-defined]
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for owner, function, call in used:
            if owner == "re" and function != "compile" and isinstance(call.args[0], ast.Constant):
                flags = sum(getattr(re, each) for each in re.findall(r"re\.([A-Z]+)", ast.unparse(call)))
                yield f"{name}:{call.lineno}", re.compile(call.args[0].value, flags), function == "fullmatch"
        if file.name == "__main__.py":
            continue
        with warnings.catch_warnings(action="ignore"):
            module = vars(import_module(name))
        for variable, value in module.items():
            if isinstance(value, re.Pattern):
                yield f"{name}.{variable}", value, (variable, "fullmatch") in [each[:2] for each in used]


def risks(pattern: re.Pattern[Any], is_whole: bool) -> list[str]:
    """Returns which characters two repeats side by side share, for each two after which the pattern may fail."""
    return [*_shared([*parser.parse(pattern.pattern, pattern.flags)], is_whole, pattern.flags)]


def _shared(items: Items, may_fail: bool, flags: int) -> Iterator[str]:
    """Args: may_fail: whether what follows the items may fail to match."""
    for index, (op, argument) in enumerate(items):
        rest = items[index + 1 :]
        fails = may_fail or not _is_empty(rest) or any(each[0] is codes.AT for each in rest)
        for inner in _inside(op, argument):
            yield from _shared(inner, fails, flags)
        own = _own((op, argument), flags)
        for position, other in enumerate(rest):
            fails = may_fail or not _is_empty(rest[position + 1 :]) or rest[-1][0] is codes.AT
            common = own & _first([other], flags)
            if common and (fails or other[0] is codes.BRANCH):
                yield "".join(sorted(common))[:20]
            if not _is_empty([other]) or other == (codes.AT, codes.AT_BEGINNING):
                break


def _inside(op: Any, argument: Any) -> list[Items]:
    if op in (*REPEATS, codes.POSSESSIVE_REPEAT):
        return [[*argument[2]]]
    if op is codes.BRANCH:
        return [[*each] for each in argument[1]]
    if op is codes.ATOMIC_GROUP:
        return [[*argument]]
    return [[*argument[{codes.SUBPATTERN: 3}.get(op, 1)]]] if op in (
        codes.SUBPATTERN, codes.ASSERT, codes.ASSERT_NOT
    ) else []  # fmt: skip


def _is_long(op: Any, argument: Any) -> bool:
    return op in REPEATS and (argument[1] is codes.MAXREPEAT or argument[1] > MANY)


def _of_repeat(body: Items, flags: int) -> frozenset[str]:
    return _characters(body[0], flags) if len(body) == 1 else frozenset()


def _own(item: Any, flags: int) -> frozenset[str]:
    """The characters of a long repeat at the end of an item."""
    bodies = [body for body in _inside(*item) if body]
    if _is_long(*item):
        return _of_repeat(bodies[0], flags)
    looks = item[0] in (codes.ASSERT, codes.ASSERT_NOT, codes.ATOMIC_GROUP, codes.POSSESSIVE_REPEAT)
    return frozenset() if looks else frozenset[str]().union(*(_own(body[-1], flags) for body in bodies))


def _first(items: Items, flags: int) -> frozenset[str]:
    """The characters of the long repeats with which the items can begin."""
    found = frozenset[str]()
    for item in items:
        if item == (codes.AT, codes.AT_BEGINNING):
            break
        bodies = [body for body in _inside(*item) if body]
        for body in bodies:
            found |= _of_repeat(body, flags) if _is_long(*item) else _first(body, flags)
        if not _is_empty([item]):
            break
    return found


def _is_empty(items: Items) -> bool:
    """Whether the items can match an empty text."""
    for op, argument in items:
        if op in (*REPEATS, codes.POSSESSIVE_REPEAT):
            can = argument[0] == 0 or _is_empty(argument[2])
        elif op is codes.SUBPATTERN:
            can = _is_empty(argument[3])
        elif op is codes.BRANCH:
            can = any(map(_is_empty, argument[1]))
        else:
            can = op in (codes.AT, codes.ASSERT, codes.ASSERT_NOT)
        if not can:
            return False
    return True


def _characters(item: Any, flags: int) -> frozenset[str]:
    op, argument = item
    if op is codes.ANY:
        return ALPHABET if flags & re.DOTALL else ALPHABET - {"\n"}
    if op in (codes.LITERAL, codes.NOT_LITERAL):
        return frozenset(chr(argument)) if op is codes.LITERAL else ALPHABET - {chr(argument)}
    if op is not codes.IN:
        return frozenset()
    found = set[str]()
    for kind, value in argument:
        if kind is codes.LITERAL:
            found.add(chr(value))
        elif kind is codes.RANGE:
            found |= {each for each in ALPHABET if value[0] <= ord(each) <= value[1]}
        elif kind is codes.CATEGORY:
            found |= {each for each in ALPHABET if re.match(CATEGORIES[value], each)}
    return ALPHABET - found if argument[0][0] is codes.NEGATE else frozenset(found)


def test_no_pattern_has_two_repeats_side_by_side_that_share_characters() -> None:
    found = {where: risks(pattern, is_whole) for where, pattern, is_whole in patterns() if where not in LIMITED}
    assert len(found) > 100
    assert {where: shared for where, shared in found.items() if shared} == {}


@pytest.mark.parametrize(
    "pattern", [r"\$?\s*(\d+\.?\d*|\.\d+)", r"[ \t]+#*[ \t]*$", r"\s*\d+\s*°?\s*[,;]", r"(a\s+)?\s*;", r"x.*(?:y|\w+)z"]
)
def test_such_repeats_are_found(pattern: str) -> None:
    assert risks(re.compile(pattern), is_whole=True)


@pytest.mark.parametrize(
    "pattern", [r"\d+(?:\.\d*)?", r"(?<!\s)\s+(?:#+\s*)?$", r"\d+\s*(?:°\s*)?[,;]\s*\d+", r"\w+\s+\w+"]
)
def test_repeats_with_something_between_them_are_not(pattern: str) -> None:
    assert risks(re.compile(pattern), is_whole=True) == []
