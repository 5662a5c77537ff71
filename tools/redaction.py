"""Secrets in texts that are shown, logged or stored, replaced by `***`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRETS?|PASSWORD|HEADERS|DATABASE_URL|SESSIONS_URL)$")
"""Names of variables whose values are shown nowhere."""
SECRETS = re.compile(
    r"AIza[\w-]{20,}"  # Google's API keys
    r"|ya29\.[\w.-]{20,}"  # Google's OAuth access tokens
    r"|whsec_[\w+/=]+"  # of a webhook
    r"|(?P<kept>[?&][\w.-]*(?:key|token|secret|password|signature)=)[^&\s\"'#]+"
    r"|(?<=://)[^/?#\s\"']+(?=@)"  # user and password of an address, or a token alone
    r"|(?<=Bearer )[\w.~+/=-]+",
    re.IGNORECASE,
)
_SHORTEST = 8
"""Characters of a secret that is looked for: shorter ones would be found in ordinary words."""


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without secrets: those of the environment as it is now, those that look like one, and `known` ones."""
    given = {value for name, value in os.environ.items() if SECRET_NAMES.search(name)}
    values = {part for value in (*given, *known) for part in (value, *value.split(",")) if len(part) >= _SHORTEST}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
    return SECRETS.sub(lambda found: f"{found['kept'] or ''}***", text)


def without_credentials(url: str) -> str:
    """An address without user, password and query; the same address if it has none. It need not be a valid one."""
    return re.sub(r"(?<=://)[^/?#]*@|[?#].*", "", url, flags=re.DOTALL)


def credentials_in(url: str) -> tuple[str, ...]:
    """The password in an address, or the token that stands there alone, as written and decoded; else none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    secret = parts.password or parts.username
    return (secret, unquote(secret)) if secret else ()
