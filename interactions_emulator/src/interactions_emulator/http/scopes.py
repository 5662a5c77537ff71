"""Parts of a server with state of their own: each request with the header `x-emulator-scope` goes to such a part."""

from __future__ import annotations

from collections.abc import Callable

from interactions_emulator.errors import Refused
from interactions_emulator.http.app import App
from interactions_emulator.http.connection import Exchange, Remainder
from interactions_emulator.http.responses import Json, refusal
from interactions_emulator.limits import MAX_SCOPES
from interactions_emulator.loopback import is_loopback

HEADER = "x-emulator-scope"
_HEADER = HEADER.encode()


class Scopes:
    """Answers requests without the header from `main`, and others from the application of their scope.

    A scope begins with its first request, with the settings of the server and an empty state in memory. It ends by
    `DELETE /_emulator/scope` with its header. `create` makes the application of a new scope.
    """

    def __init__(self, main: App, create: Callable[[], App]) -> None:
        self._main = main
        self._create = create
        self._scopes: dict[bytes, App] = {}

    @property
    def apps(self) -> list[App]:
        """All applications, `main` too."""
        return [self._main, *self._scopes.values()]

    def __call__(self, exchange: Exchange) -> Remainder:
        name = exchange.headers.get(_HEADER)
        if not name:
            return self._main(exchange)
        if (exchange.method, exchange.path) == ("DELETE", "/_emulator/scope"):
            return self._delete(name, exchange)
        if name not in self._scopes:
            if len(self._scopes) >= MAX_SCOPES:
                message = f"{MAX_SCOPES:,} scopes are in use: end some by DELETE /_emulator/scope with their header"
                return refusal(Refused(429, message)).send(exchange)
            self._scopes[name] = self._create()
        return self._scopes[name](exchange)

    def _delete(self, name: bytes, exchange: Exchange) -> Remainder:
        if not is_loopback(exchange.client):
            return refusal(Refused(403, "Only programs on this machine may end a scope.")).send(exchange)
        if app := self._scopes.pop(name, None):
            return self._stop(app, exchange)
        return Json({}).send(exchange)

    async def _stop(self, app: App, exchange: Exchange) -> None:
        await app.stop()
        Json({}).send(exchange)
