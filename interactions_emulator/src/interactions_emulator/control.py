"""Controls and inspects a running emulator, for tests: its clock, its faults, its log, and assertions on them."""

from __future__ import annotations

import json
import math
from http.client import HTTPConnection
from types import TracebackType
from typing import Any
from urllib.parse import quote

from interactions_emulator.assertions import Assertions
from interactions_emulator.faults.fault import Fault, to_json
from interactions_emulator.faults.parsing import parse_faults
from interactions_emulator.http.scopes import HEADER
from interactions_emulator.http.settings import HOST


class Control(Assertions):
    """The controls of the emulator at `port` of this machine, or of one of its scopes (see `Scope`)."""

    def __init__(self, port: int, scope: str = "") -> None:
        self.port = port
        self._scope = scope

    @property
    def url(self) -> str:
        """The base URL for clients, `http://127.0.0.1:<port>`. Raises RuntimeError if it has never started."""
        if not self.port:
            raise RuntimeError("the emulator has not started: write `with Emulator() as api:`, or call start()")
        return f"http://{HOST}:{self.port}"

    def scope(self, name: str) -> Scope:
        """Return a part of this emulator with state, faults, clock and log of its own; `name` is any text."""
        return Scope(self.port, name)

    def faults(self, *faults: Fault | dict[str, Any] | str) -> None:
        """Add faults: objects, or names from `faults/named.py`. Without arguments, remove all faults."""
        if not faults:
            self._control("DELETE", "faults")
            return
        self._control("POST", "faults", [to_json(fault) for fault in parse_faults(list(faults))])

    def advance(self, seconds: float) -> None:
        """Advance virtual time by `seconds`. Return when each run has added all steps that are due by then."""
        self._control("POST", "clock", {"advance": seconds})

    def set_speed(self, speed: float) -> None:
        """Set the virtual seconds per real second. 0: only `advance` moves time; `math.inf`: nothing waits."""
        self._control("POST", "clock", {"speed": "inf" if speed == math.inf else speed})

    def log(self, *, bodies: bool = False) -> dict[str, Any]:
        """Return {"creates": n, "creates_by_key", "connections", "requests": [...]}; see `http/control_routes.py`.

        With `bodies`, each of the last 1,000 requests has its body, if that is JSON of at most 64 KB.
        """
        return dict(self._control("GET", "log?bodies" if bodies else "log"))

    def har(self) -> dict[str, Any]:
        """Return the last 1,000 requests and their answers as a HAR file, without secrets."""
        return dict(self._control("GET", "log.har"))

    def interactions(self, *, steps: bool = False) -> list[dict[str, Any]]:
        """Return the stored interactions, oldest first; see `http/control_routes.py`.

        With `steps`, each has its whole resource as `resource`, with the input.
        """
        return list(self._control("GET", "interactions?steps" if steps else "interactions"))

    def unused(self) -> dict[str, list[dict[str, Any]]]:
        """Return faults that hit no request and scenarios that answered none; see `http/control_routes.py`."""
        return dict(self._control("GET", "unused"))

    def deliveries(self) -> list[dict[str, Any]]:
        """Return the attempts to deliver webhook messages; see `http/control_routes.py`."""
        return list(self._control("GET", "deliveries"))

    def _control(self, method: str, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        connection = HTTPConnection(HOST, self.port)
        try:
            connection.request(method, f"/_emulator/{what}", data, {HEADER: quote(self._scope)} if self._scope else {})
            answer = connection.getresponse()
            if answer.status >= 400:
                raise RuntimeError(f"the emulator answers {answer.status}: {answer.read().decode()}")
            return json.load(answer)
        finally:
            connection.close()


class Scope(Control):
    """A part of an emulator with state, faults, clock and log of its own, so that tests can share one server.

        with api.scope("test 1") as mine:
            client = genai.Client(api_key="any", http_options={"base_url": mine.url, "headers": mine.headers})
            mine.advance(60)

    Leaving the `with` deletes everything in it. Two scopes of the same name are the same scope.
    """

    @property
    def headers(self) -> dict[str, str]:
        """The header that clients send to reach this scope."""
        return {HEADER: quote(self._scope)}

    def __enter__(self) -> Scope:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control("DELETE", "scope")
