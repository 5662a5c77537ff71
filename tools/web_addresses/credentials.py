"""Finds and removes user, password and other secrets of a web address."""

from __future__ import annotations

import re
from urllib.parse import unquote

from tools.web_addresses.parsing import split_address


def without_credentials(url: str) -> str:
    """Removes user, password, query and fragment from an address, even from an invalid address."""
    return re.sub(r"(?<=://)[^/?#]*@|[?#].*", "", url, flags=re.DOTALL)


def credentials_in(url: str) -> tuple[str, ...]:
    """Returns the password of an address, both as written and URL-decoded.

    Without a password, returns the user instead, which may be a token. Empty if the address has neither.
    """
    try:
        parts = split_address(url)
    except ValueError:
        return ()
    secret = parts.password or parts.username
    return (secret, unquote(secret)) if secret else ()
