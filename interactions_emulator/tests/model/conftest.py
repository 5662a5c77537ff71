"""A model server with a script, and an emulator whose brain is its model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from brain.conftest import DOCUMENTS
from interactions_emulator import Emulator
from interactions_emulator.brain.model import ModelBrain
from model.stub import Answer, ModelServer, Reply, scripted
from wire.conftest import MODEL, Wire

collect_ignore = [] if "REAL_MODEL_PYTHON" in os.environ else ["test_real_model.py"]
"""`make test-model` sets the variable."""


class Desk:
    """An emulator on a model server, and a bare HTTP client for it."""

    def __init__(self, server: ModelServer, api: Emulator, wire: Wire) -> None:
        self.server, self.api, self.wire = server, api, wire

    def ask(self, text: Any = "Hi", **request: Any) -> dict[str, Any]:
        """The interaction that answers an input."""
        return self.wire.create({"model": MODEL, "input": text, **request})

    def sent(self) -> list[dict[str, Any]]:
        """The messages of the last request to the model."""
        messages: list[dict[str, Any]] = self.server.requests[-1]["messages"]
        return messages


Start = Callable[..., Desk]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(says("Hello"), …)`: an emulator on a model that gives these replies; or a function from request to reply.

    A second call starts a second emulator. At the end, each request to the model has to be valid.
    """
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    servers: list[ModelServer] = []
    with ExitStack() as stack:

        def begin(*replies: Reply | Answer, state: Path | None = None, **brain: Any) -> Desk:
            first = replies[0]
            server = ModelServer(scripted(*replies) if isinstance(first, Reply) else first)  # type: ignore[arg-type]
            stack.callback(server.close)
            servers.append(server)
            model = ModelBrain(**{"url": server.url, "model": "qwen3", **brain})
            api = stack.enter_context(Emulator(brain=model, corpus=folder, state=state))
            wire = Wire(api.url)
            stack.callback(wire.http.close)
            return Desk(server, api, wire)

        yield begin
    for server in servers:
        assert server.violations == []
