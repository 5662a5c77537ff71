"""Fills the variables of a target from the environment, and checks that it can be used. Connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from tools.research.notices.apprise_sender import check_url
from tools.research.notices.targets import Target, TargetError
from tools.web_addresses.parsing import split_address
from tools.web_addresses.public_address import is_public


def resolve_target(target: Target, env: Mapping[str, str]) -> Target:
    """Returns a target with each `${VARIABLE}` replaced by its value in `env`.

    Raises:
        TargetError: a variable is not set, or the address cannot be used.
    """
    filled = target.filled(env)
    if filled.is_webhook:
        _check_webhook(filled)
    else:
        check_url(filled)
    return filled


def _check_webhook(target: Target) -> None:
    if not target.secret:
        raise TargetError(
            "url",
            "a webhook needs a `secret` to sign with; a service such as Slack or Teams has an Apprise URL of its own",
        )
    try:
        if not target.secret.startswith("whsec_"):
            raise ValueError("no prefix")
        Webhook(target.secret)
    except (EmptyWebhookSecretError, ValueError):
        raise TargetError(
            "secret", "`secret` is not a signing secret: write whsec_ and random bytes in base64"
        ) from None
    try:
        parts = split_address(target.url)
        complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise TargetError("url", "`url` is not the address of a webhook: write https://HOST/PATH")
    if not target.private and (parts.scheme != "https" or not is_public(target.url)):
        raise TargetError(
            "url",
            "a webhook goes to a public https:// address; `private: true` allows http:// and addresses of a private"
            " network",
        )
