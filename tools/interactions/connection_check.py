"""Checks the server's address and the API key with one authenticated request that costs nothing."""

from __future__ import annotations

import asyncio

from google.auth.exceptions import GoogleAuthError

from tools.interactions import backend
from tools.interactions.errors import BadAnswer, BadStatus, WireError
from tools.text.secret_redaction import redact
from tools.web_addresses.credentials import without_credentials

MISSING_ID = "v1_desk-doctor"
"""Id of an interaction that no server has: with a valid key, the server answers that there is no such interaction."""
TIMEOUT_S = 15.0
"""Timeout for the answer, in seconds."""


async def check_connection(chosen: backend.Backend) -> tuple[bool, str]:
    """Checks the server in use by requesting an interaction that does not exist.

    Returns:
        Whether the API accepts the key, and a text without secrets that says what happened and what to do.
    """
    variable, server = chosen.variable, without_credentials(chosen.url) or "Google"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await backend.transport().get(MISSING_ID)
        problem = ""
    except TimeoutError:
        return False, f"{server} does not answer in {TIMEOUT_S:.0f} s: try again, or check the network and {variable}"
    except (BadStatus, BadAnswer) as error:
        kind = error.response.headers.get("content-type", "")
        said = error.message if isinstance(error, BadStatus) and error.from_api else ""
        problem = diagnose(
            error.response.status_code, said, page="html" in kind, key=backend.credentials(), address=variable
        )
    except WireError as error:
        if isinstance(error.__cause__, GoogleAuthError):
            return False, f"there are no credentials ({_line(error)}): check {backend.credentials()}"
        return False, f"{server} cannot be reached ({_line(error)}): check the network and {variable}"
    return not problem, f"{server} {problem or 'is the Interactions API and accepts the key'}"


def diagnose(status: int, said: str, *, page: bool, key: str, address: str) -> str:
    """Says what is wrong with a server, from its answer to a request for a missing interaction.

    Args:
        said: the message of the API's error; empty if the answer is not such an error.
        page: whether the answer is a web page.
        key: where the credentials come from.
        address: the variable that holds the server's address.

    Returns:
        The problem and the next step; empty if nothing is wrong.
    """
    answer = f"HTTP {status}: {_line(said)}" if said else f"HTTP {status}"
    if 300 <= status < 400:
        return f"redirects requests (HTTP {status}): set {address} to the address that it redirects to"
    if page:
        return f"answers with a web page and not as an API ({answer}): check {address}, and any proxy in between"
    if status in (401, 403) or (status == 400 and "API KEY" in said.upper().replace("_", " ")):
        return f"does not accept the key ({answer}): check {key}"
    if status == 429:
        return f"has no quota left for the key ({answer}): try again later"
    if status >= 500:
        return f"is in trouble ({answer}): try again later"
    if status in (400, 404) and said:  # the server understood the request, but has no such interaction
        return ""
    return f"is not the Interactions API ({answer}): check {address}, which must not have a path such as /v1beta"


def _line(error: object) -> str:
    return redact(" ".join(str(error).split()) or type(error).__name__)[:200]
