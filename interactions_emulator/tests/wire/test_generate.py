"""generateContent and its stream: the older protocol, over the unmodified SDK and bare HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Ending, Step, TimedStep, Turn
from wire.brains import EVERY_STEP, PIXEL, REPORT, said
from wire.conftest import MODEL, Wire
from wire.test_webhooks import Listener, listener, register

__all__ = ["listener"]  # a fixture

Json = dict[str, Any]
GENERATE = f"/models/{MODEL}:generateContent"
STREAM = f"/models/{MODEL}:streamGenerateContent"


def user(*parts: Json) -> Json:
    return {"role": "user", "parts": list(parts)}


def text(value: str) -> Json:
    return {"text": value}


def model(*parts: Json) -> Json:
    return {"role": "model", "parts": list(parts)}


def asking(value: str, **more: Any) -> Json:
    return {"contents": [user(text(value))], **more}


def parts_of(answer: httpx2.Response) -> list[Json]:
    assert answer.status_code == 200, answer.text
    (candidate,) = answer.json()["candidates"]
    assert candidate["content"]["role"] == "model"
    return list(candidate["content"]["parts"])


def refused(answer: httpx2.Response, status: int) -> str:
    """The message of an error, in the form that this protocol has."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == status and error["status"].isupper()
    return str(error["message"])


@pytest.fixture
def sdk(api: Emulator) -> Iterator[genai.Client]:
    with genai.Client(api_key="a key", http_options={"base_url": api.url}) as client:
        yield client


@pytest.fixture
def turns() -> list[Turn]:
    """What the brain of `echoing` was asked."""
    return []


@pytest.fixture
def echoing(turns: list[Turn]) -> Iterator[Wire]:
    def brain(turn: Turn) -> list[TimedStep]:
        turns.append(turn)
        return [TimedStep(0, said("yes"))]

    with Emulator(brain=brain) as api, Wire(api.url).http as http:
        wire = Wire(api.url)
        wire.http.close()
        wire.http = http
        yield wire


def test_an_answer_has_all_fields_of_a_response(api: Emulator, sdk: genai.Client) -> None:
    answer = sdk.models.generate_content(model=MODEL, contents="hello")
    assert (answer.text, answer.model_version) == ("You said: hello", MODEL)
    assert answer.candidates and answer.candidates[0].finish_reason == types.FinishReason.STOP
    usage = answer.usage_metadata
    assert usage and (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (2, 4, 6)
    request = api.log()["requests"][0]
    assert (request["kind"], request["status"], request["interaction_id"]) == ("generate", 200, answer.response_id)
    assert api.interactions() == []  # nothing is stored


def test_function_calls_have_ids_and_their_results_are_matched_by_id_or_name(echoing: Wire, turns: list[Turn]) -> None:
    calls = [{"name": "look", "args": {"n": 1}}, {"id": "b", "name": "look", "args": {"n": 2}}, {"name": "see"}]
    results = [
        {"name": "see", "response": {"r": 3}},
        {"id": "b", "name": "look", "response": {"r": 2}},
        {"name": "look", "response": {"r": 1}},
    ]
    contents = [user(text("go")), model(*({"functionCall": call} for call in calls))]
    contents.append(user(*({"functionResponse": result} for result in results)))
    parts_of(echoing.http.post(GENERATE, json={"contents": contents}))
    steps = turns[0].steps
    ids = {step["arguments"].get("n", 3): step["id"] for step in steps if step["type"] == "function_call"}
    answers = {step["result"]["r"]: step["call_id"] for step in steps if step["type"] == "function_result"}
    assert ids == answers and ids[2] == "b" and len(set(ids.values())) == 3


def test_the_first_call_of_an_answer_has_a_signature_that_may_come_back(
    wire: Wire, echoing: Wire, turns: list[Turn]
) -> None:
    question = user(text("weather in Rome and Oslo"))
    parts = parts_of(wire.http.post(GENERATE, json={"contents": [question]}))
    assert [bool(part.get("thoughtSignature")) for part in parts] == [True, False]
    results = [{"functionResponse": {"name": "weather", "response": {"is": "sun"}}}] * 2
    parts_of(echoing.http.post(GENERATE, json={"contents": [question, model(*parts), user(*results)]}))
    calls = [step for step in turns[0].steps if step["type"] == "function_call"]
    assert [call.get("signature") for call in calls] == [parts[0]["thoughtSignature"], None]


def test_tools_and_settings_reach_the_brain_in_the_form_of_interactions(echoing: Wire, turns: list[Turn]) -> None:
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True, "minLength": "1"}}}
    plain = {"type": "object", "properties": {"a": {"type": ["string", "null"], "minLength": 1}}}
    functions = [{"name": "f", "description": "F", "parameters": schema}, {"name": "g", "parametersJsonSchema": plain}]
    body = asking(
        "go",
        tools=[
            {"functionDeclarations": functions},
            {"googleSearch": {}, "code_execution": {}},
            {"urlContext": {}},
        ],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        systemInstruction={"parts": [text("Be"), text("brief")]},
        generationConfig={
            "maxOutputTokens": 9,
            "thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True},
            "responseMimeType": "application/json",
            "responseSchema": schema,
        },
    )
    parts_of(echoing.http.post(GENERATE, json=body))
    turn = turns[0]
    assert turn.system_instruction == "Be\nbrief"
    assert [tool["type"] for tool in turn.tools] == [
        *["function"] * 2,
        "google_search",
        "code_execution",
        "url_context",
    ]
    assert turn.tools[0] == {"type": "function", "name": "f", "description": "F", "parameters": plain}
    assert turn.tools[1]["parameters"] == turn.response_schema == plain
    config = turn.generation_config
    assert config["tool_choice"] == {"allowed_tools": {"mode": "any", "tools": ["f"]}}
    assert (config["max_output_tokens"], config["thinking_level"], config["thinking_summaries"]) == (9, "high", "auto")


