"""A brain whose text comes in pieces: streams send each piece at once, and always the same events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain, Ending, Entry, TextDelta, TimedStep, Turn
from interactions_emulator.engine.events import frames, open_step_events
from wire.brains import said
from wire.conftest import MODEL, Wire

CITATION = {"type": "url_citation", "url": "https://example.org/sea", "title": "Sea", "start_index": 0, "end_index": 7}
ANSWER: list[Entry] = [
    TextDelta("**Looking", "thought"),
    TextDelta(" up**", "thought"),
    TextDelta("The sea"),
    TextDelta(" rises 🌊"),
    TextDelta("", annotations=(CITATION,)),
]
CALL = {"type": "function_call", "id": "fc", "name": "look", "arguments": {}}


class Writer:
    """A brain that writes the first pieces, and the others when it is allowed to."""

    def __init__(self) -> None:
        self.allowed = threading.Event()

    def __call__(self, turn: Turn) -> Iterator[Entry]:
        yield from ANSWER[:3]
        assert self.allowed.wait(60)
        yield from ANSWER[3:]


def once(brain: Any, **request: Any) -> dict[str, Any]:
    """The interaction that a brain answers."""
    with Emulator(brain=brain) as api, (wire := Wire(api.url)).http:
        return wire.create({"model": MODEL, "input": "Hi", **request})


def test_a_piece_of_text_is_sent_before_the_next_one_is_written() -> None:
    writer = Writer()
    with Emulator(brain=writer) as api, (wire := Wire(api.url)).http:
        stream = wire.stream({"model": MODEL, "input": "Hi"})
        begun = [next(stream) for _ in range(8)]
        writer.allowed.set()
        events = [*begun, *stream]
    kinds = [event["event_type"] for event in events[2:-1]]
    assert kinds == [f"step.{kind}" for kind in ("start", *["delta"] * 2, "stop", "start", *["delta"] * 3, "stop")]
    deltas = [event["delta"] for event in events if event["event_type"] == "step.delta"]
    assert [delta["content"]["text"] for delta in deltas[:2]] == ["**Looking", " up**"]
    assert [delta["text"] for delta in deltas[2:4]] == ["The sea", " rises 🌊"]
    assert deltas[4] == {"type": "text_annotation_delta", "annotations": [CITATION]}
    assert begun[-1]["delta"]["text"] == "The sea"


def test_a_background_run_shows_the_text_so_far_and_each_stream_the_same_events() -> None:
    writer = Writer()
    with Emulator(brain=writer) as api, (wire := Wire(api.url)).http:
        live = wire.stream({"model": MODEL, "input": "Hi", "background": True})
        seen = [next(live) for _ in range(8)]
        run = wire.get(seen[0]["interaction"]["id"])
        assert (run["status"], run["steps"][-1]["content"][0]["text"]) == ("in_progress", "The sea")
        resumed = wire.resume(run["id"], seen[-1]["event_id"])
        writer.allowed.set()
        rest = list(resumed)
        assert [*seen, *rest] == [*seen, *live] == list(wire.resume(run["id"]))
        ended = wire.get(run["id"])
    thought, output = ended["steps"]
    assert thought["summary"] == [{"type": "text", "text": "**Looking up**"}]
    assert output["content"] == [{"type": "text", "text": "The sea rises 🌊", "annotations": [CITATION]}]
    assert ended["usage"]["total_thought_tokens"] == 4


def test_a_cancelled_run_keeps_the_text_so_far_and_its_brain_stops() -> None:
    texts: Queue[str] = Queue()
    closed = threading.Event()

    def brain(turn: Turn) -> Iterator[Entry]:
        try:
            while True:
                yield TextDelta(texts.get())
        finally:
            closed.set()

    texts.put("The sea")
    with Emulator(brain=brain) as api, (wire := Wire(api.url)).http:
        live = wire.stream({"model": MODEL, "input": "Hi", "background": True})
        seen = [next(live) for _ in range(4)]
        ended = wire.good(wire.http.post(f"/interactions/{seen[0]['interaction']['id']}/cancel"))
        assert (ended["status"], ended["steps"]) == ("cancelled", [said("The sea")])
        assert [event["event_type"] for event in live] == ["step.stop", "interaction.completed"]
        texts.put("Nobody reads this.")
        assert closed.wait(60)


@pytest.mark.parametrize("repeats", ["the pieces", "the steps it is given"])
def test_a_restarted_server_sends_told_text_once_and_the_brain_goes_on(tmp_path: Path, repeats: str) -> None:
    allowed = threading.Event()
    given: list[int] = []

    def brain(turn: Turn) -> Iterator[Entry]:
        given.append(len(turn.answered))
        if turn.answered and repeats != "the pieces":
            yield from (TimedStep(0, step) for step in turn.answered)
        else:
            yield from (*ANSWER[:4], TimedStep(0, CALL))
        if not allowed.wait(0 if turn.answered else 60):
            return

    with Emulator(brain=brain, state=tmp_path / "state.db") as api:
        wire = Wire(api.url)
        live = wire.stream({"model": MODEL, "input": "Hi", "background": True})
        seen = [next(live) for _ in range(12)]
        live.close()
        api.restart()
        rest = list(wire.resume(seen[0]["interaction"]["id"], seen[6]["event_id"]))
        assert [event["event_id"] for event in rest[:5]] == [event["event_id"] for event in seen[7:]]
        ended = wire.get(seen[0]["interaction"]["id"])
        allowed.set()
        wire.http.close()
    assert given == [0, 3]
    assert [step["type"] for step in ended["steps"]] == ["thought", "model_output", "function_call"]
    assert ended["status"] == "requires_action"


def test_a_restarted_brain_that_writes_another_text_fails_the_run(tmp_path: Path) -> None:
    texts = iter(["The sea", "The moon"])
    allowed = threading.Event()

    def brain(turn: Turn) -> Iterator[Entry]:
        yield TextDelta(next(texts))
        yield TimedStep(0, said("Then more."))
        allowed.wait(0 if turn.answered else 60)

    with Emulator(brain=brain, state=tmp_path / "state.db") as api, (wire := Wire(api.url)).http:
        live = wire.stream({"model": MODEL, "input": "Hi", "background": True})
        seen = [next(live) for _ in range(8)]
        api.restart()
        *_, end = wire.resume(seen[0]["interaction"]["id"])
        allowed.set()
        assert end["interaction"]["status"] == "failed"
        assert "another answer" in wire.get(end["interaction"]["id"])["errors"][0]["message"]


WRONG: dict[str, tuple[Brain | Any, str]] = {
    "not entries": (
        lambda turn: 5,
        "TypeError: a brain yields TimedStep, TextDelta or Ending, or returns a list of them, not 5",
    ),
    "a text": (lambda turn: iter(["Hello"]), "a brain yields TimedStep, TextDelta or Ending, not 'Hello'"),
    "a text in a list": (lambda turn: ["Hello"], "a brain yields TimedStep, TextDelta or Ending, not 'Hello'"),
    "a step without its wait": (lambda turn: [said("Hello")], "not {'type': 'model_output'"),
    "an unknown step": (lambda turn: [TimedStep(0, {"type": "poem"})], "step type 'poem' is unknown"),
    "a step that is no JSON": (
        lambda turn: iter([TimedStep(0, {"type": "thought", "x": object})]),
        "cannot hold: <class 'object'>",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_brain_that_answers_something_else_fails_with_a_sentence(name: str) -> None:
    brain, sentence = WRONG[name]
    ended = once(brain)
    assert (ended["status"], ended["steps"]) == ("failed", [])
    assert sentence in ended["errors"][0]["message"]


def test_a_brain_that_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="brain is a function that takes a Turn, or a ModelBrain, not 5"):
        Emulator(brain=5)  # type: ignore[arg-type]


def test_text_before_a_failed_ending_is_kept() -> None:
    ended = once(lambda turn: iter([TextDelta("The sea"), Ending("incomplete")]))
    assert (ended["status"], ended["steps"]) == ("incomplete", [said("The sea")])


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\n\r"\\\x85\u2028\u2029\x7f')))
def test_a_text_delta_has_the_bytes_of_its_event_as_json(text: str) -> None:
    for kind, wrap in (
        ("model_output", dict),
        ("thought", lambda delta: {"type": "thought_summary", "content": delta}),
    ):
        event = {"event_type": "step.delta", "index": 3, "delta": wrap({"type": "text", "text": text})}
        [delta] = open_step_events(kind, [text], 3, 1)
        data = to_json({**event, "event_id": "evt_abc_000012"}).decode()
        for character in "\x85\u2028\u2029":
            data = data.replace(character, json.dumps(character)[1:-1])
        assert frames([delta], b"evt_abc_", 12) == [f"event: step.delta\ndata: {data}\n\n".encode()]
