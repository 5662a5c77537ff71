"""Replaces secrets such as keys and passwords by `***` in texts that are shown, logged or stored."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRETS?|PASSWORD|HEADERS|DATABASE_URL|SESSIONS_URL)$")
"""Names of environment variables whose values are never shown."""
ADDRESS_NAMES = re.compile(r"(DATABASE_URL|SESSIONS_URL)$")
"""Names of those variables that hold an address, which is secret only if it has credentials or parameters."""
SECRETS = re.compile(
    r"AIza[\w-]{20,}"  # Google's API keys
    r"|ya29\.[\w.-]{20,}"  # Google's OAuth access tokens
    r"|whsec_[\w+/=]+"  # signing secrets of webhooks
    r"|(?P<kept>[?&][\w.-]*(?:key|token|secret|password|signature)=)[^&\s\"'#]+"
    # User and password, which may have @ and /. It stops before another address, so that the work stays linear.
    r"|(?<=://)(?!(?-i:USER:PASSWORD@))[^/?#\s\"':@]*:(?:[^\s\"':]|:(?!//))*(?=@)"
    r"|(?<=://)(?!(?-i:USER:PASSWORD@))[^/?#\s\"']+(?=@)"  # a token alone
    r"|(?<=Bearer )[\w.~+/=-]+",
    re.IGNORECASE,
)
_MIN_REDACTED_CHARS = 8
"""Minimum length of a known secret, in characters: shorter ones would match ordinary words."""


def redact(text: str, known: Iterable[str] = ()) -> str:
    """Replaces secrets in a text by `***`.

    Secrets are the values of environment variables with a secret name, strings that look like a secret, and `known`.
    """
    given = {
        value
        for name, value in os.environ.items()
        if SECRET_NAMES.search(name) and (not ADDRESS_NAMES.search(name) or set("@?") & set(value))
    }
    values = {
        part for value in (*given, *known) for part in (value, *value.split(",")) if len(part) >= _MIN_REDACTED_CHARS
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
    return SECRETS.sub(lambda found: f"{found['kept'] or ''}***", text)
