"""Random answers (status, headers, body, order of events) to create, read and stream, and random finished resources."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.malformed_answers.play import HANGING_S, MEASURED_MAX_HELD_S, Place, check, place
from tests.malformed_answers.server import CREATED, DONE, NAME, RUNNING, Reply
from tools.text.unsafe_characters import sanitize

STATUSES = (
    *("200 OK", "201 Created", "202 Accepted", "203 X", "204 No Content", "206 Partial", "226 IM Used", "299 X"),
    *("300 X", "301 X", "302 X", "303 X", "304 Not Modified", "307 X", "308 X", "399 X"),
    *("400 X", "401 X", "403 X", "404 X", "408 X", "409 X", "413 X", "418 X", "422 X", "425 X", "429 X", "451 X"),
    *("500 X", "501 X", "502 X", "503 X", "504 X", "520 X", "599 X"),
)
TYPES = (
    *(
        "text/event-stream",
        "TEXT/EVENT-STREAM; charset=utf-16",
        "application/json",
        "application/json; charset=latin-1",
    ),
    *("text/html", "text/plain", "application/octet-stream", "multipart/mixed", "x", "", ";;", "ü"),
)
TARGETS = ("/", "/x", "//127.0.0.1:9/", "http://127.0.0.1:9/x", "http://[", "::", "ftp://127.0.0.1/", "", "data:x")
WAITS = ("0", "1", "0.5", "86400", "inf", "nan", "-1", "1e400", "soon", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 50)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
texts = st.text(max_size=30) | st.sampled_from(
    ["\0", "\ud800", "\x1b[2J", "# A\n\n", "[1]", "|a|\n|-|\n", "`" * 99, "[" * 99]
)


def either(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual value, and now and then any other."""
    return st.one_of(usual, usual, usual, json_values)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: either(value) for name, value in fields.items()})


ids = st.sampled_from([NAME, NAME, NAME, 5, "", "a/b", "..", " ", "ü", None])
annotations = objects(
    type=st.sampled_from(["url_citation", "file_citation"]),
    url=st.sampled_from(["https://example.org/a", "javascript:alert(1)", "http://127.1/"]),
    title=texts,
    start_index=st.integers(-5, 99),
    end_index=st.integers(-5, 99),
)
contents = objects(
    type=st.sampled_from(["text", "image", "document", "hologram"]),
    text=texts,
    annotations=st.lists(annotations, max_size=2),
    mime_type=st.sampled_from(["image/png", "image/html", "image/svg+xml", "text/html"]),
    data=st.sampled_from(["", "iVBORw0=", "PHN2Zz48L3N2Zz4=", "!", "a" * 99]),
)
steps = objects(
    type=st.sampled_from(["model_output", "model_output", "thought", "google_search_call", "user_input", "hologram"]),
    content=st.lists(contents, max_size=3),
    summary=st.lists(contents, max_size=1),
    arguments=objects(queries=st.lists(texts, max_size=2), urls=st.lists(texts, max_size=2)),
)
resources = objects(
    id=ids,
    status=st.sampled_from(["in_progress", "completed", "failed", "cancelled", "incomplete", "dreaming"]),
    steps=st.lists(steps, max_size=4),
    usage=objects(total_tokens=st.integers()),
    errors=st.lists(objects(code=texts, message=texts), max_size=2),
    created=texts,
)
EVENT_TYPES = (
    *("interaction.created", "interaction.status_update", "interaction.completed"),
    *("step.start", "step.delta", "step.stop", "error"),
)
events = objects(
    event_type=st.sampled_from(
        [
            "interaction.created",
            "interaction.status_update",
            "step.start",
            "step.delta",
            "interaction.completed",
            "error",
        ]
    ),
    event_id=st.sampled_from(["e1", "e2", "e3", 4, ""]),
    interaction=resources,
    interaction_id=ids,
    index=st.integers(-1, 3),
    step=steps,
    delta=objects(type=st.sampled_from(["text", "thought_summary"]), text=texts, content=contents, arguments=texts),
    error=objects(code=texts, message=texts),
)
raw = st.binary(max_size=60) | st.sampled_from(
    [
        b"",
        b"<html>",
        b"{",
        b"[" * 5_000,
        b"null",
        b"\xef\xbb\xbf{}",
        b"data: ping\n\n",
        b": \n\n",
        b"[DONE]",
        b"\r\n" * 99,
    ]
)


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


