"""Gemini over the Interactions API, as the agents use it: `model: interactions:<name>` in YAML."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from google.adk.models import Gemini, LlmCapabilities, LLMRegistry, LlmRequest, LlmResponse
from google.genai import Client, types
from pydantic import PrivateAttr, TypeAdapter, ValidationError

from tools import backend
from tools.citations import Citation, cite, read_citations, source_list


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
    _tap: Tap | None = PrivateAttr(default=None)

    @classmethod
    def supported_models(cls) -> list[str]:
        """Only by prefix: `interactions:gemini-3.8-flash` (ADK's `class:model` notation), never a bare name."""
        return ["interactions:.*"]

    @property
    def api_client(self) -> Client:
        """The application's client; during a request, one that the request's tap listens to."""
        client = backend.client()
        return _Tapped(client, self._tap) if self._tap else client  # type: ignore[return-value]

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
            async for response in self._answer(llm_request, stream, Tap({})):
                yield response
            return
        wanted = {"response_format": [{"type": "text", "mime_type": "application/json", "schema": schema}]}
        problem = ""
        for _ in range(2):
            async for response in self._answer(llm_request, stream, Tap(wanted)):
                if response.partial:
                    yield response
            problem = schema_problem(llm_request.config, response)
            if not problem:
                yield response
                return
            llm_request = _repair(llm_request, response, problem)
        response.error_code, response.error_message, response.content = "INVALID_OUTPUT", problem, None
        yield response

    async def _answer(self, request: LlmRequest, stream: bool, tap: Tap) -> AsyncGenerator[LlmResponse, None]:
        model, whole = self.model_copy(), None
        model._tap = tap
        async for response in Gemini.generate_content_async(model, request, stream=True):
            if not response.partial:
                whole = response
            elif stream:
                yield response
        if whole is None:
            whole = LlmResponse(error_code="STREAM_CUT", error_message="the answer's stream ended before it was whole")
        if whole.content:
            whole.content.parts = joined(whole.content.parts or [])
        yield with_sources(whole, tap)


class Tap:
    """Extra arguments for one create, and what its stream said: the text of each step and its citations.

    ADK 2.13 puts the texts of all steps together and keeps each citation's offset into its own step's text
    (`interactions_utils.py:1139`), so that the place of a citation is lost when an answer has several.
    """

    def __init__(self, extra: dict[str, Any]) -> None:
        self.extra = extra
        self.texts: dict[int, str] = {}
        self.annotations: dict[int, list[dict[str, Any]]] = {}

    async def listen(self, stream: Any) -> AsyncGenerator[Any, None]:
        """Passes the events of a stream on."""
        async for event in stream:
            delta: Any = getattr(event, "delta", None)
            index: int = getattr(event, "index", None) or 0
            match getattr(delta, "type", None):
                case "text":
                    self.texts[index] = self.texts.get(index, "") + (delta.text or "")
                case "text_annotation_delta":
                    found = [a.model_dump(mode="json", exclude_none=True) for a in delta.annotations or []]
                    self.annotations.setdefault(index, []).extend(found)
            yield event

    def cited(self) -> tuple[str, list[Citation]]:
        """All that was said, a paragraph a step, and its citations."""
        text, citations = "", list[Citation]()
        for index in sorted(self.texts):
            text += "\n\n" if text else ""
            citations += read_citations(self.annotations.get(index, ()), len(text.encode()))
            text += self.texts[index]
        return text, citations


class _Tapped:
    """A client look-alike whose `aio.interactions.create` goes through a tap."""

    def __init__(self, target: Any, tap: Tap) -> None:
        self._target, self._tap = target, tap

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if name in ("aio", "interactions"):
            return _Tapped(value, self._tap)
        return self._create if name == "create" else value

    async def _create(self, **arguments: Any) -> Any:
        return self._tap.listen(await self._target.create(**arguments, **self._tap.extra))


def with_sources(response: LlmResponse, tap: Tap) -> LlmResponse:
    """Puts a numbered mark behind each cited passage and the list of sources at the end.

    An answer is cited exactly as a report is; one without citations stays as it is.
    """
    said, citations = tap.cited()
    if not citations or response.content is None:
        return response
    text, sources = cite(said, citations)
    answer = types.Part(text=f"{text}\n\n**Sources**\n\n{source_list(sources)}")
    others = [part for part in response.content.parts or [] if part.thought or not part.text]
    return response.model_copy(update={"content": types.Content(role=response.content.role, parts=[*others, answer])})


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
