"""Gemini over the Interactions API, as the agents use it: `model: interactions:<name>` in YAML."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from typing import Any

from google.adk.models import Gemini, LlmCapabilities, LLMRegistry, LlmRequest, LlmResponse
from google.genai import Client, types
from pydantic import PrivateAttr, TypeAdapter, ValidationError

from tools import backend
from tools.citations import Citation, cite, source_list


class InteractionsLlm(Gemini):
    """`Gemini` with `use_interactions_api=True` that keeps what ADK 2.13 loses on that path.

    * `output_schema` reaches the wire as `response_format`; the answer is validated, repaired once, and else
      an `INVALID_OUTPUT` error (ADK drops the schema: `models/interactions_utils.py:1934`).
    * Always streams from the API, and shows the pieces only when asked to: without streaming ADK puts the search
      result's markup into the answer and loses the citations (`interactions_utils.py:782`).
    * Cited sources stand numbered in the text, since no user interface shows grounding metadata.
    * A stream that ends without its last event is a `STREAM_CUT` error, not silence.
    """

    use_interactions_api: bool = True
    _extra: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def supported_models(cls) -> list[str]:
        """Only by prefix: `interactions:gemini-3.8-flash` (ADK's `class:model` notation), never a bare name."""
        return ["interactions:.*"]

    @property
    def api_client(self) -> Client:
        """The application's client, with this request's extra arguments bound to `interactions.create`."""
        client = backend.client()
        return _Bound(client, self._extra) if self._extra else client  # type: ignore[return-value]

    @property
    def capabilities(self) -> LlmCapabilities:
        """Schema and tools go together, on both backends: no `set_model_response` tool."""
        return LlmCapabilities(output_schema_and_tools=True)

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """Yields partial responses if `stream`, then exactly one whole response (or function calls, or an error)."""
        schema = response_schema(llm_request.config)
        if schema is None:
            async for response in self._answer(llm_request, stream):
                yield response
            return
        model = self.model_copy()
        model._extra = {"response_format": [{"type": "text", "mime_type": "application/json", "schema": schema}]}
        problem = ""
        for _ in range(2):
            async for response in model._answer(llm_request, stream):
                if response.partial:
                    yield response
            problem = schema_problem(llm_request.config, response)
            if not problem:
                yield response
                return
            llm_request = _repair(llm_request, response, problem)
        response.error_code, response.error_message, response.content = "INVALID_OUTPUT", problem, None
        yield response

    async def _answer(self, request: LlmRequest, stream: bool) -> AsyncGenerator[LlmResponse, None]:
        whole = None
        async for response in super().generate_content_async(request, stream=True):
            if not response.partial:
                whole = response
            elif stream:
                yield response
        if whole is None:
            whole = LlmResponse(
                error_code="STREAM_CUT", error_message="the answer's stream ended before the answer did"
            )
        if whole.content:
            whole.content.parts = joined(whole.content.parts or [])
        yield with_sources(whole)


class _Bound:
    """A client look-alike whose `aio.interactions.create` gets extra keyword arguments."""

    def __init__(self, target: Any, extra: dict[str, Any]) -> None:
        self._target, self._extra = target, extra

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if name in ("aio", "interactions"):
            return _Bound(value, self._extra)
        return functools.partial(value, **self._extra) if name == "create" else value


def with_sources(response: LlmResponse) -> LlmResponse:
    """Puts a numbered mark behind each cited passage and the list of sources at the end.

    An answer is cited exactly as a report is; one without citations stays as it is.
    """
    parts = (response.content.parts if response.content else None) or []
    spoken = [part for part in parts if part.text and not part.thought]
    citations = _citations(response.grounding_metadata)
    if len(spoken) != 1 or not citations or response.content is None:
        return response
    text, sources = cite(spoken[0].text or "", citations)
    answer = types.Part(text=f"{text}\n\n**Sources**\n\n{source_list(sources)}")
    cited = [answer if part is spoken[0] else part for part in parts]
    return response.model_copy(update={"content": types.Content(role=response.content.role, parts=cited)})


def _citations(grounding: types.GroundingMetadata | None) -> list[Citation]:
    """The `url_citation`s that ADK made the grounding from; offsets count UTF-8 bytes in both."""
    chunks = (grounding.grounding_chunks if grounding else None) or []
    return [
        Citation(web.title or web.uri, web.uri, support.segment.end_index if support.segment else None)
        for support in (grounding.grounding_supports if grounding else None) or []
        for index in support.grounding_chunk_indices or []
        if index < len(chunks) and (web := chunks[index].web) and web.uri
    ]


def response_schema(config: types.GenerateContentConfig) -> dict[str, Any] | None:
    """The JSON schema that ADK set from an agent's `output_schema`, or none."""
    if config.response_json_schema:
        return config.response_json_schema  # type: ignore[no-any-return]
    schema = config.response_schema
    if schema is None or isinstance(schema, dict):
        return schema
    if isinstance(schema, types.Schema):
        return schema.json_schema.model_dump(mode="json", exclude_none=True)
    kind: Any = schema
    return TypeAdapter(kind).json_schema()


def schema_problem(config: types.GenerateContentConfig, response: LlmResponse) -> str:
    """What is wrong with a structured answer; empty if nothing is, or if it is not an answer at all."""
    parts = (response.content.parts if response.content else None) or []
    if response.error_code or any(part.function_call for part in parts):
        return ""
    schema: Any = config.response_schema
    kind = dict if schema is None or isinstance(schema, (dict, types.Schema)) else schema
    try:
        TypeAdapter(kind).validate_json("".join(p.text for p in parts if p.text and not p.thought))
    except ValidationError as error:
        return "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in error.errors(include_url=False)
        )
    return ""


def _repair(request: LlmRequest, response: LlmResponse, problem: str) -> LlmRequest:
    """The question that follows an invalid answer, on the same chain."""
    text = f"That answer does not match the required schema ({problem}). Answer again, with the JSON only."
    return request.model_copy(
        update={
            "previous_interaction_id": response.interaction_id,
            "contents": [types.Content(role="user", parts=[types.Part(text=text)])],
        }
    )


def joined(parts: list[types.Part]) -> list[types.Part]:
    """Neighbouring plain text parts as one: ADK 2.13 leaves one part per delta (`interactions_utils.py:930`)."""
    result: list[types.Part] = []
    for part in parts:
        if result and _plain(part) and _plain(result[-1]):
            result[-1] = types.Part(text=f"{result[-1].text}{part.text}")
        else:
            result.append(part)
    return result


def _plain(part: types.Part) -> bool:
    return part.model_fields_set <= {"text"} or set(part.model_dump(exclude_none=True)) == {"text"}


LLMRegistry.register(InteractionsLlm)
