"""Compares web addresses that differ in spelling only."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode

from tools.web_addresses.parsing import split_address

_TRACKING = re.compile(r"utm_\w+|gclid|fbclid|msclkid|dclid|yclid|mc_[ce]id|igshid|srsltid|_ga|_hs(?:enc|mi)")


def canonical(url: str) -> str:
    """Returns the normal form of an address, for comparisons; the address itself if it cannot be parsed.

    Ignored are: http or https, case of the host, default ports, tracking parameters, a slash at the end, fragments.
    """
    try:
        parts = split_address(url.strip())
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return url
    if parts.scheme not in ("http", "https") or not host:
        return url
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(pair[0])]
    query = f"?{urlencode(kept)}" if kept else ""
    return f"https://{host}{f':{port}' if port not in (None, 80, 443) else ''}{parts.path.rstrip('/')}{query}"
