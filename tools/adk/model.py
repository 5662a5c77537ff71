"""Gemini over the Interactions API, as the agents use it: `model: interactions:<name>` in YAML."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

from google.adk.models import Gemini, LlmCapabilities, LLMRegistry, LlmRequest, LlmResponse
from google.genai import Client, types
from pydantic import PrivateAttr, field_validator

from tools.adk.attachments import fitting
from tools.adk.history import Unseen
from tools.adk.request_options import arguments_of, tier_of
from tools.adk.response_collector import Tap, TappedClient
from tools.adk.spans import describe_answer
from tools.adk.structured_output import repair, response_format, response_schema, schema_problem
from tools.interactions import backend
from tools.interactions.citations import cite, source_list
from tools.interactions.client import retry_after, status_of
from tools.interactions.model_catalog import contract_of

log = logging.getLogger(__name__)

DEFERRED = "deferred"
"""The service tier whose answers come hours later, and are never streamed."""
TRIES = 3
"""How often a request is sent again."""
LONGEST_WAIT = 8.0
"""Seconds that a person may wait in silence for a server that has no time."""
ENDINGS = {
    "failed": "the model could not finish",
    "cancelled": "the answer was cancelled",
    "incomplete": "the answer is cut short, at `max_output_tokens` perhaps",
    "budget_exceeded": "the answer is cut short, for the budget is spent",
}
"""Statuses of an answer that ended badly, and what that means."""
UNREADABLE_CALL = "JSON_PARSE_ERROR"
"""After which ADK 2.13 goes on to call the function without arguments (`models/interactions_utils.py:1287`)."""
CONTINUABLE = ("incomplete", "budget_exceeded")
"""Those after which a chain can go on."""


class InteractionsLlm(Gemini):
    """`Gemini` with `use_interactions_api=True` that keeps what ADK 2.13 loses on that path.

    * All of `generate_content_config` and of the tools reaches the wire (`tools.adk.request_options`).
    * `output_schema` reaches the wire as `response_format`; the answer is validated, repaired once, and else
      an `INVALID_OUTPUT` error (ADK drops the schema: `models/interactions_utils.py:1934`).
    * Always streams from the API, and shows the pieces only when asked to, so that both ways say the same.
    * Cited sources stand numbered in the text, and code with its result, since no user interface shows them otherwise.
    * A picture is a response of its own, before the text: `adk web` shows one an event, and none beside a text.
    * A chain that the server has forgotten is begun anew with the whole conversation.
    * An answer that ended badly, or a stream that ended without its last event, is an error.
    """

    use_interactions_api: bool = True
    _tap: Tap | None = PrivateAttr(default=None)

    @classmethod
    def supported_models(cls) -> list[str]:
        """Only by prefix: `interactions:gemini-3.8-flash` (ADK's `class:model` notation), never a bare name."""
        return ["interactions:.*"]

    @field_validator("model")
    @classmethod
    def _bare(cls, model: str) -> str:
        """`adk optimize` 2.13 hands over the name with its prefix (`gepa_root_agent_prompt_optimizer.py:271`)."""
        return model.removeprefix("interactions:")

    @property
    def api_client(self) -> Client:
        """The application's client; during a request, one that the request's tap listens to."""
        client = backend.client(retries=False)
        return TappedClient(client, self._tap) if self._tap else client  # type: ignore[return-value]

    @property
    def capabilities(self) -> LlmCapabilities:
        """Schema and tools go together, on both backends: no `set_model_response` tool."""
        return LlmCapabilities(output_schema_and_tools=True)

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """Yields partial responses if `stream`, then each picture, and at last the answer, calls or an error."""
        request, schema = llm_request, response_schema(llm_request.config)
        if schema is None:
            async for response in self._remembered(request, stream, {}):
                yield response
            return
        for _ in range(2):
            async for response in self._remembered(request, stream, {"response_format": response_format(schema)}):
                if response.partial:
                    yield response
            problem = schema_problem(request.config, response)
            if not problem:
                yield response
                return
            request = repair(request, response, problem)
        response.error_code, response.error_message, response.content = "INVALID_OUTPUT", problem, None
        yield response

    async def _remembered(
        self, request: LlmRequest, stream: bool, extra: dict[str, Any]
    ) -> AsyncGenerator[LlmResponse, None]:
        """The answer on the request's chain, or on a new one if the server knows that no more.

        A server that has no time now is asked again soon. The SDK would wait as long as it is told to, without a word.
        """
        tries = 0
        while True:
            previous, contents = request.previous_interaction_id, request.contents
            try:
                async for response in self._answer(request, stream, extra):
                    yield response
                return
            except Exception as error:
                wait = pause(error, tries)
                if status_of(error) == 404 and previous and isinstance(contents, Unseen):
                    log.info("%s: the server forgot %s, going on from the session", request.model, previous)
                    values = {"previous_interaction_id": None, "contents": await contents.whole()}
                    request = request.model_copy(update=values)
                elif wait is not None:
                    tries += 1
                    await asyncio.sleep(wait)
                else:
                    raise

    async def _answer(
        self, request: LlmRequest, stream: bool, extra: dict[str, Any]
    ) -> AsyncGenerator[LlmResponse, None]:
        tier = request.service_tier or tier_of(request.config)
        tap = Tap({**arguments_of(request.config), **extra}, watched=stream)
        model, whole = self.model_copy(), None
        model._tap = tap
        contents = fitting(request.contents, contract_of(request.model or ""))
        request = request.model_copy(update={"service_tier": tier, "contents": contents})
        async for response in Gemini.generate_content_async(model, request, stream=tier != DEFERRED):
            if not response.partial and (whole is None or whole.error_code != UNREADABLE_CALL):
                whole = response
            elif response.partial and stream and not _media(response):
                yield response
        if whole is None or (tap.asked and not tap.status and not whole.error_code):
            yield LlmResponse(error_code="STREAM_CUT", error_message="the answer's stream ended before it was whole")
            return
        describe_answer(whole, tap.status)
        if request.config.store is False:
            whole.interaction_id = None  # the server keeps nothing that a chain could go on from
        for response in told(whole, tap, with_sources="response_format" not in extra):
            yield response


def pause(error: Exception, tries: int) -> float | None:
    """Seconds to wait before a request that failed is sent again; None if it is not worth it.

    Nothing was said yet when the API answers with a status.
    """
    status = status_of(error)
    if status is None or (status not in (408, 409, 429) and status < 500) or tries >= TRIES:
        return None
    wait = retry_after(error)
    wait = 0.5 * 2**tries if wait is None else wait
    return wait if wait <= LONGEST_WAIT else None


def told(whole: LlmResponse, tap: Tap, *, with_sources: bool = True) -> list[LlmResponse]:
    """A whole answer as it is shown: each picture, sound or file for itself, then text, calls or an error.

    An answer is cited exactly as a report is. Thoughts are left out, but for their signatures, which the model wants
    back: `adk run` would glue them to the answer.
    """
    text, citations = tap.cited()
    if citations and with_sources:
        text, sources = cite(text, citations)
        text = f"{text}\n\n**Sources**\n\n{source_list(sources)}"
    ending = _ended(whole, tap)
    if ending.error_code and text:
        text = f"{text}\n\n*{ending.error_message}*"
    signatures, calls, media, others = _sorted(whole.content)
    if media and not text and not calls:  # ADK takes an ending without a word for an error
        text = "Here it is." if len(media) == 1 else "Here they are."
    answer = [types.Part(text=text)] if text else [] if tap.blocks else others
    if not (answer or calls or media or ending.error_code):  # ADK would end the turn without a word
        ending.error_code, ending.error_message = "EMPTY_ANSWER", "the model answered with nothing; ask again"
    parts = [*signatures, *answer, *calls]
    ending.content = types.Content(role="model", parts=parts) if parts else None
    # Only the last one is the end of the turn, and counts the tokens.
    unended = {"usage_metadata": None, "finish_reason": None, "turn_complete": None}
    files = [types.Content(role="model", parts=[part]) for part in media]
    return [*(whole.model_copy(update={"content": file, **unended}) for file in files), ending]


def _ended(whole: LlmResponse, tap: Tap) -> LlmResponse:
    """A copy that says what went wrong, if anything did."""
    ending = whole.model_copy(update={"partial": None})  # as ADK has it without streaming, whoever compares events
    if tap.status in ENDINGS or whole.error_code:
        reason = "; ".join(dict.fromkeys(tap.errors)) or whole.error_message or ""
        what = ENDINGS.get(tap.status, "the model reports an error")
        ending.error_code = tap.status.upper() if tap.status in ENDINGS else whole.error_code
        ending.error_message = f"{what}: {reason}" if reason else f"{what}."
        if tap.status not in CONTINUABLE:
            ending.interaction_id = None  # the next turn goes on from the last good answer
    return ending


def _sorted(content: types.Content | None) -> tuple[list[types.Part], ...]:
    """Signatures of thoughts, function calls, files, and the rest."""
    signatures, calls, media, others = list[types.Part](), list[types.Part](), list[types.Part](), list[types.Part]()
    for part in (content.parts if content else None) or []:
        if part.function_call:
            calls.append(part)
        elif part.thought_signature:
            signatures.append(types.Part(thought=True, thought_signature=part.thought_signature))
        elif part.inline_data or part.file_data:
            media.append(part)
        elif not part.thought:
            others.append(part)
    return signatures, calls, media, others


def _media(response: LlmResponse) -> bool:
    return any(part.inline_data or part.file_data for part in (response.content and response.content.parts) or ())


LLMRegistry.register(InteractionsLlm)
