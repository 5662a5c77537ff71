"""The server name that a research run stores: a kind and, except for the emulator, an address."""

from __future__ import annotations

from tools.web_addresses.credentials import without_credentials
from tools.web_addresses.parsing import split_address

_PORTS = {"http": 80, "https": 443}


def normalized_server(name: str) -> str:
    """Returns one name for all spellings of a server's address.

    Ignores the case of scheme and host, the scheme's default port, a slash at the end, and credentials.

    Args:
        name: a kind of server and an address, for example "gemini https://Example.org:443/".
    """
    kind, _, place = name.partition(" ")
    place = without_credentials(place)
    try:
        parts = split_address(place)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"{kind} {place}".strip()
    if not parts.scheme or not host:
        return f"{kind} {place}".strip()
    host = f"[{host}]" if ":" in host else host
    shown = f":{port}" if port and port != _PORTS.get(parts.scheme) else ""
    return f"{kind} {parts.scheme}://{host}{shown}{parts.path.rstrip('/')}"
