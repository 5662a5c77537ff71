"""The client under test, and what the flows look at again and again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google import genai

TIMEOUT = 600_000
"""Milliseconds that a request may take."""


class Api:
    """A client with the model and the agent that the flows ask. `patience` is seconds between two polls."""

    def __init__(self, key: str, base_url: str | None, model: str, agent: str, patience: float) -> None:
        self._key = key
        self._base_url = base_url
        self.model = model
        self.agent = agent
        self.patience = patience
        self.client = self.new_client()
        self.interactions = self.client.interactions

    def new_client(self) -> genai.Client:
        options: dict[str, Any] = {"timeout": TIMEOUT} | ({"base_url": self._base_url} if self._base_url else {})
        return genai.Client(api_key=self._key, vertexai=False, http_options=options)

    def ask(self, input: Any, **body: Any) -> Any:
        """Create an interaction with the model."""
        return self.interactions.create(model=self.model, input=input, **body)


def status_of(error: Exception) -> int:
    """Return the HTTP status of a client's error, 0 if it is none."""
    return int(getattr(error, "status_code", 0))


def refused(status: int, call: Any) -> None:
    """Check that a call is refused with an HTTP status, and with a reason."""
    try:
        call()
    except Exception as error:
        assert status_of(error) == status, f"expected {status}, got {error!r}"
        assert str(error), "a refusal without a reason"
        return
    raise AssertionError(f"expected {status}, but it was accepted")


def check_stream(events: list[Any], pairs: int = 1) -> None:
    """Check the order of events: created, steps one by one, completed; so many times; no event twice."""
    ids = [event.event_id for event in events if event.event_id]
    assert len(ids) == len(set(ids)), f"an event came twice: {ids}"
    kinds = [event.event_type for event in events]
    assert "error" not in kinds, events[kinds.index("error")]
    assert (kinds[0], kinds[-1]) == ("interaction.created", "interaction.completed"), kinds
    assert kinds.count("interaction.created") == kinds.count("interaction.completed") == pairs, kinds
    opened: list[int] = []
    for before, event in zip([None, *events], events, strict=False):
        if event.event_type == "interaction.created":
            assert before is None or before.event_type == "interaction.completed", kinds
            opened = []
        elif event.event_type == "step.start":
            assert not opened or event.index > opened[-1], f"step {event.index} after {opened}"
            opened.append(event.index)
        elif event.event_type in ("step.delta", "step.stop"):
            assert event.index == opened[-1], f"{event.event_type} of step {event.index} while {opened} are there"
    starts, stops = kinds.count("step.start"), kinds.count("step.stop")
    assert starts == stops > 0, f"{starts} steps began, {stops} ended"


def deltas_of(events: Iterable[Any], kind: str) -> list[Any]:
    """Return the deltas of a kind."""
    return [event.delta for event in events if event.event_type == "step.delta" and event.delta.type == kind]


def steps_of(interaction: Any, kind: str) -> list[Any]:
    """Return the steps of a kind."""
    return [step for step in interaction.steps or [] if step.type == kind]


def check_citations(interaction: Any) -> None:
    """Check that there are citations, and that each cuts whole characters out of the bytes of its text."""
    contents = [content for step in steps_of(interaction, "model_output") for content in step.content or []]
    texts = [content for content in contents if content.type == "text"]
    cited = [(text, note) for text in texts for note in text.annotations or [] if note.type == "url_citation"]
    assert cited, "nothing is cited"
    for text, note in cited:
        raw = text.text.encode()
        assert note.url.startswith("http"), note
        assert 0 <= (note.start_index or 0) < note.end_index <= len(raw), note
        raw[note.start_index or 0 : note.end_index].decode()