def test_media_in_either_alphabet_of_base64_become_contents(echoing: Wire, turns: list[Turn]) -> None:
    raw = b"\xfb\xff\xfe?"
    data = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    parts = [{"inlineData": {"mimeType": kind, "data": data}} for kind in ("image/png", "text/plain", "audio/wav")]
    parts.append({"fileData": {"fileUri": "https://www.youtube.com/watch?v=x", "mimeType": "video/mp4"}})
    parts_of(echoing.http.post(GENERATE, json={"contents": [user(*parts, text("what?"))]}))
    contents = turns[0].steps[0]["content"]
    assert [content["type"] for content in contents] == ["image", "document", "audio", "video", "text"]
    assert base64.b64decode(contents[0]["data"]) == raw
    assert contents[3]["uri"].endswith("watch?v=x")


def test_citations_are_exact_to_the_byte_in_the_answer_and_in_its_stream(wire: Wire) -> None:
    tide = {"web": {"uri": "https://example.org/moon", "title": "Moon"}}
    answer = wire.http.post(GENERATE, json=asking("every step")).json()["candidates"][0]
    grounding, parts = answer["groundingMetadata"], answer["content"]["parts"]
    assert grounding["webSearchQueries"] == ["tides"]
    assert grounding["searchEntryPoint"] == {"renderedContent": "<div/>"}
    assert grounding["groundingChunks"] == [tide]
    (support,) = grounding["groundingSupports"]
    segment = support["segment"]
    cited = parts[segment.get("partIndex", 0)]["text"].encode()[segment["startIndex"] : segment["endIndex"]].decode()
    assert cited == segment["text"] == REPORT.encode()[14:37].decode()
    assert support["groundingChunkIndices"] == [0]
    chunks = wire.http.post(STREAM, json=asking("every step")).json()
    whole = "".join(part.get("text", "") for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"])
    streamed = chunks[-1]["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"]
    assert whole.encode()[streamed["startIndex"] : streamed["endIndex"]].decode() == segment["text"]


def test_positions_of_later_texts_name_their_part_and_in_a_stream_count_from_the_first() -> None:
    def cited(value: str) -> Step:
        place = {"start_index": 0, "end_index": len(value.encode())}
        citation = {"type": "url_citation", "url": "https://example.org/a", "title": "A"} | place
        return {"type": "model_output", "content": [{"type": "text", "text": value, "annotations": [citation]}]}

    with Emulator(brain=lambda turn: [TimedStep(0, cited("größer")), TimedStep(0, cited("kleiner"))]) as api:
        wire = Wire(api.url)
        first, second = wire.http.post(GENERATE, json=asking("x")).json()["candidates"][0]["groundingMetadata"][
            "groundingSupports"
        ]
        assert first["segment"] == {"endIndex": 8, "text": "größer"}  # zeros are left out
        assert second["segment"] == {"partIndex": 1, "endIndex": 7, "text": "kleiner"}
        assert second["groundingChunkIndices"] == [0]  # the same source
        last = wire.http.post(STREAM, json=asking("x")).json()[-1]["candidates"][0]
        assert last["groundingMetadata"]["groundingSupports"][1]["segment"] == {
            "startIndex": 8,
            "endIndex": 15,
            "text": "kleiner",
        }


def test_every_kind_of_step_becomes_a_part_and_thoughts_only_on_request(wire: Wire, sdk: genai.Client) -> None:
    thinking = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    silent, loud = (parts_of(wire.http.post(GENERATE, json=asking("every step", **more))) for more in ({}, thinking))
    kinds = [next(key for key in part if key not in ("thought", "thoughtSignature")) for part in silent]
    assert kinds == ["text", "inlineData", "executableCode", "codeExecutionResult", "functionCall"]
    assert silent[0]["thoughtSignature"] == "c2ln"  # of the thought before it
    assert silent[1]["inlineData"] == {"mimeType": "image/png", "data": PIXEL}
    assert silent[4]["functionCall"] == {"id": "fc", "name": "look", "args": EVERY_STEP[-1]["arguments"]}
    assert loud == [{"text": "**Plan**", "thought": True}, *silent]
    answer = sdk.models.generate_content(model=MODEL, contents="every step")
    assert answer.candidates and answer.candidates[0].url_context_metadata
    (address,) = answer.candidates[0].url_context_metadata.url_metadata or []
    assert address.url_retrieval_status == types.UrlRetrievalStatus.URL_RETRIEVAL_STATUS_SUCCESS
    streamed = list(sdk.models.generate_content_stream(model=MODEL, contents="every step"))
    calls = [call.name for chunk in streamed for call in chunk.function_calls or []]
    assert calls == ["look"]


def test_a_stream_is_events_or_one_json_array(wire: Wire) -> None:
    events = wire.http.post(f"{STREAM}?alt=sse", json=asking("hello"))
    assert events.headers["content-type"].startswith("text/event-stream")
    frames = events.text.removesuffix("\r\n\r\n").split("\r\n\r\n")
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    array = wire.http.post(STREAM, json=asking("hello"))
    assert array.headers["content-type"] == "application/json"

    def contents(chunks: list[Json]) -> list[Json]:
        return [chunk["candidates"][0]["content"] for chunk in chunks]

    assert contents(chunks) == contents(array.json())


@pytest.mark.parametrize(("status", "reason"), [("incomplete", "MAX_TOKENS"), ("cancelled", "OTHER")])
def test_an_answer_that_ends_early_says_why(status: str, reason: str) -> None:
    with Emulator(brain=lambda turn: [TimedStep(0, said("so far")), Ending(status)]) as api:
        assert Wire(api.url).http.post(GENERATE, json=asking("x")).json()["candidates"][0]["finishReason"] == reason


def test_a_failure_of_the_brain_is_an_error_also_within_a_stream(wire: Wire, sdk: genai.Client) -> None:
    assert "no idea" in refused(wire.http.post(GENERATE, json=asking("break")), 500)
    last = wire.http.post(STREAM, json=asking("break")).json()[-1]
    assert "no idea" in last["error"]["message"] and last["error"]["status"] == "INTERNAL"
    with pytest.raises(errors.ServerError, match="no idea"):
        list(sdk.models.generate_content_stream(model=MODEL, contents="break"))


def test_tokens_are_counted_as_the_answer_counts_them(wire: Wire, sdk: genai.Client) -> None:
    body = asking("hello", systemInstruction=user(text("Be brief.")), tools=[{"functionDeclarations": [{"name": "f"}]}])
    counted = wire.http.post(f"/models/{MODEL}:countTokens", json={"generateContentRequest": body}).json()
    used = wire.http.post(GENERATE, json=body).json()["usageMetadata"]
    assert counted == {"totalTokens": used["promptTokenCount"], "promptTokensDetails": used["promptTokensDetails"]}
    assert sdk.models.count_tokens(model=MODEL, contents="hello").total_tokens == 2


@pytest.mark.parametrize(
    "prefix", ["/v1", "/v1beta1/projects/p/locations/global/publishers/google", "/v1/publishers/google"]
)
def test_any_version_and_the_paths_of_vertex_are_served(api: Emulator, prefix: str) -> None:
    answer = httpx2.post(f"{api.url}{prefix}{GENERATE}?key=any", json=asking("hello"))
    assert parts_of(answer) == [text("You said: hello")]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "contents is missing"),
        ({"contents": "hello"}, "contents is a list"),
        ({"contents": [{"role": "assistant", "parts": [text("x")]}]}, "contents[0].role is user or model"),
        ({"contents": [user()]}, "contents[0].parts is missing"),
        ({"contents": [user({})]}, "contents[0].parts[0] has none of text"),
        ({"contents": [user({"inlineData": {"data": "eA=="}})]}, "inlineData needs data (base64) and a mimeType"),
        ({"contents": [model({"functionCall": {}})]}, "contents has no text"),
        ({"contents": [model({"functionCall": {"args": {}}})]}, "functionCall.name is missing"),
        ({"contents": [model({"functionCall": {"name": "f"}})]}, "without a functionResponse: f (call_1)"),
        ({"contents": [user({"functionResponse": {"name": "f"}})]}, "no functionCall with the name 'f'"),
        (asking("x", tools=[{"telepathy": {}}]), "tools: 'telepathy' is unknown"),
        (asking("x", tools=[{"functionDeclarations": [{}]}]), "a function needs a name"),
        (asking("x", toolConfig={"functionCallingConfig": {"mode": "MAYBE"}}), "mode is one of AUTO"),
        (asking("x", toolConfig={"functionCallingConfig": {"mode": []}}), "mode is one of AUTO"),
        (asking("x", generationConfig={"candidateCount": 2}), "one candidate"),
        (asking("x", generationConfig=[]), "generationConfig is an object"),
        (asking("x", continuationToken="x"), "continuationToken"),
        (asking("x", continuationToken="aGVsbG8="), "continuation_token 'hello' is not one"),
        (
            asking("x", generationConfig={"responseMimeType": "application/json", "responseSchema": 1}),
            "a schema is an object",
        ),
    ],
)
def test_an_invalid_request_is_refused_with_the_reason(wire: Wire, body: Json, why: str) -> None:
    assert why in refused(wire.http.post(GENERATE, json=body), 400)


