"""Parts of a conversation that know how to get the whole of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from google.adk.events import Event
from google.genai import types


class RecentEvents(list[Event]):
    """The newest events of a session, from a message of the user's on, and how to get all of them."""

    def __init__(self, events: Iterable[Event], whole: Callable[[], Awaitable[list[Event]]]) -> None:
        super().__init__(events)
        self.whole = whole


class UnseenContents(list[types.Content]):
    """What a chain has not seen of a conversation, and how to get all of it if the server has forgotten the chain."""

    def __init__(self, contents: Iterable[types.Content], whole: Callable[[], Awaitable[list[types.Content]]]) -> None:
        super().__init__(contents)
        self.whole = whole
