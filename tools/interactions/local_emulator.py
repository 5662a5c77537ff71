"""Starts the emulator as a separate process, shared by all processes that use the same data folder.

Like the real service, the emulator keeps running when the process that started it ends. It exits after `IDLE_TIMEOUT_S`
without requests. Its state is a file beside the ledger, so nothing is lost even if the emulator is killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import platformdirs
from filelock import FileLock

from tools.extras import install_command
from tools.files.private_files import create_private_folder
from tools.interactions.errors import BackendError
from tools.settings import ROOT, Settings
from tools.web_addresses.credentials import without_credentials

START_TIMEOUT_S = 60.0
IDLE_TIMEOUT_S = 900
PACKAGES = ("interactions_emulator", "httptools", "matplotlib", "PIL", "pypdf")
"""Packages that the emulator imports and that a plain installation lacks."""


def start_emulator(settings: Settings) -> str:
    """Starts the emulator of `settings.data_dir` if it is not running, and returns its address.

    Raises:
        BackendError: the emulator is not installed, its folder cannot be written, or it
            did not answer within `START_TIMEOUT_S`; in the last case, the message names its log.
    """
    try:
        return _start(settings)
    except OSError as error:
        where = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise BackendError(f"the emulator cannot keep its state ({where}): check DESK_DATA_DIR") from error


def options_mismatch(settings: Settings) -> str:
    """Names the options of the running emulator of `settings.data_dir`; empty if a start would use the same ones."""
    folder = settings.data_dir / "emulator"
    options = _read(folder / "options.json")
    if not options or options == _options(settings) or not _running(folder / "address.json"):
        return ""
    brain = f", answers by {options['brain']}" if options.get("brain") else ""
    return f"corpus {options.get('corpus') or 'of the emulator'}, speed {options.get('speed'):g}{brain}"


def brain_name() -> str:
    """Names the model that answers in an emulator started from this environment; empty if rules answer."""
    if os.environ.get("EMULATOR_BRAIN") != "model":
        return ""
    url = without_credentials(os.environ.get("EMULATOR_MODEL_URL", ""))
    return f"{os.environ.get('EMULATOR_MODEL', '')} at {url}"


def model_problem() -> str:
    """Says why the model of `brain_name` cannot answer, as its server reports it; empty if no reason is known."""
    if not brain_name():
        return ""
    from interactions_emulator.brain.model import ModelBrain

    url, model, key = (os.environ.get(f"EMULATOR_{name}", "") for name in ("MODEL_URL", "MODEL", "MODEL_KEY"))
    return ModelBrain(url, model, key).problem()


def _options(settings: Settings) -> dict[str, Any]:
    """The options of the emulator. They have only a hash of its variables, because these may contain keys."""
    variables = sorted(item for item in os.environ.items() if item[0].startswith("EMULATOR_"))
    return {
        "corpus": str(settings.corpus.resolve()) if settings.corpus else "",
        "speed": settings.emulator_speed,
        "brain": brain_name(),
        "environment": hashlib.sha256(repr(variables).encode()).hexdigest()[:16],
    }


def _start(settings: Settings) -> str:
    folder = settings.data_dir / "emulator"
    create_private_folder(folder)
    address, options = folder / "address.json", folder / "options.json"
    with FileLock(folder / "start.lock"):
        wanted = _options(settings)
        url = _running(address)
        if url and _read(options) == wanted:
            return url
        _check_installed()
        if problem := corpus_problem(settings):
            raise BackendError(problem)
        if url:  # the running emulator has other options: restart it with the same state
            _stop(address)
        options.write_text(json.dumps(wanted))
        command = [
            *(sys.executable, "-m", "interactions_emulator", "--state", str(folder / "interactions.db")),
            *("--address-file", str(address), "--idle-exit", str(IDLE_TIMEOUT_S)),
            *("--speed", str(settings.emulator_speed)),
        ]
        if settings.corpus:
            command += ["--corpus", str(settings.corpus.resolve())]
        if index := index_file(settings.corpus):
            command += ["--index", str(index)]
        known = _read(address)
        if known:  # keep the port, so that processes with the old address can go on
            command += ["--prefer-port", known["url"].rsplit(":", 1)[1]]
            address.unlink()
        with (folder / "emulator.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                },
            )
        return _wait(process, address, folder / "emulator.log")


def corpus_problem(settings: Settings) -> str:
    """Says why the embedded emulator cannot search the folder `DESK_CORPUS`; empty if it can, or if none is named."""
    folder = settings.corpus
    if folder is None:
        return ""
    if not folder.is_dir():
        return f"DESK_CORPUS={folder} is not a folder: name one, or unset it"
    if find_spec("interactions_emulator") is None:  # reported when it has to start
        return ""
    from interactions_emulator.corpus.documents import MARKUP, folder_sources

    if next(folder_sources(folder), None) is None:
        return f"DESK_CORPUS={folder} has no documents: put files there that end with {', '.join(MARKUP)}, or unset it"
    return ""


def _check_installed() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise BackendError(
            f"the emulator needs {', '.join(missing)}: {install_command('emulator')}, or use Gemini with"
            " GEMINI_API_KEY and DESK_BACKEND=gemini"
        )


def index_file(corpus: Path | None) -> Path | None:
    """Path of the persistent search index of a corpus; None if the user's cache folder cannot be written.

    Args:
        corpus: a folder of documents, or None for the emulator's own documents.
    """
    folder = platformdirs.user_cache_path("research-desk")
    documents = str(corpus.resolve()) if corpus else sys.prefix
    try:
        create_private_folder(folder)  # the index has the texts of the documents
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    return folder / f"index-{hashlib.sha256(documents.encode()).hexdigest()[:16]}.db"


def stop_emulator(settings: Settings) -> None:
    """Ends the emulator of `settings.data_dir`, if it runs."""
    _stop(settings.data_dir / "emulator" / "address.json")


def keep_alive(settings: Settings) -> None:
    """Prevents the emulator's exit when idle, as long as this process runs and the data folder exists."""

    def ask() -> None:
        time.sleep(IDLE_TIMEOUT_S / 3)
        while settings.data_dir.is_dir():
            start_emulator(settings)
            time.sleep(IDLE_TIMEOUT_S / 3)

    threading.Thread(target=ask, name="emulator-keep-alive", daemon=True).start()


def _stop(address: Path) -> None:
    known = _read(address)
    if known:
        os.kill(int(known["pid"]), signal.SIGTERM)
        end = time.monotonic() + START_TIMEOUT_S
        while _running(address) and time.monotonic() < end:
            time.sleep(0.05)


def _wait(process: subprocess.Popen[bytes], address: Path, log: Path) -> str:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        url = _running(address)
        if url:
            return url
        time.sleep(0.05)
    process.kill()
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise BackendError(f"the emulator did not start ({' '.join(last) or 'no output'}); its log: {log}")


def _read(address: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(address.read_text())
    except (OSError, ValueError):
        return None
    return found


def _running(address: Path) -> str | None:
    known = _read(address)
    if not known:
        return None
    try:
        httpx2.get(known["url"], timeout=5).raise_for_status()
    except httpx2.HTTPError:
        return None
    return str(known["url"])
