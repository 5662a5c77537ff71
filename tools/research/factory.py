"""Builds the research service from the settings and the backend, once per event loop."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tools.errors import DeskError
from tools.interactions import backend
from tools.interactions.run_webhook import run_webhook
from tools.research.api_client import InteractionsClient
from tools.research.quotas import Quotas
from tools.research.settings import research_settings
from tools.settings import load_settings

if TYPE_CHECKING:
    from tools.research.service import Research
    from tools.research.verification.verifier import Verifier

_services: WeakKeyDictionary[asyncio.AbstractEventLoop, Research] = WeakKeyDictionary()


def research() -> Research:
    """Returns the service of the running event loop. Each loop has its own, because followers are tasks of a loop."""
    loop = asyncio.get_running_loop()
    if loop not in _services:
        from tools.research.ledger import Ledger  # slow imports (SQLAlchemy), not needed at startup
        from tools.research.service import Research

        client = InteractionsClient(backend.transport, tools=_tools, webhook_url=_webhook_url)
        settings = load_settings()
        _services[loop] = Research(
            Ledger(settings.ledger_url),
            client,
            server=backend.server_name,
            retention_s=settings.retention_s,
            may_start=lambda: research_settings().store,
            verifier=new_verifier(),
            verifies_runs=lambda: research_settings().verify,
            describer=_describer,
            follows=settings.follow,
        )
    return _services[loop]


def opened() -> Research | None:
    """Returns the service of the running event loop if it was used before; else None."""
    return _services.get(asyncio.get_running_loop())


def new_verifier() -> Verifier:
    """Returns a verifier that reads documents of the emulator if it is in use, and obeys `verify_archive`."""
    from tools.research.verification.internet_archive import ARCHIVE_URL
    from tools.research.verification.verifier import Verifier

    return Verifier(_emulator_url, lambda: ARCHIVE_URL if research_settings().verify_archive else "")


async def close() -> None:
    """Closes the service of the running event loop, if there is one; waits for create requests that are being sent."""
    if service := _services.pop(asyncio.get_running_loop(), None):
        await service.close()


def _webhook_url() -> str:
    found = run_webhook(load_settings(), backend.current())
    return found.url if found else ""


def _tools() -> list[dict[str, Any]]:
    """Returns a run's tools other than the web. Secrets come from the environment, because the ledger stores none."""
    return [tool.wire(os.environ) for tool in research_settings().research_tools]


def _describer() -> tuple[str, Quotas]:
    """Returns the model that describes changes (empty on the emulator, whose rules cannot), and the limits."""
    settings = research_settings()
    return "" if _emulator_url() else settings.follow_up_model, settings.limits


def _emulator_url() -> str:
    """The address of the emulator in use; empty if another server or no server is in use."""
    with suppress(DeskError):
        server = backend.current()
        return server.url if server.kind == "emulator" else ""
    return ""
