"""The service as the settings and the backend make it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tools.interactions import backend
from tools.interactions.client import InteractionsClient
from tools.research.config import load_research_settings
from tools.research.job import DAY
from tools.settings import load_settings

if TYPE_CHECKING:
    from tools.research.service import Research

_services: WeakKeyDictionary[asyncio.AbstractEventLoop, Research] = WeakKeyDictionary()


def research() -> Research:
    """The service of the running event loop: its followers are tasks of that loop."""
    loop = asyncio.get_running_loop()
    if loop not in _services:
        from tools.research.ledger import Ledger  # SQLAlchemy, for one: the plugins have this module from the start
        from tools.research.service import Research

        client = InteractionsClient(backend.transport, tools=_tools)
        settings = load_settings()
        _services[loop] = Research(
            Ledger(settings.ledger_url),
            client,
            server=backend.server,
            retention=settings.retention_days * DAY,
            may_start=lambda: load_research_settings(load_settings().config).store,
        )
    return _services[loop]


async def close() -> None:
    """Ends the service of the running event loop, if there is one; a create on its way is waited for."""
    if service := _services.pop(asyncio.get_running_loop(), None):
        await service.close()


def _tools() -> list[dict[str, Any]]:
    """What a research may use besides the web, with today's secrets, which no ledger holds."""
    return [tool.wire(os.environ) for tool in load_research_settings(load_settings().config).research_tools]
