"""Two list classes: each list has a part of a conversation and can load the whole conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from google.adk.events import Event
from google.genai import types


class RecentEvents(list[Event]):
    """The newest events of a session, starting with a user message; `load_all` loads all events."""

    def __init__(self, events: Iterable[Event], load_all: Callable[[], Awaitable[list[Event]]]) -> None:
        super().__init__(events)
        self.load_all = load_all


class UnseenContents(list[types.Content]):
    """The contents that a chain lacks; `load_all` loads all contents, in case the server has deleted the chain."""

    def __init__(
        self, contents: Iterable[types.Content], load_all: Callable[[], Awaitable[list[types.Content]]]
    ) -> None:
        super().__init__(contents)
        self.load_all = load_all
