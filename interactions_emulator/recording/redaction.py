"""Removes secrets from a recording and leaves every other byte unchanged.

REDACTED replaces
- the API key or bearer token of a request, anywhere in any text (if it has 8 characters or more: a shorter one is
  no secret, and part of many words),
- by place in JSON: the headers of an MCP server, headers and variables of an environment, credentials by their
  names (`secret`, `access_token`, ...), and the parameters of addresses that the API calls,
- by name in a query: `key`, `token`, ...

The conversation stays unchanged: the text of user and model, and the arguments and results of functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote_plus

REDACTED = "REDACTED"
SHORTEST = 8
"""Minimum characters of a secret that is searched for in all texts."""

SECRET_HEADERS = (b"x-goog-api-key", b"authorization")
"""Request headers whose value is a secret, wherever it stands in the recording."""

_NAMES = {
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "authorization",
    "client_secret",
    "id_token",
    "new_signing_secret",
    "password",
    "proxy-authorization",
    "refresh_token",
    "secret",
    "signing_secret",
    "token",
    "x-api-key",
    "x-goog-api-key",
}
_SAID = {"arguments", "content", "input", "parameters", "result", "schema", "text"}
_ADDRESSES = {"uri", "uris", "url"}
_CALLED = {"tools", "webhook_config", "webhooks"}
"""JSON keys below which addresses are called by the API; those at the top level are too."""
_CREDENTIAL = re.compile(r"auth|cookie|key|secret|token", re.I)
"""Matches names of headers whose value is removed from all texts (not `accept`, whose value is `application/json`)."""
_PARAMETER = re.compile(r"((?:^|[?&])(?:access_token|api[_-]?key|key|secret|signature|token)=)([^&#]*)", re.I)
_USER = re.compile(r"(?<=://)[^/@]*(?=@)")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\],:]', re.S)
"""A string (without its end quote where JSON was cut) or a punctuation mark of JSON."""


class Redactor:
    """Removes secrets from text. It remembers those it finds, so redact a request before its answer."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Remove this from all later texts; each word of `Bearer abc…` by itself."""
        self._known.update(word for word in secret.split() if len(word) >= SHORTEST)

    def query(self, query: str) -> str:
        """Return an address, or the query of one, without secrets."""
        for parameter in _PARAMETER.finditer(query):
            self.learn(unquote_plus(parameter[2]))
        return self.without_known_secrets(_PARAMETER.sub(rf"\g<1>{REDACTED}", query))

    def text(self, text: str) -> str:
        """Return JSON, JSON that was cut, events with JSON, or any other text without secrets."""
        kept, end = [], 0
        for keys, begin, stop in _strings(text):
            kept += [text[end:begin], self._value(keys, text[begin:stop])]
            end = stop
        return self.without_known_secrets("".join([*kept, text[end:]]))

    def data(self, data: bytes) -> bytes:
        """Return bytes without secrets, whether they are text or not."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def without_known_secrets(self, text: str) -> str:
        """Return a text without the known secrets."""
        for secret in sorted(self._known, key=len, reverse=True):
            for form in {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}:
                text = text.replace(form, REDACTED)
        return text

    def _value(self, keys: list[str], value: str) -> str:
        """Return a JSON string, without its quotes, redacted as its place below these keys requires."""
        above, name = set(keys[:-1]), keys[-1].lower()
        placed = _in_headers(keys) or ("environment" in above and bool(above & {"env", "transform"}))
        named = name in _NAMES and not above & _SAID
        if named or (placed and any(_CREDENTIAL.search(key) for key in keys[-2:])):
            self.learn(_unescaped(value))
        if named or placed:
            return REDACTED
        called = (len(keys) <= 2 or above & _CALLED) and not above & _SAID
        if called and not _ADDRESSES.isdisjoint(keys[-2:]):
            return self.query(_USER.sub(REDACTED, value))
        return value


def _in_headers(keys: list[str]) -> bool:
    """Whether this is a header of a tool, and not a function's parameter named `headers`."""
    return any(keys[at : at + 3] == ["tools", "", "headers"] for at in range(len(keys) - 3))


def _strings(text: str) -> Iterator[tuple[list[str], int, int]]:
    """Yield the keys above each string value, and its begin and end in `text`; the key of a list item is ""."""
    keys, string = [""], None
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark[0] == '"':
            string = token
            continue
        if mark == ":":
            keys[-1] = _inner(string)[0] if string else keys[-1]
        elif string:
            yield keys, *_inner(string)[1:]
        string = None
        if mark in "{[":
            keys.append("")
        elif mark in "}]" and len(keys) > 1:
            keys.pop()
        elif mark == ",":
            keys[-1] = ""
    if string:
        yield keys, *_inner(string)[1:]


def _inner(string: re.Match[str]) -> tuple[str, int, int]:
    """Return the text between the quotes of a string, with its begin and end."""
    ended = len(string[0]) > 1 and string[0].endswith('"')
    begin, end = string.start() + 1, string.end() - ended
    return string.string[begin:end], begin, end


def _unescaped(value: str) -> str:
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:  # the string was cut
        return value
