"""The name by which a research run remembers the server that has it: a kind and, but for the emulator, an address."""

from __future__ import annotations

from urllib.parse import urlsplit

from tools.redaction import without_credentials

_PORTS = {"http": 80, "https": 443}


def normalized_server(name: str) -> str:
    """The same for all ways to write one server's address.

    Upper case of scheme and host, the scheme's own port, a slash at the end and credentials do not count.

    Args:
        name: a kind and a place, for example "gemini https://Example.org:443/".
    """
    kind, _, place = name.partition(" ")
    place = without_credentials(place)
    try:
        parts = urlsplit(place)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"{kind} {place}".strip()
    if not parts.scheme or not host:
        return f"{kind} {place}".strip()
    host = f"[{host}]" if ":" in host else host
    shown = f":{port}" if port and port != _PORTS.get(parts.scheme) else ""
    return f"{kind} {parts.scheme}://{host}{shown}{parts.path.rstrip('/')}"
