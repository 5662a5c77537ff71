"""A stream of events is read correctly, however it is split into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.adk.answer_events import join_pieces
from tools.interactions.sse import SSEDecoder

LINES = st.sampled_from((b"\n", b"\r\n", b"\r"))
DATA = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1, max_size=30).filter(
    lambda text: not text.startswith(" ")
)
NOISE = st.sampled_from((b"", b": a comment", b"event: step.delta", b"id: 7", b"retry: 100", b"datum: no", b"noise"))


def read(*pieces: bytes) -> list[bytes]:
    splitter = SSEDecoder()
    return [data for piece in pieces for data in splitter.feed(piece)]


@given(st.lists(st.tuples(NOISE, DATA)), LINES, st.sampled_from((b"data:", b"data: ")), st.booleans(), st.data())
def test_the_data_of_each_event_is_complete_however_the_stream_is_split(
    events: list[tuple[bytes, str]], end: bytes, field: bytes, mark: bool, choose: st.DataObject
) -> None:
    stream = (b"\xef\xbb\xbf" if mark else b"") + b"".join(
        noise + end + field + data.encode() + end + end if noise else field + data.encode() + end + end
        for noise, data in events
    )
    cuts = sorted(choose.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*pieces) == [data.encode() for _, data in events]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data:  two\n\n", [b" two"]),
        (b"data: never ended\n", []),
        (b"event: ping\n\n", []),
        (b"\n\n\ndata: late\n\n\n", [b"late"]),
    ],
)
def test_lines_are_parsed_as_the_sse_standard_says(stream: bytes, data: list[bytes]) -> None:
    assert read(stream) == data


def delta(index: int, text: object, **more: object) -> dict[str, object]:
    return {"event_type": "step.delta", "index": index, "delta": {"type": "text", "text": text, **more}}


def test_text_chunks_that_arrive_together_are_merged() -> None:
    stop = {"event_type": "step.stop", "index": 0}
    cited = delta(1, "c", annotations=[])
    assert join_pieces([delta(0, "a"), delta(0, "b"), stop, delta(1, "c"), delta(1, "d")]) == [
        delta(0, "ab"),
        stop,
        delta(1, "cd"),
    ]
    for apart in ([delta(0, "a"), delta(1, "b")], [delta(1, "a"), cited], [cited, delta(1, "a")], [delta(0, 1)] * 2):
        assert join_pieces(apart) == apart
