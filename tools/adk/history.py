"""Lists that contain a part of a conversation and can load the whole conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from google.adk.events import Event
from google.genai import types


class RecentEvents(list[Event]):
    """The newest events of a session, starting with a user message; `whole` loads all events."""

    def __init__(self, events: Iterable[Event], whole: Callable[[], Awaitable[list[Event]]]) -> None:
        super().__init__(events)
        self.whole = whole


class UnseenContents(list[types.Content]):
    """The contents that a chain lacks; `whole` loads all contents, in case the server has deleted the chain."""

    def __init__(self, contents: Iterable[types.Content], whole: Callable[[], Awaitable[list[types.Content]]]) -> None:
        super().__init__(contents)
        self.whole = whole
