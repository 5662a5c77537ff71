"""A pytest plugin, active as soon as this package is installed: the fixture `interactions_emulator`.

@pytest.mark.emulator(speed=0, faults=[{"on": "create", "status": 429}])  # optional: arguments of `Emulator`
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
    config.addinivalue_line(
        "markers", "emulator(**settings): arguments of `Emulator` for the fixture `interactions_emulator`"
    )


@pytest.fixture
def interactions_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A new emulator for this test; clients that are created without a base URL or key use it too."""
    from interactions_emulator import Emulator  # not at the top: pytest loads this module for every project

    marker = request.node.get_closest_marker("emulator")
    with Emulator(**(marker.kwargs if marker else {})) as api:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", api.url)
        monkeypatch.setenv("GEMINI_API_KEY", "any")
        monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
        monkeypatch.delenv("GOOGLE_GENAI_USE_VERTEXAI", raising=False)
        monkeypatch.delenv("GOOGLE_GENAI_USE_ENTERPRISE", raising=False)
        yield api
