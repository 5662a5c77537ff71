"""One authenticated request that costs nothing, and what its answer says about address and key."""

from __future__ import annotations

import asyncio
from typing import Any

from google.auth.exceptions import GoogleAuthError

from tools.interactions import backend
from tools.redaction import redact, without_credentials

NOWHERE = "v1_desk-doctor"
"""An interaction that no server has: whoever may ask is told so."""
PATIENCE = 15.0
"""Seconds to wait for the answer."""


async def probe(chosen: backend.Backend) -> tuple[bool, str]:
    """Asks the server in use for an interaction that it does not have.

    Returns:
        Whether the API answers to this key, and that in words: what happened and what to do, without secrets.
    """
    variable, server = chosen.variable, without_credentials(chosen.url) or "Google"
    try:
        async with asyncio.timeout(PATIENCE):
            found = await backend.client(retries=False).aio.interactions.get(NOWHERE)
        status, body = 200, dict[str, Any](id=found.id)
    except TimeoutError:
        return False, f"{server} does not answer in {PATIENCE:.0f} s: try again, or look at the network and {variable}"
    except GoogleAuthError as error:
        return False, f"there are no credentials ({_line(error)}): look at {backend.credentials()}"
    except Exception as error:  # the SDK's errors share no base, and some are httpx's
        if not isinstance(number := getattr(error, "status_code", None), int):
            return False, f"{server} cannot be reached ({_line(error)}): look at the network and {variable}"
        status, body = number, getattr(error, "body", {})
    problem = judge(status, body, key=backend.credentials(), address=variable)
    return not problem, f"{server} {problem or 'is the Interactions API and accepts the key'}"


def judge(status: int, body: Any, *, key: str, address: str) -> str:
    """What is wrong with a server that was asked for an interaction that it does not have.

    Args:
        body: JSON data or text of its answer.
        key: where the credentials come from.
        address: the variable that holds its address.

    Returns:
        What it does, and the next step; empty: nothing is wrong.
    """
    error = body.get("error") if isinstance(body, dict) else None
    said = str(error.get("message", "")) if isinstance(error, dict) else ""
    answer = f"HTTP {status}: {_line(said)}" if said else f"HTTP {status}"
    if isinstance(body, str) and body.lstrip().startswith("<"):
        return f"answers with a web page and not as an API ({answer}): look at {address}, and for a proxy in between"
    if status in (401, 403) or (status == 400 and "API_KEY" in str(body).upper().replace(" ", "_")):
        return f"does not accept the key ({answer}): look at {key}"
    if 300 <= status < 400:
        return f"sends its clients elsewhere ({answer}): write the address that it leads to into {address}"
    if status == 429:
        return f"has no quota left for the key ({answer}): try again later"
    if status >= 500:
        return f"is in trouble ({answer}): try again later"
    if status in (400, 404) and said:  # it knows such requests, and no such interaction
        return ""
    if status == 200 and isinstance(body, dict) and body.get("id"):
        return ""
    return f"is not the Interactions API ({answer}): look at {address}, which has neither /v1beta nor another path"


def _line(error: object) -> str:
    return redact(" ".join(str(error).split()) or type(error).__name__)[:200]
