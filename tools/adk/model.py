"""The agents' model: Gemini over the Interactions API; in YAML: `model: interactions:<name>`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from google.adk.models import Gemini, LlmCapabilities, LLMRegistry, LlmRequest, LlmResponse, interactions_utils
from google.genai import Client
from pydantic import field_validator

from tools.adk.answer_events import sdk_events
from tools.adk.answer_responses import to_responses
from tools.adk.attachments import adapt_files
from tools.adk.contents import parts_of
from tools.adk.deferred_tier import DEFERRED_TIER, poll_deferred
from tools.adk.generation_config import arguments_of, merge_arguments, tier_of
from tools.adk.response_collector import ResponseCollector
from tools.adk.sessions.lazy_history import UnseenContents
from tools.adk.span_annotations import annotate_span
from tools.adk.structured_output import (
    MAX_ANSWERS,
    has_schema,
    response_format,
    response_schema,
    retry_request,
    schema_problem,
)
from tools.interactions import backend
from tools.interactions.errors import is_not_found
from tools.interactions.retry import retry_delay

log = logging.getLogger(__name__)

UNREADABLE_CALL = "JSON_PARSE_ERROR"
"""ADK 2.13 calls a function in spite of this error, but without arguments (`models/interactions_utils.py:1287`)."""


class InteractionsLlm(Gemini):
    """`Gemini` with `use_interactions_api=True` that keeps what ADK 2.13 loses on that path.

    * It sends all of `generate_content_config` and all tools (`tools.adk.generation_config`).
    * It sends `output_schema` as `response_format`, validates the answer and asks again once; then it returns an
      `INVALID_OUTPUT` error (ADK drops the schema: `models/interactions_utils.py:1934`).
    * It reads a streamed and a whole answer by the same events, so that both give the same response.
    * It writes numbered sources, and code with its result, into the text: no user interface shows them otherwise.
    * It returns each picture in a response of its own, before the text: `adk web` shows at most one picture per event,
      and none in an event with text.
    * It starts a new chain with the whole conversation if the server has deleted the old chain.
    * It reports an answer that ended badly, or a stream without its last event, as an error.

    ADK's converters make requests and responses; `tools.interactions.transport` sends the requests.
    """

    use_interactions_api: bool = True

    @classmethod
    def supported_models(cls) -> list[str]:
        """Matches only names with a prefix, such as `interactions:gemini-3.8-flash` (ADK's notation)."""
        return ["interactions:.*"]

    @field_validator("model")
    @classmethod
    def _bare(cls, model: str) -> str:
        """Removes the prefix, which `adk optimize` 2.13 keeps (`gepa_root_agent_prompt_optimizer.py:271`)."""
        return model.removeprefix("interactions:")

    @property
    def api_client(self) -> Client:
        """The SDK's client; ADK reads the backend from it and uses it for live connections."""
        return backend.client()

    @property
    def capabilities(self) -> LlmCapabilities:
        """Schema and tools work together on both backends, so ADK adds no `set_model_response` tool."""
        return LlmCapabilities(output_schema_and_tools=True)

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """Yields partial responses (only if `stream`), then each file, and last the answer, the calls or an error."""
        request = llm_request
        if not has_schema(request.config):
            async for response in self._with_retries(request, stream):
                yield response
            return
        for _ in range(MAX_ANSWERS):
            async for response in self._with_retries(request, stream):
                if response.partial:
                    yield response
            problem = schema_problem(request.config, response)
            if not problem:
                yield response
                return
            request = retry_request(request, response, problem)
        response.error_code, response.error_message, response.content = "INVALID_OUTPUT", problem, None
        yield response

    async def _with_retries(self, request: LlmRequest, stream: bool) -> AsyncGenerator[LlmResponse, None]:
        """Sends a request. Repeats it if the server is overloaded, and on a new chain if the old chain is deleted."""
        tries = 0
        while True:
            previous, contents = request.previous_interaction_id, request.contents
            try:
                # Call ADK's own method, because `adk test` replaces it to play a recorded answer.
                async for response in Gemini.generate_content_async(self, request.model_copy(), stream):
                    yield response
                return
            except Exception as error:
                wait = retry_delay(error, tries)
                if is_not_found(error) and previous and isinstance(contents, UnseenContents):
                    log.info("%s: the server has no %s; starting a new chain", request.model, previous)
                    values = {"previous_interaction_id": None, "contents": await contents.load_all()}
                    request = request.model_copy(update=values)
                elif wait is not None:
                    tries += 1
                    await asyncio.sleep(wait)
                else:
                    raise

    async def _preprocess_request(self, llm_request: LlmRequest) -> None:
        """Adapts the files and keeps the labels, which ADK's method removes because `generateContent` refuses them."""
        labels = llm_request.config.labels
        llm_request.contents = adapt_files(llm_request.contents, llm_request.model or "")
        await super()._preprocess_request(llm_request)
        llm_request.config.labels = labels

    async def _generate_content_via_interactions(
        self, llm_request: LlmRequest, stream: bool
    ) -> AsyncGenerator[LlmResponse, None]:
        """Overrides ADK's method. For an HTTP error status, raises `WireError` before the first response."""
        collector, whole = ResponseCollector(), None
        body, options = create_body(llm_request), llm_request.config.http_options
        headers = (options and options.headers) or {}  # include the headers that ADK adds for Google's usage statistics
        if body.get("service_tier") == DEFERRED_TIER:
            responses = poll_deferred(collector, body, headers)
        else:
            responses = _streamed(collector, body, headers, watched=stream)
        async for response in responses:
            if not response.partial and (whole is None or whole.error_code != UNREADABLE_CALL):
                whole = response
            elif response.partial and stream and not _media(response):
                yield response
        if whole is None or (not collector.status and not whole.error_code):
            yield LlmResponse(error_code="STREAM_CUT", error_message="the answer's stream ended before it was whole")
            return
        annotate_span(whole, collector.status)
        if body.get("store") is False:
            whole.interaction_id = None  # the server has not stored the interaction, so no chain can continue from it
        for response in to_responses(whole, collector, with_sources=not has_schema(llm_request.config)):
            yield response


def create_body(request: LlmRequest) -> dict[str, Any]:
    """Builds the body of the create request for an ADK request."""
    config, schema = request.config, response_schema(request.config)
    contents = request.contents
    if request.previous_interaction_id:
        contents = interactions_utils._get_latest_user_contents(contents)
    tier = request.service_tier or tier_of(config)
    arguments = {
        "model": request.model,
        "input": interactions_utils._convert_contents_to_steps(contents),
        "system_instruction": interactions_utils.extract_system_instruction(config),
        "tools": interactions_utils.convert_tools_config_to_interactions_format(config),
        "generation_config": interactions_utils.build_generation_config(config),
        "previous_interaction_id": request.previous_interaction_id,
        "service_tier": tier,
        "background": True if tier == DEFERRED_TIER else None,
    }
    extra = arguments_of(config)
    if schema is not None:
        extra["response_format"] = response_format(schema)
    return merge_arguments(arguments, extra)


async def _streamed(
    collector: ResponseCollector, body: Mapping[str, Any], headers: Mapping[str, str], *, watched: bool
) -> AsyncGenerator[LlmResponse, None]:
    """Yields ADK's responses for the events of a create request, as `interactions_utils._create_interactions` does."""
    state, interaction_id = interactions_utils._StreamState(), None
    async for event in sdk_events(backend.transport(), body, headers, watched=watched):
        collector.add_event(event)
        interaction_id = interactions_utils._extract_stream_interaction_id(event) or interaction_id
        response = interactions_utils.convert_interaction_event_to_llm_response(event, state, interaction_id)
        if response:
            yield response


def _media(response: LlmResponse) -> bool:
    return any(part.inline_data or part.file_data for part in parts_of(response.content))


LLMRegistry.register(InteractionsLlm)
