"""A server plays a turn before its first one: of that nothing is sent, recorded or kept."""

from __future__ import annotations

from typing import Any

import pytest

from interactions_emulator import Emulator
from tests.telemetry.conftest import Recorded
from tools import backend, sdk
from tools.application import build_app
from tools.server.warm import warm
from tools.settings import load_settings


async def test_a_turn_is_played_and_nobody_notices(
    use: Any, recorded: Recorded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[Any] = []
    create = sdk.create_stream
    monkeypatch.setattr(
        "tools.sdk.create_stream", lambda *args, **values: played.append(args) or create(*args, **values)
    )
    with Emulator() as api:
        use(api)
        await warm(build_app())
        assert api.log()["requests"] == []
    assert len(played) == 1
    assert caplog.messages == []
    assert recorded.exporter.get_finished_spans() == ()
    assert not load_settings().ledger_file.exists()


async def test_without_credentials_the_server_starts_all_the_same(
    use: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Emulator() as api:
        use(api)
        app = build_app()
    monkeypatch.setattr(backend, "client", lambda **values: (_ for _ in ()).throw(backend.BackendError("none")))
    await warm(app)
