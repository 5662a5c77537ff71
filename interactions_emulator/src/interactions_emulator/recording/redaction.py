"""Removes secrets from a recording and leaves every other byte unchanged.

REDACTED replaces
- the API key or bearer token of a request wherever it occurs, if it has 8 characters or more (a shorter string is not
  a secret and occurs inside many words),
- values in JSON: all headers of an MCP server, all headers and variables of an environment, credentials with a known
  name (`secret`, `access_token`, ...), and secret parameters in addresses to which the API sends requests,
- parameters of a query that are named `key`, `token`, ...

The conversation stays unchanged: the texts of the user and the model, and the arguments and results of functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote_plus

REDACTED = "REDACTED"
MIN_REDACTED_CHARS = 8
"""Minimum number of characters of a secret that is removed from all texts."""

SECRET_HEADERS = (b"x-goog-api-key", b"authorization")
"""Request headers whose values are removed from the whole recording."""

_SECRET_NAMES = {
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
_CONVERSATION_KEYS = {"arguments", "content", "input", "parameters", "result", "schema", "text"}
"""JSON keys whose contents belong to the conversation and stay unchanged."""
_ADDRESS_KEYS = {"uri", "uris", "url"}
_REQUEST_TARGETS = {"tools", "webhook_config", "webhooks"}
"""JSON keys whose values contain addresses that the API sends requests to. The top level has such addresses too."""
_CREDENTIAL = re.compile(r"auth|cookie|key|secret|token", re.I)
"""Matches names of headers whose values are removed from all texts. Values of other headers, such as
`text/html`, are not secret."""
_PARAMETER = re.compile(r"((?:^|[?&])(?:access_token|api[_-]?key|key|secret|signature|token)=)([^&#]*)", re.I)
_USER = re.compile(r"(?<=://)[^/@]*(?=@)")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\],:]', re.S)
"""Matches a punctuation mark of JSON, or a JSON string. The string has no end quote if the JSON was cut."""


class Redactor:
    """Removes secrets from text.

    Once it has found a secret, it also removes that secret from all later texts; so redact a request before its answer.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Remove a secret from all later texts. Each word of a value such as `Bearer abc…` is a separate secret."""
        self._known.update(word for word in secret.split() if len(word) >= MIN_REDACTED_CHARS)

    def query(self, query: str) -> str:
        """Return an address, or only its query, without secrets."""
        for parameter in _PARAMETER.finditer(query):
            self.learn(unquote_plus(parameter[2]))
        return self.without_known_secrets(_PARAMETER.sub(rf"\g<1>{REDACTED}", query))

    def text(self, text: str) -> str:
        """Return a text without secrets: JSON, incomplete JSON, events with JSON, or any other text."""
        kept, end = [], 0
        for keys, begin, stop in _strings(text):
            kept += [text[end:begin], self._value(keys, text[begin:stop])]
            end = stop
        return self.without_known_secrets("".join([*kept, text[end:]]))

    def data(self, data: bytes) -> bytes:
        """Return bytes without secrets, whether they are text or not."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def without_known_secrets(self, text: str) -> str:
        """Return a text without the secrets found or learned so far."""
        for secret in sorted(self._known, key=len, reverse=True):
            for form in {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}:
                text = text.replace(form, REDACTED)
        return text

    def _value(self, keys: list[str], value: str) -> str:
        """Redact the inside of a JSON string, given the keys that lead to it."""
        ancestors, name = set(keys[:-1]), keys[-1].lower()
        in_headers_or_environment = _in_headers(keys) or (
            "environment" in ancestors and bool(ancestors & {"env", "transform"})
        )
        has_secret_name = name in _SECRET_NAMES and not ancestors & _CONVERSATION_KEYS
        if has_secret_name or (in_headers_or_environment and any(_CREDENTIAL.search(key) for key in keys[-2:])):
            self.learn(_unescaped(value))
        if has_secret_name or in_headers_or_environment:
            return REDACTED
        is_request_target = (len(keys) <= 2 or ancestors & _REQUEST_TARGETS) and not ancestors & _CONVERSATION_KEYS
        if is_request_target and not _ADDRESS_KEYS.isdisjoint(keys[-2:]):
            return self.query(_USER.sub(REDACTED, value))
        return value


def _in_headers(keys: list[str]) -> bool:
    """Whether the keys lead to a header of a tool, not to a function's parameter named `headers`."""
    return any(keys[at : at + 3] == ["tools", "", "headers"] for at in range(len(keys) - 3))


def _strings(text: str) -> Iterator[tuple[list[str], int, int]]:
    """Yield the keys that lead to each string value, and the value's begin and end in `text`.

    The key of a list item is "".
    """
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
    """Return the text between the quotes of a string, and the positions of its begin and end."""
    ended = len(string[0]) > 1 and string[0].endswith('"')
    begin, end = string.start() + 1, string.end() - ended
    return string.string[begin:end], begin, end


def _unescaped(value: str) -> str:
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:  # the string was cut
        return value
