"""Files: uploaded over the unmodified SDK and bare HTTP, referred to, and expired."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.files.registry import LIFETIME_S, PROCESSING_S
from interactions_emulator.limits import FileLimits, ServerLimits
from wire.brains import brain, said
from wire.conftest import KEY, MODEL, Wire
from wire.test_generate import GENERATE, asking, parts_of, refused, user

TEXT = "# Tides\n\nThe moon pulls the water of the sea twice a day.\n"


def reader(turn: Turn) -> list[TimedStep]:
    """A brain that says what the contents of the whole turn contain."""
    contents = [content for step in turn.steps if step["type"] == "user_input" for content in step["content"]]
    found = [base64.b64decode(content["data"]).decode() for content in contents if "data" in content]
    return [TimedStep(0, said(f"I read {len(found)} files: {' '.join(found)}"))]


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    path = tmp_path / "tides.md"
    path.write_text(TEXT)
    return path


@pytest.fixture
def reading() -> Iterator[Emulator]:
    with Emulator(brain=reader, speed=0) as api:
        yield api


@pytest.fixture
def sdk(reading: Emulator) -> Iterator[genai.Client]:
    with genai.Client(api_key="a key", http_options={"base_url": reading.url}) as client:
        yield client


@pytest.fixture
def http(reading: Emulator) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=reading.url, headers=KEY) as client:
        yield client


class Resumable:
    """An upload in chunks over bare HTTP."""

    def __init__(self, http: httpx2.Client, size: int | None, kind: str = "text/plain", **metadata: Any) -> None:
        headers = {"x-goog-upload-protocol": "resumable", "x-goog-upload-header-content-type": kind}
        if size is not None:
            headers["x-goog-upload-header-content-length"] = str(size)
        answer = self.send_to(http, "/upload/v1beta/files", "start", headers, json={"file": metadata})
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-goog-upload-status"] == "active"
        self._http, self.url = http, answer.headers["x-goog-upload-url"]

    def send(self, command: str, offset: int = 0, data: bytes = b"") -> httpx2.Response:
        return self.send_to(self._http, self.url, command, {"x-goog-upload-offset": str(offset)}, content=data)

    @staticmethod
    def send_to(http: httpx2.Client, url: str, command: str, headers: dict[str, str], **body: Any) -> httpx2.Response:
        return http.post(url, headers={"x-goog-upload-command": command, **headers}, **body)


def upload(http: httpx2.Client, data: bytes = b"hello", kind: str = "text/plain", **metadata: Any) -> dict[str, Any]:
    answer = Resumable(http, len(data), kind, **metadata).send("upload, finalize", 0, data)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-goog-upload-status"] == "final"
    return dict(answer.json()["file"])


def test_the_sdk_uploads_gets_lists_and_deletes_files(reading: Emulator, sdk: genai.Client, paper: Path) -> None:
    config = types.UploadFileConfig(display_name="Tides", mime_type="text/markdown")
    file = sdk.files.upload(file=paper, config=config)
    assert file.name and file.uri and file.create_time and file.expiration_time
    assert (file.state, file.source) == (types.FileState.ACTIVE, types.FileSource.UPLOADED)
    assert (file.display_name, file.mime_type, file.size_bytes) == ("Tides", "text/markdown", len(TEXT))
    assert file.sha256_hash
    assert base64.b64decode(file.sha256_hash).decode() == hashlib.sha256(TEXT.encode()).hexdigest()
    assert (file.expiration_time - file.create_time).total_seconds() == 48 * 3600
    assert file.uri == f"{reading.url}/v1beta/{file.name}"
    assert sdk.files.get(name=file.name) == file
    named = types.UploadFileConfig(name="mine", mime_type="text/plain")
    assert sdk.files.upload(file=io.BytesIO(b"x"), config=named).name == "files/mine"
    assert [one.name for one in sdk.files.list(config={"page_size": 1})] == [file.name, "files/mine"]
    sdk.files.delete(name=file.name)
    assert [one.name for one in sdk.files.list()] == ["files/mine"]
    with pytest.raises(errors.ClientError, match="may not exist") as caught:
        sdk.files.get(name=file.name)
    assert caught.value.code == 403
    with pytest.raises(errors.ClientError, match="only generated files"):
        sdk.files.download(file="files/mine")
    assert {request["kind"] for request in reading.log()["requests"]} == {"files"}


async def test_the_asynchronous_sdk_uploads_a_file_of_several_chunks(reading: Emulator) -> None:
    data = bytes(range(256)) * 40_000  # 10 MB: the SDK sends 8 MB at once
    client = genai.Client(api_key="any", http_options={"base_url": reading.url})
    config = types.UploadFileConfig(mime_type="application/pdf")
    file = await client.aio.files.upload(file=io.BytesIO(data), config=config)
    assert file.sha256_hash
    assert base64.b64decode(file.sha256_hash).decode() == hashlib.sha256(data).hexdigest()
    assert len(reading.log()["requests"]) == 3
    await client.aio.aclose()


def test_an_upload_goes_on_where_it_stopped(http: httpx2.Client) -> None:
    resumable = Resumable(http, 10)
    assert resumable.send("upload", 0, b"hello").headers["x-goog-upload-status"] == "active"
    assert resumable.send("query").headers["x-goog-upload-size-received"] == "5"
    wrong = resumable.send("upload, finalize", 3, b"world")
    assert "5 bytes have arrived" in refused(wrong, 400) and wrong.headers["x-goog-upload-status"] == "active"
    assert "only 5 of the 10 bytes" in refused(resumable.send("finalize"), 400)
    assert resumable.send("upload", 5, b"world").status_code == 200
    assert resumable.send("finalize").json()["file"]["sizeBytes"] == "10"
    assert "was not found" in refused(resumable.send("query"), 404)


def test_an_upload_can_be_cancelled_and_needs_no_size_in_advance(http: httpx2.Client) -> None:
    resumable = Resumable(http, None)
    resumable.send("upload", 0, b"hello")
    assert resumable.send("cancel").headers["x-goog-upload-status"] == "cancelled"
    assert "was not found" in refused(resumable.send("finalize"), 404)
    assert Resumable(http, None).send("upload, finalize", 0, b"hi").json()["file"]["sizeBytes"] == "2"


def test_small_files_come_in_one_request(http: httpx2.Client) -> None:
    body = (
        b"--cut\r\ncontent-type: application/json\r\n\r\n"
        b'{"file": {"displayName": "Two lines"}}\r\n'
        b"--cut\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x00\r\n--cut--\r\n"
    )
    kind = {"content-type": "multipart/related; boundary=cut"}
    file = http.post("/upload/v1beta/files?uploadType=multipart", headers=kind, content=body).json()["file"]
    assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("Two lines", "image/png", "7")
    raw = http.post("/upload/v1/files", headers={"content-type": "text/csv"}, content=b"a,b\n").json()["file"]
    assert (raw["mimeType"], raw["sizeBytes"]) == ("text/csv", "4")
    broken = http.post("/upload/v1beta/files", headers=kind, content=b"--cut--")
    assert "two parts" in refused(broken, 400)


@pytest.mark.parametrize("how", ["uri", "name", "at Google"])
def test_the_brain_reads_a_referenced_file_and_the_resource_repeats_what_was_sent(
    reading: Emulator, http: httpx2.Client, how: str
) -> None:
    file = upload(http, TEXT.encode(), "text/markdown")
    google = f"https://generativelanguage.googleapis.com/v1beta/{file['name']}"
    uri = {"uri": file["uri"], "name": file["name"], "at Google": google}[how]
    wire = Wire(reading.url)
    sent = [{"type": "document", "uri": uri}, {"type": "text", "text": "What is this?"}]
    first = wire.create({"model": MODEL, "input": sent})
    assert f"I read 1 files: {TEXT}" in str(first["steps"][0]["content"][0]["text"])
    assert wire.get(first["id"], include_input="true")["steps"][0]["content"] == sent
    second = wire.create({"model": MODEL, "input": "And now?", "previous_interaction_id": first["id"]})
    assert "I read 1 files" in str(second["steps"])  # the file of the earlier turn
    part = {"fileData": {"fileUri": uri, "mimeType": "text/markdown"}}
    (answer,) = parts_of(http.post(f"/v1beta{GENERATE}", json={"contents": [user(part)]}))
    assert answer["text"] == f"I read 1 files: {TEXT}"


def test_the_sdk_passes_a_file_to_generate_content(sdk: genai.Client, paper: Path) -> None:
    file = sdk.files.upload(file=paper, config={"mime_type": "text/markdown"})
    assert TEXT in (sdk.models.generate_content(model=MODEL, contents=[file, "What is this?"]).text or "")


def test_the_built_in_brain_quotes_an_uploaded_document() -> None:
    with Emulator() as api, httpx2.Client(base_url=api.url, headers=KEY) as http:
        file = upload(http, TEXT.encode(), "text/markdown", displayName="tides.md")
        question = {"type": "text", "text": "What pulls the water of the sea twice a day?"}
        answer = Wire(api.url).create({"model": MODEL, "input": [{"type": "document", "uri": file["uri"]}, question]})
        assert "The moon pulls the water of the sea twice a day." in answer["steps"][-1]["content"][0]["text"]


def test_an_unknown_deleted_or_expired_file_is_refused_by_name(reading: Emulator, http: httpx2.Client) -> None:
    wire = Wire(reading.url)
    file = upload(http)

    def ask(uri: str) -> httpx2.Response:
        return wire.http.post("/interactions", json={"model": MODEL, "input": [{"type": "image", "uri": uri}]})

    first = wire.good(ask(file["uri"]))
    assert "File nothing or it may not exist" in wire.refused(ask("files/nothing"), 403)
    assert "I read 0 files" in str(wire.good(ask("https://example.org/v1beta/files/nothing")))  # somebody else's
    reading.advance(LIFETIME_S - 1)
    assert "I read 1 files" in str(wire.good(ask(file["uri"])))
    reading.advance(1)
    name = file["name"].removeprefix("files/")
    assert f"File {name} or it may not exist" in wire.refused(ask(file["uri"]), 403)
    body = {"contents": [user({"fileData": {"fileUri": file["uri"]}})]}
    assert name in refused(http.post(f"/v1beta{GENERATE}", json=body), 403)
    assert http.get("/v1beta/files").json() == {"files": []}
    later = wire.create({"model": MODEL, "input": "And now?", "previous_interaction_id": first["id"]})
    assert "I read 0 files" in str(later)


def test_a_video_is_processed_for_a_while(reading: Emulator, http: httpx2.Client) -> None:
    file = upload(http, b"frames", "video/mp4")
    assert file["state"] == "PROCESSING"
    body = {"contents": [user({"fileData": {"fileUri": file["uri"]}})]}
    assert "not in an ACTIVE state" in refused(http.post(f"/v1beta{GENERATE}", json=body), 400)
    reading.advance(PROCESSING_S)
    assert http.get(f"/v1beta/{file['name']}").json()["state"] == "ACTIVE"
    assert "I read 1 files" in str(parts_of(http.post(f"/v1beta{GENERATE}", json=body)))


def test_files_and_unfinished_uploads_survive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with Emulator(brain=reader, state=state) as api, httpx2.Client(base_url=api.url, headers=KEY) as http:
        file, resumable = upload(http, b"kept"), Resumable(http, 6)
        resumable.send("upload", 0, b"abc")
        api.restart()
        assert http.get(f"/v1beta/{file['name']}").json() == file
        body = {"contents": [user({"fileData": {"fileUri": file["uri"]}})]}
        assert "kept" in str(parts_of(http.post(f"/v1beta{GENERATE}", json=body)))
        assert resumable.send("upload, finalize", 3, b"def").json()["file"]["sizeBytes"] == "6"
        assert http.delete(f"/v1beta/{file['name']}").json() == {}
    assert len(list((tmp_path / "state.db.files").iterdir())) == 1  # deleted from the disk too


def test_nothing_is_left_of_a_refused_upload_in_one_request(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with Emulator(brain=brain, state=state) as api, httpx2.Client(base_url=api.url, headers=KEY) as http:
        assert "empty" in refused(http.post("/upload/v1beta/files", content=b""), 400)
    journal = Journal(state)
    assert list(journal.read("upload")) == []
    journal.close()


def test_limits_of_files_are_refused_with_the_limit() -> None:
    limits = ServerLimits(files=FileLimits(file=10, total=15), max_body_bytes=1_000)
    with Emulator(brain=brain, limits=limits) as api, httpx2.Client(base_url=api.url, headers=KEY) as http:
        start = {"x-goog-upload-command": "start", "x-goog-upload-header-content-length": "11"}
        assert "at most 10 bytes" in refused(http.post("/upload/v1beta/files", headers=start), 400)
        assert "at most 10 bytes" in refused(Resumable(http, None).send("upload", 0, b"x" * 11), 400)
        assert "more than the 3 bytes" in refused(Resumable(http, 3).send("upload", 0, b"xxxx"), 400)
        assert "empty" in refused(Resumable(http, 0).send("finalize"), 400)
        assert "in several chunks" in refused(Resumable(http, None).send("upload", 0, b"x" * 1_001), 413)
        upload(http, b"x" * 10, name="files/mine")
        assert "at most 15 bytes together" in refused(Resumable(http, 6).send("upload, finalize", 0, b"x" * 6), 400)
        taken = Resumable(http, 1, name="mine").send("upload, finalize", 0, b"x")
        assert "exists already" in refused(taken, 409) and taken.headers["x-goog-upload-status"] == "final"
        wrong = Resumable(http, 1, name="Not Allowed").send("upload, finalize", 0, b"x")
        assert "'Not Allowed' is not allowed" in refused(wrong, 400)
        for name in ("displayName", "mimeType", "name"):
            wrong = Resumable(http, 1, **{name: 5}).send("upload, finalize", 0, b"x")
            assert f"{name} is a string" in refused(wrong, 400)
        assert "is upload, finalize, query or cancel" in refused(Resumable(http, 1).send("jump"), 400)
        assert "pageSize is a number" in refused(http.get("/v1beta/files?pageSize=x"), 400)
        assert "pageToken 'x' is not" in refused(http.get("/v1beta/files?pageToken=x"), 400)


def test_faults_hit_uploads(reading: Emulator, http: httpx2.Client) -> None:
    reading.faults({"on": "files", "status": 503})
    answer = http.post("/upload/v1beta/files", headers={"x-goog-upload-command": "start"}, json={})
    assert "Injected fault" in refused(answer, 503)
    assert asking("x") and upload(http)