def test_a_request_without_a_key_or_with_another_method_is_refused(api: Emulator, wire: Wire) -> None:
    assert "No API key" in refused(httpx2.post(f"{api.url}/v1beta{GENERATE}", json=asking("x")), 401)
    assert "use POST" in refused(wire.http.get(GENERATE), 405)


def test_faults_hit_generate_requests(api: Emulator, wire: Wire, sdk: genai.Client) -> None:
    api.faults({"on": "generate", "status": 503, "times": 2})
    for path in (GENERATE, STREAM):
        assert "Injected fault" in refused(wire.http.post(path, json=asking("x")), 503)
    api.faults({"on": "generate_stream", "cut_after": 1})
    assert parts_of(wire.http.post(GENERATE, json=asking("x")))  # the fault is for streams
    with pytest.raises(httpx2.RemoteProtocolError):
        wire.http.post(STREAM, json=asking("x"))
    api.faults({"on": "generate_stream", "no_usage": True})
    assert not any("usageMetadata" in chunk for chunk in wire.http.post(STREAM, json=asking("x")).json())
    fault = {"x-emulator-fault": '{"end_after": 2}'}
    events = f"{STREAM}?alt=sse"
    assert wire.http.post(events, json=asking("hello"), headers=fault).text.count("data: ") == 2
    assert wire.http.post(events, json=asking("hello")).text.count("data: ") > 2


def test_virtual_time_passes_before_an_answer(held: Emulator, wire: Wire) -> None:
    request = wire.http.build_request("POST", STREAM, json=asking("slowly"))
    answer = wire.http.send(request, stream=True)  # the stream has begun, without a chunk
    held.advance(60)
    chunks = json.loads(answer.read())
    assert "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks) == "Slow and steady."


def test_webhooks_are_not_told_of_generate_requests(api: Emulator, wire: Wire, listener: Listener) -> None:
    register(wire, listener.url, "interaction.completed")
    parts_of(wire.http.post(GENERATE, json=asking("hello")))
    run = wire.create({"model": MODEL, "input": "hello"})["id"]
    assert json.loads(listener.hear()[1])["data"] == {"id": run}
