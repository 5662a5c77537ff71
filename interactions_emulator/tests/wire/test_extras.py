"""Without an optional package, what needs it says which extra to install."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Entry, Turn
from interactions_emulator.corpus.pdf import Unreadable, read_pdf
from interactions_emulator.extras import EXTRAS
from wire.conftest import MODEL, Wire


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which the packages of the extras cannot be found."""
    packages = {package for packages in EXTRAS.values() for package in packages}
    find = importlib.util.find_spec

    def found(name: str, *more: Any) -> Any:
        return None if name in packages else find(name, *more)

    monkeypatch.setattr("interactions_emulator.extras.find_spec", found)


def test_a_brain_that_misses_a_package_fails_with_the_extra_that_has_it() -> None:
    def brain(turn: Turn) -> Iterator[Entry]:
        raise ImportError("No module named 'matplotlib.figure'", name="matplotlib.figure")
        yield

    with Emulator(brain=brain) as api, (wire := Wire(api.url)).http:
        ended = wire.create({"model": MODEL, "input": "Draw a cat"})
    assert ended["status"] == "failed"
    [error] = ended["errors"]
    assert error["message"] == "This needs matplotlib: pip install 'interactions-emulator[pictures]'"


@pytest.mark.usefixtures("without_extras")
def test_a_webhook_is_refused_with_the_extra_that_signs_it(api: Emulator, wire: Wire) -> None:
    listener = "http://127.0.0.1:1/hook"
    body = {"uri": listener, "subscribed_events": ["interaction.completed"]}
    assert "interactions-emulator[webhooks]" in wire.refused(wire.http.post("/webhooks", json=body), 400)
    request = {"model": MODEL, "input": "Hi", "webhook_config": {"uris": [listener]}}
    assert "interactions-emulator[webhooks]" in wire.refused(wire.http.post("/interactions", json=request), 400)


@pytest.mark.usefixtures("without_extras")
def test_a_pdf_is_skipped_with_the_extra_that_reads_it() -> None:
    with pytest.raises(Unreadable, match=r"interactions-emulator\[corpus\]"):
        read_pdf(b"%PDF-1.4")
