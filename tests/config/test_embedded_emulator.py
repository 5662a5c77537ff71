"""The emulator beside the application reads the documents once, and not again at each start."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx2
import pytest

from tools.interactions import backend
from tools.interactions.errors import BackendError
from tools.interactions.local_emulator import index_file, model_problem, options_mismatch, start_emulator, stop_emulator
from tools.settings import load_settings


def test_the_document_index_remains_after_the_emulator_stops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "tides.md").write_text("# Tides\n\nThe moon causes the tides of the sea by pulling at the water.\n")
    monkeypatch.setenv("DESK_CORPUS", str(documents))
    index = index_file(documents)
    assert index and not index.exists()
    assert index != index_file(None)
    settings = load_settings()
    url = start_emulator(settings)
    try:
        body = {"model": "gemini-3.8-flash", "input": "Tides?", "tools": [{"type": "google_search"}]}
        httpx2.post(f"{url}/v1beta/interactions", json=body, headers={"x-goog-api-key": "k"}).raise_for_status()
    finally:
        stop_emulator(settings)
    assert index.exists()


def test_a_wrong_folder_of_documents_is_named_and_leaves_the_running_emulator_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load_settings()
    url = start_emulator(settings)
    try:
        for wrong in (tmp_path / "nowhere", Path(__file__)):
            monkeypatch.setenv("DESK_CORPUS", str(wrong))
            with pytest.raises(BackendError, match=f"^DESK_CORPUS={wrong} is not a folder: name one, or unset it$"):
                start_emulator(load_settings())
        assert start_emulator(settings) == url
    finally:
        stop_emulator(settings)


def test_a_folder_without_documents_is_refused_with_what_belongs_into_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (empty := tmp_path / "empty").mkdir()
    (empty / "notes.doc").write_text("The moon")
    monkeypatch.setenv("DESK_CORPUS", str(empty))
    with pytest.raises(BackendError, match=f"^DESK_CORPUS={empty} has no documents: put files there that end with .md"):
        start_emulator(load_settings())


def test_no_index_is_kept_without_a_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert index_file(None) is None


def test_a_missing_emulator_dependency_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(BackendError, match=r"needs pypdf: \S*pip install 'research-desk\[emulator\]', or use Gemini"):
        start_emulator(load_settings())


def test_another_brain_restarts_the_emulator_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    url = start_emulator(settings)
    try:
        assert options_mismatch(settings) == ""
        variables = {
            "BRAIN": "model",
            "MODEL_URL": "http://me:secret@127.0.0.1:9/v1",
            "MODEL": "qwen3",
            "MODEL_KEY": "sk-1",
        }
        for name, value in variables.items():
            monkeypatch.setenv(f"EMULATOR_{name}", value)
        assert "speed" in options_mismatch(settings)
        assert "answers by qwen3 at http://" in str(backend.current())
        assert "No model server answers at http://127.0.0.1:9/v1" in model_problem()
        assert start_emulator(settings) == url, "the restarted emulator keeps its address"
        body = {"model": "gemini-3.8-flash", "input": "Hello!"}
        answer = httpx2.post(f"{url}/v1beta/interactions", json=body, headers={"x-goog-api-key": "k"}).json()
        assert "No model server answers at http://127.0.0.1:9/v1" in answer["errors"][0]["message"]
        kept = (settings.data_dir / "emulator" / "options.json").read_text()
        assert "secret" not in kept and "sk-1" not in kept
        monkeypatch.setenv("EMULATOR_MODEL_KEY", "sk-2")
        assert "answers by qwen3" in options_mismatch(settings), "a corrected key needs another start, too"
    finally:
        stop_emulator(settings)


def test_an_emulator_that_cannot_start_tells_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMULATOR_BRAIN", "model")
    with pytest.raises(BackendError, match="--brain model needs --model-url and --model"):
        start_emulator(load_settings())
