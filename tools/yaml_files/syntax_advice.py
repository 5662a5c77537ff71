"""Says what is wrong at a syntax error of YAML, with advice about the most common mistakes."""

from __future__ import annotations

import re

import yaml

_OPEN_QUOTE = re.compile(r"""\s*(?:- )?(?:[\w-]+:\s+)?(["'])(?:(?!\1).)*$""")
"""Matches a line whose value, or list entry, begins with a quote that the line does not close."""
_HINTS = (
    ("mapping values are not allowed", r":\s.*:(\s|$)", "a value with a colon and a space: put it in quotes"),
    ("found another document", "", "`---` begins another file: remove it, or what follows it"),
    ("mapping values are not allowed", "", "not indented like its neighbours, or no space after a colon above"),
    ("cannot start any token", r"^\s*\t", "a tab: indent with spaces"),
    ("cannot start any token", "", "a value cannot begin with this character: put it in quotes"),
    ("undefined alias", "", "a value cannot begin with `*`: put it in quotes"),
    ("while scanning an a", "", "a value cannot begin with `&` or `*`: put it in quotes"),
    ("could not determine a constructor", "", "a value cannot begin with `!`: put it in quotes"),
    ("unknown escape character", "", "a backslash in double quotes: use single quotes"),
    ("did not find expected key", "'", "a quote in a quoted value: put it in double quotes, or write it twice"),
    ("could not find expected ':'", "", "a line above is neither `key: value` nor indented as a text"),
    ("block sequence entries are not allowed", "", "begin a list on the line after its key"),
    ("while parsing a flow", "", "a bracket that is opened here or above is not closed"),
)
"""Advice about PyYAML's most common errors: words of the error, pattern of the line, advice."""


def syntax_mistake(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """Returns the line of a syntax error, and what is wrong there, with advice if there is some."""
    mark = error.problem_mark or error.context_mark
    line = min(mark.line + 1 if mark else 1, len(text.splitlines()) or 1)  # libyaml may name a line after the last
    if opened := _unclosed_quote(text, line):
        return opened, "a quote that is opened here is not closed"
    words = ", ".join(filter(None, (error.context, error.problem)))
    written = (text.splitlines() or [""])[line - 1]
    hint = next((hint for said, like, hint in _HINTS if said in words and re.search(like, written)), "")
    return line, f"{hint} ({words})" if hint else words


def _unclosed_quote(text: str, line: int) -> int | None:
    """Returns the last line, up to the line of a syntax error, whose value has an opening quote and no closing one."""
    opened = (i for i, words in enumerate(text.splitlines()[:line], 1) if _OPEN_QUOTE.match(words))
    return max(opened, default=None)
