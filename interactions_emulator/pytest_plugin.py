"""A pytest fixture for projects that talk to the Interactions API; it is there as soon as this package is installed.

@pytest.mark.emulator(speed=0, faults=[{"on": "create", "status": 429}])  # arguments of `Emulator`; may be left out
def test_it_waits(interactions_emulator):
    client = genai.Client(api_key="any", http_options={"base_url": interactions_emulator.url})
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from interactions_emulator import Emulator


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "emulator(**settings): how the `interactions_emulator` of this test is started")


@pytest.fixture
def interactions_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator of this test's own; clients made without a base URL or a key talk to it too."""
    from interactions_emulator import Emulator  # here, since pytest loads this module for every project

    marker = request.node.get_closest_marker("emulator")
    with Emulator(**(marker.kwargs if marker else {})) as api:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", api.url)
        monkeypatch.setenv("GEMINI_API_KEY", "any")
        monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
        monkeypatch.delenv("GOOGLE_GENAI_USE_VERTEXAI", raising=False)
        monkeypatch.delenv("GOOGLE_GENAI_USE_ENTERPRISE", raising=False)
        yield api
