"""Sends notices as webhooks, signed as Standard Webhooks are (https://www.standardwebhooks.com).

The request goes to the IP address that was checked, follows no redirect, and reads only the status of the answer.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx2
from standardwebhooks import Webhook

from tools.research.notices.message import Message
from tools.research.notices.targets import Target
from tools.web_addresses.public_http import LookUp, NotPublic, PublicTransport


async def send(target: Target, message: Message, look_up: LookUp) -> str:
    """Sends a message. Returns why it failed; empty if it was sent.

    Args:
        look_up: resolves host names.
    """
    now = datetime.now(UTC)
    body = json.dumps(message.webhook(), ensure_ascii=False)
    headers = {
        "content-type": "application/json",
        "user-agent": "research-desk",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(target.secret).sign(message.id, now, body),
    }
    request = httpx2.Request("POST", target.url, headers=headers, content=body.encode())
    # The transport alone: a client would log the address, and follow the proxies of the environment.
    async with httpx2.AsyncHTTPTransport() if target.private else PublicTransport(look_up) as transport:
        try:
            response = await transport.handle_async_request(request)
        except NotPublic as error:
            return f"its host {error}"
        except httpx2.HTTPError as error:
            return f"it cannot be reached ({type(error).__name__})"
        await response.aclose()
    return "" if response.is_success else f"it answered {response.status_code}"
