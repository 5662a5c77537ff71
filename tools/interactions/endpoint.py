"""Addresses of the Interactions API, and the credentials for its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

GEMINI_URL = "https://generativelanguage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
MULTI_REGIONS = ("us", "eu")
"""Locations of Vertex AI whose host names have another form (google-genai 2.34, `_api_client.py:1025`)."""


def default_credentials() -> Any:
    """Returns the application default credentials of Google Cloud.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: there are no credentials.
    """
    import google.auth  # imported late: the import takes 80 ms (with `requests`), and only Vertex AI needs it

    credentials, _ = google.auth.default(scopes=[SCOPE])
    return credentials


@dataclass
class Endpoint:
    """One server of the API: an address, and either a key or credentials of Google Cloud."""

    url: str
    """Address of all interactions, e.g. "https://generativelanguage.googleapis.com/v1beta/interactions"."""
    key: str = field(default="", repr=False)
    """API key; if it is empty, `credentials` are used."""
    credentials: Callable[[], Any] = field(default=default_credentials, repr=False)
    """Returns google-auth's credentials; called when the first request needs them."""
    restart: Callable[[], str] | None = field(default=None, repr=False)
    """Starts the server again after it has ended, and returns its new `url`; only for the local emulator."""
    _loaded: Any = field(default=None, init=False, repr=False)

    async def headers(self) -> dict[str, str]:
        """Returns the headers that authenticate a request; renews an expired token.

        Raises:
            google.auth.exceptions.GoogleAuthError: there are no credentials, or no token for them.
        """
        if self.key:
            return {"x-goog-api-key": self.key}
        return await asyncio.to_thread(self._authenticated)

    def _authenticated(self) -> dict[str, str]:
        """Reads files and requests tokens. Blocks, so call it in a thread."""
        from google.auth.transport.requests import Request

        headers: dict[str, str] = {}
        self._loaded = self._loaded or self.credentials()
        self._loaded.before_request(Request(), "POST", self.url, headers)
        return headers


def gemini_endpoint(base_url: str, key: str) -> Endpoint:
    """Endpoint of the Gemini API, or of a server that replaces it.

    Args:
        base_url: address without a version; if it is empty, Google's address is used.
    """
    return Endpoint(f"{(base_url or GEMINI_URL).rstrip('/')}/v1beta/interactions", key)


def vertex_endpoint(base_url: str, project: str, location: str, key: str = "") -> Endpoint:
    """Endpoint of Vertex AI, with the credentials of a project, or with a key if no project is given.

    Args:
        base_url: address without a version; if it is empty, Google's address for the location is used.
    """
    if not (project and location):
        return Endpoint(f"{(base_url or 'https://aiplatform.googleapis.com').rstrip('/')}/v1beta1/interactions", key)
    if location == "global":
        host = "aiplatform.googleapis.com"
    elif location in MULTI_REGIONS:
        host = f"aiplatform.{location}.rep.googleapis.com"
    else:
        host = f"{location}-aiplatform.googleapis.com"
    base = (base_url or f"https://{host}").rstrip("/")
    return Endpoint(f"{base}/v1beta1/projects/{project}/locations/{location}/interactions")
