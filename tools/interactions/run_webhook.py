"""The webhook in a research run's create request: the addresses that get a message about its end, and the keys."""

from __future__ import annotations

from dataclasses import dataclass

from tools.interactions.backend import Backend, is_loopback
from tools.settings import Settings, SettingsError
from tools.web_addresses.credentials import without_credentials
from tools.web_addresses.parsing import split_address
from tools.web_addresses.public_address import is_public

WEBHOOK_PATH = "/webhooks/research"
"""Path of the endpoint of `desk serve` that receives the messages."""


@dataclass(frozen=True)
class RunWebhook:
    """The webhook of research runs."""

    url: str
    """Address that gets a message when a run ends."""
    jwks_url: str
    """Address of the keys that sign the messages."""


def run_webhook(settings: Settings, backend: Backend) -> RunWebhook | None:
    """Returns the webhook of research runs; None if they have none.

    The emulator sends messages only to this machine, and signs them with its own keys. Requests to Vertex AI have no
    webhook: google-genai 2.34 refuses `webhook_config` there (for batches; `batches.py`).

    Raises:
        SettingsError: Google cannot send messages to DESK_PUBLIC_URL, or the address of its keys is not https.
    """
    if not settings.webhooks or not settings.public_url or backend.kind == "vertex":
        return None
    url = settings.public_url.rstrip("/") + WEBHOOK_PATH
    if backend.kind == "emulator":
        return RunWebhook(url, f"{backend.url.rstrip('/')}/.well-known/jwks.json") if is_loopback(url) else None
    parts = split_address(url)
    if parts.scheme != "https" or parts.query or parts.fragment or not is_public(url):
        raise SettingsError(
            f"DESK_PUBLIC_URL={without_credentials(settings.public_url)} is not a public https address, to which Google"
            " could send webhooks: write https://HOST, or set DESK_WEBHOOKS=0 to research without webhooks"
        )
    keys = settings.webhook_jwks_url
    if split_address(keys).scheme != "https" and not is_loopback(keys):
        raise SettingsError(f"DESK_WEBHOOK_JWKS_URL={without_credentials(keys)} is not https: write https://HOST/PATH")
    return RunWebhook(url, keys)
