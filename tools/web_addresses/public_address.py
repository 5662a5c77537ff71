"""Distinguishes public web addresses from addresses in private networks, in every notation that browsers read."""

from __future__ import annotations

import ipaddress
import re

from tools.text.unicode_normalization import normalize
from tools.web_addresses.parsing import split_address

_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL = [ipaddress.ip_network(each) for each in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")]
"""Networks that are not public (IANA's registries of special addresses), and that Python 3.11.7 takes for public."""
_PRIVATE_NAME = re.compile(r"\.(local|localhost|localdomain|internal|intranet|private|corp|home|lan|home\.arpa)\Z")


def is_public(url: str) -> bool:
    """Whether an address is a web address and names no machine of a private network, in any notation.

    Names are not resolved: a public name can still lead into a private network.
    """
    try:
        parts = split_address(url)
        host = parts.hostname or ""
        _ = parts.port  # raises ValueError if it is not valid
    except ValueError:
        return False
    # Browsers drop some characters of an address and read a backslash as a slash.
    plain = not re.search(r"[\s\\\x00-\x1f\x7f]", url) and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and plain and _is_public_host(host)


def is_public_ip(address: str) -> bool:
    """Whether an IP address, such as `getaddrinfo` returns, is public. False for a name: it may lead anywhere."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return is_public(f"https://{f'[{address}]' if ':' in address else address}/")


def _is_public_host(host: str) -> bool:
    # As in browsers, full-width letters and ideographic dots count as ASCII.
    host = normalize("NFKC", host).replace("。", ".").casefold().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        *names, top = host.split(".")
        # Browsers read a host that ends in a number as an IPv4 address: 127.1, 0x7f.1, 2130706433.
        named = bool(names) and top[:1].isalpha() and all(re.fullmatch(r"[\w-]+", name) for name in (*names, top))
        return named and not _PRIVATE_NAME.search(host)
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _UNICAST or address.sixtofour or address.teredo or address.scope_id
    ):
        return False  # an IPv6 address of these kinds may contain a private IPv4 address
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)
