"""Whatever is sent to generateContent, files, stores, agents and triggers: an answer in JSON, never a 500."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactions_emulator.generate_content.requests import SIMPLE_TOOLS
from wire.conftest import AGENT, MODEL
from wire.test_fuzz import dumped, http, json_values

__all__ = ["http"]

strings = st.text(max_size=12)
PART_FIELDS = (
    *("text", "thought", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode"),
    *("codeExecutionResult", "thoughtSignature"),
)
INNER = ("name", "id", "args", "response", "parts", "mimeType", "data", "fileUri", "code", "outcome", "output")


def some(names: Any, values: Any = json_values) -> Any:
    """Objects with some of the fields."""
    return st.dictionaries(st.sampled_from(sorted(names)), values, max_size=4)


inner = some(INNER, strings | json_values)
parts = some(PART_FIELDS, inner | strings | json_values)
contents = st.lists(
    st.fixed_dictionaries(
        {}, optional={"role": st.sampled_from(["user", "model"]) | json_values, "parts": st.lists(parts, max_size=3)}
    )
    | json_values,
    max_size=4,
)
schemas = some(["type", "properties", "items", "anyOf", "nullable", "minItems", "enum"])
declarations = st.lists(
    some(["name", "description", "parameters", "parametersJsonSchema"], schemas | strings), max_size=2
)
tools = some([*SIMPLE_TOOLS, "functionDeclarations", "fileSearch"], declarations | inner | json_values)
config = some(
    [
        *("responseSchema", "responseJsonSchema", "responseMimeType", "responseModalities", "thinkingConfig"),
        *("candidateCount", "maxOutputTokens", "stopSequences", "temperature", "seed", "imageConfig"),
    ],
    schemas | st.sampled_from(["application/json", "text/x.enum"]) | json_values,
)
bodies = st.fixed_dictionaries(
    {"contents": contents | json_values},
    optional={
        "tools": st.lists(tools, max_size=2) | json_values,
        "toolConfig": some(["functionCallingConfig"], some(["mode", "allowedFunctionNames"])) | json_values,
        "systemInstruction": some(["parts"], st.lists(parts, max_size=2)) | json_values,
        "generationConfig": config | json_values,
        "continuationToken": strings | json_values,
        "generateContentRequest": json_values,
    },
)
ids = st.sampled_from(["clerk", "a"]) | strings
FIELDS: dict[str, Any] = {
    "fileSearchStores": some(["displayName", "embeddingModel"]),
    "agents": st.fixed_dictionaries(
        {"id": ids, "base_agent": st.just(AGENT) | json_values},
        optional=dict.fromkeys(["tools", "system_instruction", "agent_config", "description"], json_values),
    ),
    "triggers": st.fixed_dictionaries(
        {
            "interaction": st.just({"agent": AGENT, "input": "tides"}) | json_values,
            "schedule": st.sampled_from(["0 9 * * *", "*/5 * 1 jan mon"]) | strings,
            "time_zone": st.sampled_from(["UTC", "Europe/Berlin"]) | strings,
        },
        optional=dict.fromkeys(
            ["display_name", "environment_id", "execution_timeout_seconds", "max_consecutive_failures"], json_values
        ),
    ),
}


def check(answer: httpx2.Response) -> Any:
    """A success, or a refusal that says why."""
    if answer.status_code != 200:
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["error"]["message"]
    return answer.json()


@given(body=bodies | json_values, method=st.sampled_from(["generateContent", "streamGenerateContent", "countTokens"]))
def test_any_generate_request_is_answered_or_refused(http: httpx2.Client, body: Any, method: str) -> None:
    answer = check(http.post(f"/v1beta/models/{MODEL}:{method}", content=dumped(body)))
    assert not isinstance(answer, list) or "error" not in answer[-1]


@given(data=st.data(), collection=st.sampled_from(sorted(FIELDS)))
def test_any_resource_is_created_or_refused_and_can_be_listed(
    http: httpx2.Client, data: st.DataObject, collection: str
) -> None:
    body = data.draw(FIELDS[collection] | json_values)
    check(http.post(f"/v1beta/{collection}", content=dumped(body)))
    assert http.get(f"/v1beta/{collection}").status_code == 200


COMMANDS = st.sampled_from(["start", "upload", "upload, finalize", "finalize", "query", "cancel", ""]) | strings


@given(
    commands=st.lists(st.tuples(COMMANDS, st.sampled_from(["0", "3", ""]), st.binary(max_size=6)), max_size=4),
    metadata=some(["file"], some(["name", "displayName", "mimeType"])) | json_values,
    target=st.sampled_from(["files", "fileSearchStores/none:uploadToFileSearchStore"]),
)
def test_any_upload_is_answered_or_refused(
    http: httpx2.Client, commands: list[tuple[str, str, bytes]], metadata: Any, target: str
) -> None:
    url = f"/upload/v1beta/{target}"
    start = {"x-goog-upload-command": "start"}
    whole = http.post(url, headers=start, content=dumped(metadata))
    if address := whole.headers.get("x-goog-upload-url"):
        check(http.post(address, headers={"x-goog-upload-command": "upload, finalize"}, content=b"x"))
    started = http.post(url, headers=start, content=dumped(metadata))
    check(started)
    url = started.headers.get("x-goog-upload-url", url)
    for command, offset, data in commands:
        sent = command.strip().encode(errors="ignore")  # the client itself refuses spaces around a value
        headers = {"x-goog-upload-command": sent, "x-goog-upload-offset": offset.encode()}
        if all(32 <= byte < 127 for byte in sent):
            check(http.post(url, headers=headers, content=data))


@given(
    body=some(
        ["fileName", "customMetadata", "displayName"],
        st.lists(some(["key", "stringValue", "numericValue"])) | json_values,
    )
)
def test_any_import_into_a_store_is_answered_or_refused(
    http: httpx2.Client, body: Any, store: str, uploaded: str
) -> None:
    for given_body in body, {**body, "fileName": uploaded}:
        check(http.post(f"/v1beta/{store}:importFile", content=dumped(given_body)))


@pytest.fixture(scope="module")
def store(http: httpx2.Client) -> str:
    return str(http.post("/v1beta/fileSearchStores", json={}).json()["name"])


@pytest.fixture(scope="module")
def uploaded(http: httpx2.Client) -> str:
    answer = http.post("/upload/v1beta/files", headers={"content-type": "text/plain"}, content=b"hello")
    return str(answer.json()["file"]["name"])


@given(
    search=some(["file_search_store_names", "top_k", "metadata_filter"], json_values | st.lists(strings)), text=strings
)
def test_any_file_search_is_answered_or_refused(http: httpx2.Client, search: Any, text: str, store: str) -> None:
    named = {"file_search_store_names": [store], "metadata_filter": text}
    for tool in search, search | named:
        body = {"model": MODEL, "input": "hello", "tools": [{"type": "file_search"} | tool]}
        check(http.post("/v1beta/interactions", content=dumped(body)))
