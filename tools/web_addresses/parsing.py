"""Divides web addresses from outside into their parts, in time linear in the address.

`urllib` normalizes the host with `unicodedata.normalize`, which takes quadratic time (see
`tools.text.unicode_normalization`). Nothing else in this project calls `urlsplit`.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

MAX_ADDRESS_CHARS = 4_000
"""Maximum characters of a web address. Many servers refuse more than 8,000."""
MAX_HOST_CHARS = 500
"""Maximum characters of the host with user, password and port. A domain name has at most 253."""
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def split_address(url: str) -> SplitResult:
    """Returns the parts of an address.

    Raises:
        ValueError: the address is not valid, or is longer than real addresses are.
    """
    if len(url) > MAX_ADDRESS_CHARS:
        raise ValueError(f"the address has more than {MAX_ADDRESS_CHARS:,} characters")
    # `urlsplit` does not normalize an ASCII host, and finds its ends by ASCII characters.
    if len(urlsplit(_NOT_ASCII.sub("x", url)).netloc) > MAX_HOST_CHARS:
        raise ValueError(f"the host has more than {MAX_HOST_CHARS} characters")
    return urlsplit(url)
