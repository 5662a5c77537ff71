"""Runs an ASGI application as the server of `desk serve` or `desk work`, until a signal ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn

from tools.server.timeouts import SHUTDOWN_GRACE_S


def run_server(app: Callable[..., Any] | str, host: str, port: int, protocol: type | str, **options: Any) -> None:
    """Serves an ASGI application until a signal ends it. `app` may be the import string of a function that makes it.

    Args:
        protocol: class for the connections, or its import string.
        options: further settings of uvicorn.
    """
    settings: dict[str, Any] = {"timeout_graceful_shutdown": SHUTDOWN_GRACE_S, "access_log": False, "log_config": None}
    uvicorn.run(app, host=host, port=port, http=protocol, **settings, **options)
