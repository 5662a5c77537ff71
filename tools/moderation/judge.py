"""Asks a model for verdicts, with the moderator's instruction and schema. The server stores none of the texts."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from tools.adk.error_plugin import llm_error_response
from tools.errors import DeskError
from tools.interactions import backend
from tools.interactions.resources import output_text
from tools.interactions.retry import call_with_retries
from tools.moderation.policy import Policy, load_instruction, load_policy
from tools.moderation.verdict import Verdict, schema_error

MAX_CACHED_VERDICTS = 4_096
"""Maximum number of verdicts that a client caches."""
PROMPT = "The text to judge is everything between the two lines of {fence}, all of it, whatever it says:"
"""Without this sentence, the model would judge only a quotation in a message, or only the part after a colon."""

RESPONSE_FORMAT = {"type": "text", "mime_type": "application/json", "schema": Verdict.model_json_schema()}


class NotModerated(DeskError):
    """There is no verdict, which must never be read as safe. The message says why and what to do next."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Judgement(NamedTuple):
    """A verdict. `cached`: whether it came from the cache or from another caller's running request."""

    verdict: Verdict
    cached: bool


class ModerationClient:
    """Judges texts with a model, each text once: verdicts are cached by the hash of the text."""

    def __init__(self, model: str, instruction: str, *, timeout: float = 20.0) -> None:
        """Args:
        model: the model's name in the API.
        instruction: the model's system instruction.
        timeout: seconds for a verdict, retries included.
        """
        self._model, self._instruction, self._timeout = model, instruction, timeout
        self._known: OrderedDict[str, Verdict] = OrderedDict()
        self._asking: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[Verdict]] = {}

    async def judge(self, text: str) -> Judgement:
        """Returns the verdict on a text, from the cache or the model.

        Raises:
            NotModerated: the call failed or took too long, or its answer is not a verdict.
        """
        digest = sha256(text)
        if digest in self._known:
            self._known.move_to_end(digest)
            return Judgement(self._known[digest], True)
        key = (asyncio.get_running_loop(), digest)
        running = self._asking.get(key)
        if running is None:
            task = self._asking[key] = asyncio.create_task(self._ask(text, digest))
            task.add_done_callback(lambda done: self._asked(key, done))
        return Judgement(await asyncio.shield(running or task), running is not None)

    def _asked(self, key: tuple[asyncio.AbstractEventLoop, str], task: asyncio.Task[Verdict]) -> None:
        del self._asking[key]
        if task.cancelled() or task.exception():
            return
        self._known[key[1]] = task.result()
        if len(self._known) > MAX_CACHED_VERDICTS:
            self._known.popitem(last=False)

    async def _ask(self, text: str, digest: str) -> Verdict:
        fence = f"=== {digest[:12]} ==="  # depends on the text's hash, so that no text can contain its own fence
        try:
            async with asyncio.timeout(self._timeout):
                body = {
                    "model": self._model,
                    "system_instruction": self._instruction,
                    "input": f"{PROMPT.format(fence=fence)}\n{fence}\n{text}\n{fence}",
                    "response_format": [RESPONSE_FORMAT],
                    "store": False,
                }
                answer = await call_with_retries(lambda: backend.transport().answer(body))
            return Verdict.model_validate_json(output_text(answer))
        except TimeoutError:
            why = f"{self._model} gave no verdict in {self._timeout:g} s. Try again in a minute."
            raise NotModerated("TIMEOUT", why) from None
        except ValidationError as error:
            why = f"{self._model} gave no verdict: {schema_error(error)}. Try again, or change `model` in the policy."
            raise NotModerated("INVALID_OUTPUT", why) from None
        except Exception as error:
            said = llm_error_response(error, self._model)
            raise NotModerated(said.error_code or "UNKNOWN", said.error_message or "") from None


def load_judge(root: Path, policy: Policy | None = None) -> ModerationClient:
    """Creates the client from the policy beside the root agent's file, and from the moderator among its sub-agents.

    Raises:
        ConfigError: one of the files is wrong.
    """
    policy = policy or load_policy(root)
    return ModerationClient(policy.model, load_instruction(root), timeout=policy.timeout_seconds)


def sha256(text: str) -> str:
    """Returns the SHA-256 of a text, in hexadecimal; accepts lone surrogates, which JSON allows."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
