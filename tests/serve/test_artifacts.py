"""Artifacts are stored in a bucket that all replicas share, or in a folder. Any other URL is refused."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from google.genai import types

from tests.serve.conftest import Serve
from tools.research.database import Database
from tools.server.artifacts import new_artifacts
from tools.server.sessions import CheckedInMemorySessions
from tools.server.storage_quota import storage_quota
from tools.settings import SettingsError

FILE = {"app_name": "desk", "user_id": "ada", "session_id": "s1", "filename": "report.md"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket, at a server that imitates what artifacts need of Google Cloud Storage."""
    blobs: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found = re.search(rb'"name": "([^"]+)"', body)
            assert found
            name = found[1].decode()
            blobs[name] = body.split(b"\r\n\r\n", 2)[2].rsplit(b"\r\n--", 1)[0]
            self.answer({"name": name, "bucket": "b"})

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query, name = parse_qs(url.query), unquote(url.path.partition("/o/")[2])
            if name:
                self.answer(blobs[name] if "media" in query.get("alt", ()) else {"name": name, "bucket": "b"})
            else:
                prefix = query.get("prefix", [""])[0]
                found = [
                    {"name": each, "bucket": "b", "size": len(blobs[each])} for each in blobs if each.startswith(prefix)
                ]
                self.answer({"items": found})

        def answer(self, data: bytes | dict[str, object]) -> None:
            body = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    yield "gs://b"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["bucket", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.getfixturevalue("bucket")) if request.param == "bucket" else tmp_path.as_uri()


async def test_an_artifact_saved_by_one_replica_can_be_read_by_another(place: str) -> None:
    one, other = new_artifacts(place), new_artifacts(place)
    report = types.Part.from_bytes(data="# Größe".encode(), mime_type="text/markdown")
    assert await one.save_artifact(artifact=report, **FILE) == 0
    read = await other.load_artifact(**FILE)
    assert read
    assert read.inline_data
    assert read.inline_data.data == "# Größe".encode()
    assert await other.list_artifact_keys(app_name="desk", user_id="ada", session_id="s1") == ["report.md"]


def test_no_answer_shows_where_the_server_stores_a_file(serve: Serve, tmp_path: Path) -> None:
    client, path = serve(artifacts_url=(tmp_path / "files").as_uri()), "/apps/desk/users/me/sessions/s1/artifacts"
    saved = client.post(path, json={"filename": "a", "artifact": {"text": "x"}})
    found = [saved, client.get(f"{path}/a/versions/0/metadata"), client.get(f"{path}/a/versions/metadata")]
    assert [answer.status_code for answer in found] == [200] * 3
    assert not [answer.text for answer in found if str(tmp_path) in answer.text]


def test_the_error_without_credentials_names_the_missing_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(SettingsError, match=r"DESK_ARTIFACTS_URL cannot be used: .*none\.json"):
        new_artifacts("gs://b")


def test_an_artifact_url_of_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(SettingsError, match="write gs://BUCKET or file://FOLDER"):
        new_artifacts("s3://b")


async def test_the_bytes_of_all_versions_of_a_users_files_are_counted(place: str, tmp_path: Path) -> None:
    artifacts = new_artifacts(place)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    limit = storage_quota(1, CheckedInMemorySessions(), artifacts, database)
    for user, session, name in (("ada", "s1", "a"), ("ada", "s1", "a"), ("ada", "s2", "user:b"), ("adam", "s1", "a")):
        file = types.Part.from_bytes(data=b"x" * 100_000, mime_type="text/plain")
        await artifacts.save_artifact(app_name="desk", user_id=user, session_id=session, filename=name, artifact=file)
    found = [sum([await count(user) for count in limit.counts]) for user in ("ada", "adam", "bob")]
    assert [each // 100_000 for each in found] == [3, 1, 0]
    await database.close()
