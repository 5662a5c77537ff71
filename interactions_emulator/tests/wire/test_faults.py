"""Faults, each over a real socket: what the client sees, and that the run is none the worse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from interactions_emulator import Emulator
from interactions_emulator.faults.fault import Fault
from wire.brains import brain
from wire.conftest import MODEL, Wire, research

BODY = {"model": MODEL, "input": "hello"}
EVENTS = 8
"""How many events the stream of `BODY` has."""


def follow(wire: Wire, fault: dict[str, Any]) -> tuple[list[dict[str, Any]], BaseException | None]:
    """Return the events of a stream with a fault, and what ended it."""
    events = []
    try:
        for event in wire.stream(BODY, fault):
            events.append(event)
    except (httpx2.HTTPError, EOFError) as error:
        return events, error
    return events, None


@pytest.mark.parametrize(
    ("fault", "events", "ending"),
    [
        ({"cut_after": 0}, 0, httpx2.RemoteProtocolError),
        ({"cut_after": 3}, 3, httpx2.RemoteProtocolError),
        ({"cut_after": EVENTS}, EVENTS, httpx2.RemoteProtocolError),
        ({"cut_inside": 3}, 3, httpx2.RemoteProtocolError),
        ({"end_after": 3}, 3, EOFError),
        ({"array_after": 2}, 2, EOFError),
        ({"garbage_after": 2}, EVENTS, None),
        ({"error_after": 2}, 3, EOFError),
    ],
    ids=str,
)
def test_a_stream_fault_does_not_affect_the_stored_run(
    api: Emulator, wire: Wire, fault: dict[str, Any], events: int, ending: type[BaseException] | None
) -> None:
    seen, error = follow(wire, fault)
    assert len(seen) == events
    assert isinstance(error, ending) if ending else error is None
    (line,) = api.interactions()
    whole = list(wire.resume(line["id"]))
    assert len(whole) == EVENTS
    assert [event for event in seen if "event_id" in event] == whole[: len(seen) - ("error_after" in fault)]


def test_cut_inside_sends_only_part_of_an_event(wire: Wire) -> None:
    assert raw(wire, {"cut_inside": 1}).rpartition("\n\n")[2].startswith("event: interaction.status_update\nda")


def test_array_after_writes_a_bare_json_array_into_the_stream(wire: Wire) -> None:
    tail = raw(wire, {"array_after": 2}).rpartition("\n\n")[2]
    assert json.loads(tail)[0]["error"]["status"] == "UNAVAILABLE"


def test_garbage_after_inserts_a_line_that_is_not_an_event(wire: Wire) -> None:
    lines = raw(wire, {"garbage_after": 2}).splitlines()
    assert [line for line in lines if line and not line.startswith(("event: ", "data: "))]


def test_an_error_event_in_the_stream_has_no_event_id(wire: Wire) -> None:
    events, _ = follow(wire, {"error_after": 2})
    assert (events[-1]["event_type"], "event_id" in events[-1]) == ("error", False)


def test_silence_after_keeps_the_stream_open_without_events(api: Emulator, wire: Wire) -> None:
    stream = wire.stream(BODY, {"silence_after": 2})
    assert [next(stream)["event_type"] for _ in range(2)] == ["interaction.created", "interaction.status_update"]
    (line,) = api.interactions()
    wire.http.timeout = httpx2.Timeout(0.2)
    fault = {"x-emulator-fault": '{"silence_after": 2}'}
    request = wire.http.build_request("GET", f"/interactions/{line['id']}?stream=true", headers=fault)
    with pytest.raises(httpx2.ReadTimeout):
        list(wire.events(request))
    assert wire.get(line["id"])["status"] == "completed"


def test_events_can_be_repeated_swapped_or_of_an_unknown_type(wire: Wire) -> None:
    def heard(fault: dict[str, Any]) -> list[int]:
        numbers = re.findall(r'"event_id": ?"evt_[^"]*_(\d+)"', raw(wire, fault))
        return [int(number) for number in numbers]

    assert heard({"repeat_after": 2}) == [1, 2, 3, *range(3, EVENTS + 1)]
    assert heard({"swap_after": 2}) == [1, 2, 4, 3, *range(5, EVENTS + 1)]
    assert '"event_type":"agent.mood"' in raw(wire, {"unknown_after": 2})
    assert heard({"unknown_after": 2}) == [*range(1, EVENTS + 1)]


@pytest.mark.parametrize("accepted", [False, True])
def test_hang_keeps_the_connection_open_without_an_answer(api: Emulator, wire: Wire, accepted: bool) -> None:
    api.faults({"on": "create", "hang": True, "after_accept": accepted})
    with pytest.raises(httpx2.ReadTimeout):
        wire.http.post("/interactions", json=BODY, timeout=0.2)
    while not api.log()["requests"]:
        pass
    assert api.log()["creates"] == accepted


def test_usage_can_be_missing_from_the_stream_and_late_in_the_resource(api: Emulator, wire: Wire) -> None:
    events, _ = follow(wire, {"no_usage": True})
    assert "usage" not in events[-1]["interaction"]
    api.faults({"on": "get", "no_usage": True})
    assert "usage" not in wire.get(events[0]["interaction"]["id"])
    assert wire.get(events[0]["interaction"]["id"])["usage"]["total_tokens"] > 0


def test_a_status_fault_replaces_the_answer_and_creates_nothing(api: Emulator, wire: Wire) -> None:
    api.faults({"on": "create", "status": 429, "retry_after_ms": 1500})
    response = wire.http.post("/interactions", json=BODY)
    assert response.json()["error"]["code"] == "resource_exhausted"
    assert (response.headers["retry-after-ms"], response.headers["retry-after"]) == ("1500", "1")
    assert api.log()["creates"] == 0
    wire.create(BODY)


def test_a_dropped_request_is_not_executed(api: Emulator, wire: Wire) -> None:
    api.faults({"on": "create", "drop": True})
    with pytest.raises(httpx2.RemoteProtocolError):
        wire.create(BODY)
    assert (api.log()["creates"], api.interactions()) == (0, [])


@pytest.mark.parametrize("stream", [False, True])
def test_an_accepted_create_can_lose_its_answer(api: Emulator, wire: Wire, stream: bool) -> None:
    api.faults({"on": "create", "after_accept": True}, Fault(on="create", after_accept=True, status=503))
    with pytest.raises(httpx2.RemoteProtocolError):
        wire.http.post("/interactions", json=research(stream=stream))
    wire.refused(wire.http.post("/interactions", json=research(stream=stream)), 503)
    api.advance(0)
    assert api.log()["creates"] == 2
    assert [line["status"] for line in api.interactions()] == ["completed"] * 2
    assert [line["status"] for line in api.log()["requests"]] == [None, 503]


def test_a_cancel_can_be_refused(held: Emulator, wire: Wire) -> None:
    run = wire.create(research())
    held.faults({"on": "cancel", "status": 404})
    message = wire.refused(wire.http.post(f"/interactions/{run['id']}/cancel"), 404)
    assert message == "Method not found."
    assert wire.get(run["id"])["status"] == "in_progress"


def test_faults_apply_only_to_matching_requests(api: Emulator, wire: Wire) -> None:
    made = wire.create(BODY)
    api.faults(
        {"on": "get", "status": 500, "skip": 1, "times": 2},
        {"on": "resume", "status": 503, "times": 0},
        {"on": "delete", "drop": True},
    )
    path = f"/interactions/{made['id']}"
    assert [wire.http.get(path).status_code for _ in range(4)] == [200, 500, 500, 200]
    assert [wire.http.get(f"{path}?stream=true").status_code for _ in range(3)] == [503] * 3
    assert len(list(wire.stream(BODY))) == EVENTS
    with pytest.raises(httpx2.RemoteProtocolError):
        wire.http.delete(path)
    api.faults()
    assert list(wire.resume(made["id"]))


def test_faults_distinguish_create_streams_from_resumed_streams(api: Emulator, wire: Wire) -> None:
    api.faults({"on": "resume", "end_after": 1}, {"on": "create_stream", "end_after": 2})
    seen, _ = follow(wire, {"no_usage": True})
    api_seen = counted(wire.stream(BODY))
    assert (len(seen), api_seen) == (EVENTS, 2)
    assert counted(wire.resume(seen[0]["interaction"]["id"])) == 1


def test_faults_can_be_set_when_the_server_starts() -> None:
    with Emulator(brain=brain, faults=[{"on": "stream", "end_after": 1}]) as api:
        wire = Wire(api.url)
        assert counted(wire.stream(BODY)) == 1
        shown = wire.http.get(f"{api.url}/_emulator/faults").json()
        assert shown == [{"on": "stream", "end_after": 1, "matched": 1}]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"on": "create", "cut_after": 1}, "need on = create_stream"),
        ({"on": "create"}, "has no effect"),
        ({"on": "lunch", "drop": True}, "on is one of"),
        ({"on": "creat", "drop": True}, "did you mean create?"),
        ({"drop": True}, "on is missing"),
        ({"on": "get", "statu": 500}, "did you mean status?"),
        ({"on": "get", "drop": "yes"}, "drop is true or false"),
        ({"on": "get", "status": "500"}, "status is a number"),
        ({"on": "get", "colour": 1}, "field 'colour' is unknown"),
        ({"on": "get", "status": 5}, "status is a status of HTTP from 200 to 599, not 5"),
        ([{"on": "get", "drop": True}, {"on": "gett", "drop": True}], "fault 2 of 2: fault: on is one of"),
        ("drop", "fault 'drop' is unknown"),
        (7, "a fault is a name or an object"),
        ({"on": "get", "headers": {"a": "b"}}, "headers needs a status or a body"),
        ({"on": "get", "status": 503, "headers": {"a": "b\n"}}, "headers is an object of texts without line breaks"),
        ({"on": "get", "body": 7}, "body is a text"),
    ],
    ids=str,
)
def test_an_invalid_fault_is_refused_with_the_reason(api: Emulator, wire: Wire, fault: Any, why: str) -> None:
    assert why in wire.refused(wire.http.post(f"{api.url}/_emulator/faults", json=fault), 400)


def raw(wire: Wire, fault: dict[str, Any]) -> str:
    """The bytes of a stream, up to where it ends or is cut."""
    text = ""
    headers = {"x-emulator-fault": json.dumps(fault)}
    with wire.http.stream("POST", "/interactions", json={**BODY, "stream": True}, headers=headers) as response:
        try:
            for piece in response.iter_text():
                text += piece
        except httpx2.RemoteProtocolError:
            pass
    return text


def counted(stream: Iterator[dict[str, Any]]) -> int:
    """How many events come before the stream ends early."""
    events = 0
    with pytest.raises(EOFError):
        for _ in stream:
            events += 1
    return events


def created(wire: Wire, **more: Any) -> httpx2.Response:
    return wire.http.post("/interactions", json=research(**more))


@pytest.mark.parametrize(
    ("name", "status", "content_type", "location"),
    [
        ("create_redirected", 303, "application/json", "http://127.0.0.1:1/"),
        ("create_moved", 307, "application/json", "http://127.0.0.1:1/v1beta/interactions"),
        ("create_proxy_page", 200, "text/html", None),
        ("create_201", 201, "application/json", "/v1beta/interactions/{id}"),
        ("create_204", 204, "application/json", None),
        ("create_empty", 200, None, None),
    ],
)
def test_a_create_can_get_an_answer_that_the_api_never_gives(
    api: Emulator, wire: Wire, name: str, status: int, content_type: str | None, location: str | None
) -> None:
    api.faults(name)
    answer = created(wire)
    made = api.interactions()
    assert bool(made) == ("redirected" not in name and "moved" not in name)
    assert answer.status_code == status
    assert answer.headers.get("content-type") == content_type
    assert answer.headers.get("location") == (location and location.replace("{id}", made[0]["id"] if made else ""))
    assert api.unused()["faults"] == []


def test_a_stream_can_be_answered_with_json_that_has_the_id(api: Emulator, wire: Wire) -> None:
    api.faults("create_json_for_stream")
    answer = created(wire, stream=True)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"id": api.interactions()[0]["id"], "object": "interaction", "status": "in_progress"}


@pytest.mark.parametrize("name", ["stream_ping", "stream_odd_events"])
def test_a_stream_can_begin_with_what_is_no_event(api: Emulator, wire: Wire, name: str) -> None:
    api.faults(name)
    lines = wire.http.post("/interactions", json={**BODY, "stream": True}).text.split("\n\n")
    odd = next(index for index, line in enumerate(lines) if line.startswith("event: interaction.created"))
    assert odd > 0 and len(lines) - odd == EVENTS + 2  # the events, done, and what follows the last line


def test_a_read_can_get_pages_of_a_proxy_and_odd_times_to_retry(api: Emulator, wire: Wire) -> None:
    path = f"/interactions/{wire.create(BODY)['id']}"
    api.faults("read_proxy_pages", "read_retry_tomorrow", "read_retry_never")
    answers = [wire.http.get(path) for _ in range(8)]
    assert [answer.headers["content-type"] for answer in answers[:5]] == ["text/html"] * 5
    assert [answer.status_code for answer in answers[5:]] == [503, 503, 200]
    assert (answers[5].headers["retry-after"], answers[6].headers["retry-after-ms"]) == ("86400", "inf")


def test_an_accepted_run_can_be_404_for_ever() -> None:
    with Emulator(brain=brain, faults=["accepted_then_404"]) as api:
        other = Wire(api.url)
        run = other.create(research())
        assert run["status"] == "in_progress"
        streamed = other.http.post("/interactions", json=research(stream=True)).text
        assert "in_progress" in streamed and "step." not in streamed
        for line in api.interactions():
            assert [other.http.get(f"/interactions/{line['id']}").status_code for _ in range(3)] == [404] * 3
            assert other.http.get(f"/interactions/{line['id']}?stream=true").status_code == 404
        assert [line["status"] for line in api.interactions()] == ["completed"] * 2  # it runs, and costs, all the same


def test_an_unknown_name_of_a_fault_is_answered_with_a_similar_one(wire: Wire, api: Emulator) -> None:
    message = wire.refused(wire.http.post(f"{api.url}/_emulator/faults", json=["zombi"]), 400)
    assert message == "fault 'zombi' is unknown; `interactions-emulator faults` lists all; did you mean zombie?"


def test_a_fault_for_one_request_or_from_curl_may_be_a_bare_name(api: Emulator, wire: Wire) -> None:
    body = {"model": MODEL, "input": "x"}
    once = wire.http.post("/interactions", json=body, headers={"x-emulator-fault": "rate_limited"})
    assert once.status_code == 429
    assert wire.http.post(f"{api.url}/_emulator/faults", content="overloaded").status_code == 200
    assert [wire.http.post("/interactions", json=body).status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("rate_limitd", "did you mean rate_limited?"),
        ("cancel_404", "cancel_404 hits a request of the kind cancel, and this one is create"),
        ("{status: 500}", "x-emulator-fault is no fault (key must be a string at line 1 column 2)"),
        ("[" * 2_000, "x-emulator-fault is no fault (recursion limit exceeded"),
    ],
)
def test_a_header_that_is_no_fault_is_refused_with_the_reason(wire: Wire, header: str, why: str) -> None:
    refused = wire.http.post("/interactions", json={"model": MODEL, "input": "x"}, headers={"x-emulator-fault": header})
    assert why in wire.refused(refused, 400)
