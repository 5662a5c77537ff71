"""File-search stores over the unmodified SDK, and the tool that searches them."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Entry, TextDelta, TimedStep, Turn
from interactions_emulator.corpus.index import Corpus
from interactions_emulator.file_search import document_text
from interactions_emulator.file_search.stores import INDEXING_S
from interactions_emulator.limits import FileLimits, ServerLimits
from wire.conftest import AGENT, KEY, MODEL, Wire
from wire.test_files import upload
from wire.test_generate import GENERATE, asking, refused

KEEPER = "The keeper of the lighthouse at Skagen is called Ingrid Holm."
LAMP = "The größte Lampe of the lighthouse weighs two tons."
BOOK = f"# Lighthouses\n\n{KEEPER} She lights the lamp at nine.\n\n{LAMP}\n"
OTHER = "# Harbours\n\nThe master of the harbour at Skagen is called Jens Berg and he owns three boats.\n"
QUESTION = "Who is the keeper of the lighthouse at Skagen?"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The documents that web searches find."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "tides.md").write_text("# Tides\n\nThe moon pulls the water of the sea twice a day.\n")
    return folder


@pytest.fixture
def api(library: Path) -> Iterator[Emulator]:
    with Emulator(corpus=library) as api:
        yield api


@pytest.fixture
def sdk(api: Emulator) -> Iterator[genai.Client]:
    with genai.Client(api_key="a key", http_options={"base_url": api.url}) as client:
        yield client


def add(sdk: genai.Client, store: str, text: str, name: str = "book.md", **config: Any) -> Any:
    data = io.BytesIO(text.encode())
    settings: Any = {"mime_type": "text/markdown", "display_name": name, **config}
    return sdk.file_search_stores.upload_to_file_search_store(file=data, file_search_store_name=store, config=settings)


@pytest.fixture
def store(sdk: genai.Client) -> str:
    """The name of a store with one document."""
    name = sdk.file_search_stores.create(config={"display_name": "My books"}).name or ""
    add(sdk, name, BOOK)
    return name


def tool(*stores: str, **more: Any) -> dict[str, Any]:
    return {"type": "file_search", "file_search_store_names": list(stores), **more}


def test_the_sdk_creates_lists_and_deletes_stores_and_documents(sdk: genai.Client, store: str) -> None:
    stores = sdk.file_search_stores
    assert store.startswith("fileSearchStores/my-books-")
    shown = stores.get(name=store)
    assert (shown.display_name, shown.active_documents_count, shown.size_bytes) == ("My books", 1, len(BOOK.encode()))
    second = stores.create().name
    assert [one.name for one in stores.list(config={"page_size": 1})] == [store, second]
    metadata = [{"key": "year", "numeric_value": 1858}, {"key": "tags", "string_list_value": {"values": ["sea"]}}]
    operation = add(sdk, store, OTHER, "harbour.md", custom_metadata=metadata)
    assert operation.done and operation.response and operation.response.parent == store
    document = stores.documents.get(name=operation.response.document_name or "")
    assert (document.display_name, document.state) == ("harbour.md", types.DocumentState.STATE_ACTIVE)
    assert [entry.key for entry in document.custom_metadata or []] == ["year", "tags"]
    assert [one.display_name for one in stores.documents.list(parent=store)] == ["book.md", "harbour.md"]
    with pytest.raises(errors.ClientError, match="non-empty Document"):
        stores.documents.delete(name=document.name or "")
    stores.documents.delete(name=document.name or "", config={"force": True})
    assert [one.display_name for one in stores.documents.list(parent=store)] == ["book.md"]
    with pytest.raises(errors.ClientError, match="non-empty FileSearchStore"):
        stores.delete(name=store)
    stores.delete(name=store, config={"force": True})
    with pytest.raises(errors.ClientError, match=f"{store} was not found"):
        stores.get(name=store)


def test_an_uploaded_file_is_imported_into_a_store(api: Emulator, sdk: genai.Client) -> None:
    store = sdk.file_search_stores.create().name or ""
    with httpx2.Client(base_url=api.url, headers=KEY) as http:
        file = upload(http, BOOK.encode(), "text/markdown", displayName="book.md")
    operation = sdk.file_search_stores.import_file(file_search_store_name=store, file_name=file["name"])
    assert sdk.operations.get(operation).done
    sdk.files.delete(name=file["name"])  # the document stays
    assert KEEPER in (answered(sdk, store).text or "")
    with pytest.raises(errors.ClientError, match="may not exist"):
        sdk.file_search_stores.import_file(file_search_store_name=store, file_name="files/nothing")


def answered(sdk: genai.Client, store: str, question: str = QUESTION, **search: Any) -> types.GenerateContentResponse:
    tools: Any = [{"file_search": {"file_search_store_names": [store], **search}}]
    return sdk.models.generate_content(model=MODEL, contents=question, config={"tools": tools})


def test_file_search_answers_with_call_and_result_steps_and_exact_citations(api: Emulator, store: str) -> None:
    body = {"model": MODEL, "input": "How much does the größte Lampe of the lighthouse weigh?", "tools": [tool(store)]}
    with Wire(api.url).http as http:
        wire = Wire(api.url)
        wire.http = http
        answer = wire.create(body)
        call, result, output = answer["steps"]
        assert (call["type"], result["type"]) == ("file_search_call", "file_search_result")
        assert result["call_id"] == call["id"] and set(result) <= {"type", "call_id", "signature"}
        (content,) = output["content"]
        (citation,) = content["annotations"]
        cited = content["text"].encode()[citation["start_index"] : citation["end_index"]].decode()
        assert cited == LAMP
        assert citation["file_name"] == "book.md" and citation["document_uri"].startswith(f"{store}/documents/")
        assert cited in citation["source"]
        kinds = [event["event_type"] for event in wire.stream(body)]
        assert kinds.count("step.stop") == 3


def test_generate_content_has_the_documents_as_retrieved_contexts(sdk: genai.Client, store: str) -> None:
    answer = answered(sdk, store)
    assert answer.text and KEEPER in answer.text
    assert answer.candidates and answer.candidates[0].grounding_metadata
    (chunk,) = answer.candidates[0].grounding_metadata.grounding_chunks or []
    context = chunk.retrieved_context
    assert context and (context.title, context.file_search_store) == ("book.md", store)
    assert context.text and KEEPER in context.text


def test_only_documents_that_fit_the_metadata_filter_are_searched(sdk: genai.Client, store: str) -> None:
    years = [{"key": "year", "numeric_value": 1858}, {"key": "author", "string_value": "Ada Berg"}]
    add(sdk, store, OTHER, "harbour.md", custom_metadata=years)
    question = "Who is the master of the harbour at Skagen?"

    def found(text: str) -> bool:
        return "Jens Berg" in (answered(sdk, store, question, metadata_filter=text).text or "")

    assert found("year >= 1858") and found('author = "Ada Berg" AND year < 1900') and found("year = 1 OR year = 1858")
    assert found('author = "Ada AND Bob" OR author = "Ada Berg"')
    assert not found("year > 1858") and not found('author != "Ada Berg"') and not found("unknown = 1")
    assert not found("author = Ada AND year = 1858 OR year = 1")
    with pytest.raises(errors.ClientError, match=r"year is old.*cannot be read"):
        found("year is old")


def test_top_k_limits_the_passages_that_are_read(sdk: genai.Client, store: str) -> None:
    add(sdk, store, "# Lamps\n\nThe lighthouse at Skagen burns oil in a lamp of brass and of copper.\n", "lamp.md")

    def cited(**search: Any) -> int:
        answer = answered(sdk, store, "Tell me about the lighthouse at Skagen", **search)
        assert answer.candidates and answer.candidates[0].grounding_metadata
        return len(answer.candidates[0].grounding_metadata.grounding_chunks or [])

    assert cited() == 2 and cited(top_k=1) == 1


def test_with_web_search_too_the_web_answers_what_the_store_does_not(api: Emulator, store: str) -> None:
    wire = Wire(api.url)
    tools = [{"type": "google_search"}, tool(store)]

    def ask(question: str) -> tuple[list[str], str]:
        steps = wire.create({"model": MODEL, "input": question, "tools": tools})["steps"]
        return [step["type"] for step in steps], steps[-1]["content"][0]["annotations"][0]["type"]

    assert ask(QUESTION) == (["file_search_call", "file_search_result", "model_output"], "file_citation")
    kinds, cited = ask("What pulls the water of the sea?")
    assert kinds == [f"{where}_search_{what}" for where in ("file", "google") for what in ("call", "result")] + [
        "model_output"
    ]
    assert cited == "url_citation"
    assert wire.create({"model": MODEL, "input": "Hello!", "tools": tools})["steps"][0]["type"] == "model_output"


@pytest.mark.parametrize("web", [False, True])
def test_deep_research_reads_the_store(api: Emulator, store: str, web: bool) -> None:
    wire = Wire(api.url)
    tools = [tool(store), *([{"type": "google_search"}] if web else [])]
    body = {"agent": AGENT, "background": True, "input": "The keeper of the lighthouse at Skagen", "tools": tools}
    run = wire.create(body)["id"]
    for _ in wire.resume(run):  # until it has ended
        pass
    done = wire.get(run)
    text = "".join(content.get("text", "") for step in done["steps"] for content in step.get("content", ()))
    assert done["status"] == "completed" and KEEPER in text
    kinds = {step["type"] for step in done["steps"]}
    assert "file_search_call" in kinds and ("google_search_call" in kinds) is web


def test_a_document_is_indexed_in_virtual_time(library: Path) -> None:
    with Emulator(corpus=library, speed=0) as api, genai.Client(api_key="k", http_options={"base_url": api.url}) as sdk:
        store = sdk.file_search_stores.create().name or ""
        operation = add(sdk, store, BOOK)
        assert not operation.done and not sdk.operations.get(operation).done
        assert sdk.file_search_stores.get(name=store).pending_documents_count == 1
        assert KEEPER not in (answered(sdk, store).text or "")
        api.advance(INDEXING_S)
        assert sdk.operations.get(operation).done
        assert KEEPER in (answered(sdk, store).text or "")


def test_a_document_that_cannot_be_read_fails_its_operation(sdk: genai.Client, store: str) -> None:
    operation = add(sdk, store, "%PDF-broken", "broken.pdf", mime_type="application/pdf")
    assert operation.done and operation.error and "broken.pdf cannot be read" in operation.error["message"]
    assert "is not supported" in add(sdk, store, "x", "a.bin", mime_type="image/png").error["message"]
    assert sdk.file_search_stores.get(name=store).failed_documents_count == 2
    assert KEEPER in (answered(sdk, store).text or "")


def test_other_requests_are_answered_while_a_document_is_read(
    api: Emulator, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, read = threading.Event(), threading.Event()

    def slow(data: bytes, mime_type: str, name: str) -> document_text.Readable:
        reads.set()
        read.wait()
        return document_text.Readable(data.decode(), "plain")

    monkeypatch.setattr(document_text, "read_document", slow)
    url = f"/upload/v1beta/{store}:uploadToFileSearchStore"
    with httpx2.Client(base_url=api.url, headers=KEY) as http, ThreadPoolExecutor() as pool:
        uploading = pool.submit(http.post, url, content=KEEPER.encode(), headers={"content-type": "text/plain"})
        reads.wait()
        try:
            assert "activeDocumentsCount" in http.get(f"/v1beta/{store}", timeout=10).json()
        finally:
            read.set()
        assert uploading.result().json()["done"]


def test_stores_and_documents_survive_a_restart(tmp_path: Path, library: Path) -> None:
    with Emulator(corpus=library, state=tmp_path / "state.db") as api:
        with genai.Client(api_key="k", http_options={"base_url": api.url}) as sdk:
            store = sdk.file_search_stores.create(config={"display_name": "kept"}).name or ""
            add(sdk, store, BOOK)
            before = sdk.file_search_stores.get(name=store)
        api.restart()
        with genai.Client(api_key="k", http_options={"base_url": api.url}) as sdk:
            assert sdk.file_search_stores.get(name=store) == before
            assert KEEPER in (answered(sdk, store).text or "")


@pytest.mark.parametrize(
    ("search", "status", "why"),
    [
        (tool(), 400, "file_search needs file_search_store_names"),
        (tool(*"abcdef"), 400, "a list of 1 to 5 stores"),
        (tool("fileSearchStores/nothing"), 404, "fileSearchStores/nothing was not found"),
        (tool("STORE", top_k=0), 400, "top_k is a number"),
        (tool("STORE", metadata_filter="year"), 400, "metadata_filter 'year' cannot be read"),
    ],
)
def test_an_invalid_file_search_is_refused(
    api: Emulator, store: str, search: dict[str, Any], status: int, why: str
) -> None:
    search["file_search_store_names"] = [name.replace("STORE", store) for name in search["file_search_store_names"]]
    wire = Wire(api.url)
    body = {"model": MODEL, "input": QUESTION, "tools": [search]}
    assert why in wire.refused(wire.http.post("/interactions", json=body), status)
    given = {key: value for key, value in search.items() if key != "type"}
    assert why in refused(wire.http.post(GENERATE, json=asking(QUESTION, tools=[{"file_search": given}])), status)


def test_invalid_stores_and_documents_are_refused(library: Path) -> None:
    limits = ServerLimits(files=FileLimits(document=10))
    with Emulator(corpus=library, limits=limits) as api, httpx2.Client(base_url=api.url, headers=KEY) as http:
        assert "displayName is a string" in refused(http.post("/v1/fileSearchStores", json={"displayName": 1}), 400)
        name = http.post("/v1/fileSearchStores", json={}).json()["name"]
        url = f"/upload/v1beta/{name}:uploadToFileSearchStore"
        plain = {"content-type": "text/plain"}
        assert "at most 10 bytes" in refused(http.post(url, content=b"x" * 11, headers=plain), 400)
        missing = url.replace(name, "fileSearchStores/nothing")
        assert "was not found" in refused(http.post(missing, content=b"x", headers=plain), 404)
        assert "fileName is missing" in refused(http.post(f"/v1beta/{name}:importFile", json={}), 400)
        file = upload(http, b"hello")["name"]
        numbers = {"key": "a", "stringListValue": {"values": [1]}}
        for entries, why in (
            ([{"key": "a"}], "each entry needs"),
            ([numbers], "each entry needs"),
            ([{}] * 21, "at most 20 entries"),
        ):
            body = {"fileName": file, "customMetadata": entries}
            assert why in refused(http.post(f"/v1beta/{name}:importFile", json=body), 400)
        assert "was not found" in refused(http.get(f"/v1beta/{name}/operations/none"), 404)
        assert "was not found" in refused(http.get(f"/v1beta/{name}/documents/none"), 404)


class Searcher:
    """A brain that searches what the server gives it, and cites it in pieces, as a model does."""

    def __init__(self, corpus: Corpus | None = None) -> None:
        self._corpus = corpus

    def with_corpus(self, corpus: Corpus) -> Searcher:
        return Searcher(corpus)

    def __call__(self, turn: Turn) -> Iterator[Entry]:
        assert self._corpus and [tool["type"] for tool in turn.tools] == ["google_search"]
        (passage,) = self._corpus.search("keeper", limit=1)
        yield TimedStep(0, {"type": "google_search_call", "id": "a", "arguments": {"queries": ["keeper"]}})
        yield TimedStep(0, {"type": "google_search_result", "call_id": "a", "result": []})
        yield TextDelta("Let me see.", "thought")
        yield TextDelta("Größe: ")
        place = {"start_index": 9, "end_index": 9 + len(KEEPER)}
        url = f"{turn.documents_url}/{passage.document_id}"
        yield TextDelta(KEEPER, annotations=({"type": "url_citation", "url": url, "title": passage.title} | place,))


def test_a_brain_that_searches_the_corpus_searches_stores_too() -> None:
    with Emulator(brain=Searcher()) as api, genai.Client(api_key="k", http_options={"base_url": api.url}) as sdk:
        store = sdk.file_search_stores.create().name or ""
        add(sdk, store, BOOK)
        answer = Wire(api.url).create({"model": MODEL, "input": QUESTION, "tools": [tool(store)]})
        kinds = [step["type"] for step in answer["steps"]]
        assert kinds == ["file_search_call", "file_search_result", "thought", "model_output"]
        content = answer["steps"][-1]["content"][0]
        (citation,) = content["annotations"]
        assert content["text"].encode()[citation["start_index"] : citation["end_index"]].decode() == KEEPER
        assert citation["file_name"] == "book.md" and KEEPER in citation["source"]
