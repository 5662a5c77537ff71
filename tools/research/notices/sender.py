"""Sends one message to one target, within a time limit."""

from __future__ import annotations

import asyncio

from tools.research.notices import apprise_sender, webhook_sender
from tools.research.notices.message import Message
from tools.research.notices.targets import Target
from tools.research.notices.timeouts import SEND_TIMEOUT_S
from tools.text.secret_redaction import redact
from tools.web_addresses.public_http import LookUp, look_up


async def send(target: Target, message: Message, look_up: LookUp = look_up) -> str:
    """Sends a message to a filled target. Returns why it failed, without secrets; empty if it was sent."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            if target.is_webhook:
                error = await webhook_sender.send(target, message, look_up)
            else:
                error = await apprise_sender.send(target, message)
    except TimeoutError:
        return f"no answer in {SEND_TIMEOUT_S:.0f} seconds"
    except Exception as failure:  # a plugin of Apprise may raise anything, and its text may show the address
        return f"it failed with {type(failure).__name__}"
    return redact(target.redact(error))