def streamed(items: list[Any]) -> bytes:
    """A stream of these events; bytes are inserted unchanged."""
    return b"".join(item if isinstance(item, bytes) else b"data: " + written(item) + b"\n\n" for item in items)


streams = st.lists(st.one_of(st.just(CREATED), events, events, json_values, raw), max_size=6).map(streamed)
bodies = st.one_of(streams, streams, resources.map(written), st.just(written(RUNNING)), json_values.map(written), raw)
headers = st.lists(
    st.one_of(
        st.tuples(st.just("content-type"), st.sampled_from(TYPES)),
        st.tuples(st.just("location"), st.sampled_from([*TARGETS, f"/v1beta/interactions/{NAME}"])),
        st.tuples(st.sampled_from(["retry-after", "retry-after-ms"]), st.sampled_from(WAITS)),
        st.tuples(st.just("content-encoding"), st.sampled_from(["gzip", "identity", "x"])),
        st.tuples(st.just("content-length"), st.sampled_from(["0", "5", "99999"])),
        st.tuples(st.just("set-cookie"), st.just("a=b")),
    ),
    max_size=3,
    unique_by=lambda header: header[0],
).map(tuple)
replies = st.builds(
    lambda status, headers, body: Reply(status, tuple((n, v.encode().decode("latin-1")) for n, v in headers), body),
    st.sampled_from(["200 OK"] * 12 + list(STATUSES)),
    headers,
    bodies,
)
END = "2026-11-28T00:00:00Z"
"""Creation time of the finished interaction, by which its report is recognised."""
finished = st.one_of(st.just(DONE), resources).map(
    lambda end: {**end, "id": NAME, "status": "completed", "created": END}
)

_numbers = itertools.count()


@contextmanager
def running(folder: Path, max_held_s: float) -> Iterator[tuple[asyncio.Runner, Place]]:
    """An event loop, and a place that runs on it."""
    with asyncio.Runner() as runner:
        manager = place(folder, max_held_s)
        found = runner.run(manager.__aenter__())
        try:
            yield runner, found
        finally:
            runner.run(manager.__aexit__(None, None, None))


def play_many(folder: Path, examples: int, number: int, max_held_s: float = HANGING_S) -> None:
    """Plays random examples.

    Args:
        number: seed of the random series.
        max_held_s: CPU seconds for which the event loop may be blocked.

    Raises:
        AssertionError: a promise was broken; hypothesis prints the smallest example that breaks it.
    """
    profile = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )

    with running(folder, max_held_s) as (runner, where):
        where.server.play()
        runner.run(where.research("what only the first one takes: imports and the database"))
        gc.collect()
        gc.freeze()

        @seed(number)
        @profile
        @given(
            st.lists(replies, min_size=1, max_size=2),
            st.lists(replies, min_size=1, max_size=2),
            st.lists(replies, max_size=3),
            finished,
        )
        def play(create: list[Reply], stream: list[Reply], read: list[Reply], end: dict[str, Any]) -> None:
            last = Reply(headers=(("content-type", "application/json"),), body=written(end))
            where.server.play(create=create, stream=stream, read=[*read, last])
            job = runner.run(check(where, f"tides {next(_numbers)}"))
            found = runner.run(where.service.report(job.id))
            if found is not None and found.created == END and not found.sources:
                for text in outputs(end):
                    assert sanitize(text).strip() in found.text, "a part of what was paid for is lost"

        play()


def outputs(resource: dict[str, Any]) -> list[str]:
    """The texts of a resource's outputs after the last input, as far as they have the form of the API."""
    found: list[str] = []
    steps = resource.get("steps")
    for step in steps if isinstance(steps, list) else ():
        if not isinstance(step, dict):
            continue
        if step.get("type") == "user_input":
            found.clear()
        content = step.get("content") if step.get("type") == "model_output" else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
                found.append(part["text"])
    return found


def play_series(examples: int, number: int) -> None:
    """`play_many` for a process of its own, with a temporary folder and a stricter limit on blocking the event loop."""
    logging.disable(logging.CRITICAL)  # the malformed answers are intended
    with tempfile.TemporaryDirectory() as folder:
        play_many(Path(folder), examples, number, MEASURED_MAX_HELD_S)
