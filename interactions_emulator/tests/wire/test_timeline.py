"""The page at `/` and the HAR file: what was asked and answered, and when, without secrets."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from interactions_emulator import Emulator
from interactions_emulator.engine.request_log import MAX_BODY_BYTES
from wire.conftest import MODEL, Wire, research

SECRET = "a-secret-key-123"


def ask(wire: Wire, text: str, **headers: str) -> httpx2.Response:
    return wire.http.post("/interactions", json={"model": MODEL, "input": text}, headers=headers)


def rows(wire: Wire, after: int = 0) -> dict[str, Any]:
    return dict(wire.http.get(f"/../_emulator/timeline?after={after}").json())


def test_a_browser_gets_the_timeline_and_a_program_the_description(wire: Wire) -> None:
    page = wire.http.get("/../", headers={"accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    assert '<script src="/timeline.js">' in page.text
    script = wire.http.get("/../timeline.js")
    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert wire.http.get("/../").json()["name"] == "interactions-emulator"


def test_the_timeline_shows_open_requests_and_the_pieces_of_a_stream(held: Emulator, wire: Wire) -> None:
    stream = wire.stream(research())
    next(stream)
    [row] = rows(wire)["requests"]
    assert (row["kind"], row["seconds"]) == ("create_stream", None)
    held.advance(60)
    held.advance(3600)
    list(stream)
    [row] = rows(wire)["requests"]
    assert row["seconds"] >= row["pieces"][-1] >= row["pieces"][0] >= 0
    assert len(row["pieces"]) >= 3
    assert rows(wire, after=row["number"])["requests"] == []
    assert rows(wire)["interactions"][0]["status"] == "completed"


def test_an_answer_that_the_client_left_or_that_was_cut_has_ended(held: Emulator, wire: Wire) -> None:
    with httpx2.Client(base_url=wire.http.base_url, headers=wire.http.headers) as leaving:
        body = research(stream=True)
        with leaving.stream("POST", "/interactions", json=body) as response:
            assert response.status_code == 200
    cut = wire.stream(research(), {"cut_after": 2})
    assert len([next(cut), next(cut)]) == 2
    ended = (all(row["seconds"] is not None for row in rows(wire)["requests"]) for _ in range(1_000))
    assert any(ended), "the server learns of the closed connection soon"


def test_details_and_har_have_bodies_and_answers_but_no_secret(api: Emulator, wire: Wire) -> None:
    ask(wire, "hello", **{"x-goog-api-key": SECRET})
    ask(wire, f"my key is {SECRET}", authorization=f"Bearer {SECRET}", **{"x-goog-api-key": ""})
    ask(wire, "x" * MAX_BODY_BYTES)
    number = rows(wire)["requests"][0]["number"]
    row = wire.http.get(f"/../_emulator/timeline/{number}").json()
    assert json.loads(row["body"])["input"] == "hello"
    assert json.loads(row["answer"])["status"] == "completed"
    har = api.har()["log"]
    first, second, third = har["entries"]
    assert (har["version"], first["request"]["method"], first["response"]["status"]) == ("1.2", "POST", 200)
    assert json.loads(second["request"]["postData"]["text"])["input"] == "my key is REDACTED"
    assert (third["request"]["bodySize"] > MAX_BODY_BYTES, "postData" in third["request"]) == (True, False)
    assert SECRET not in json.dumps(har) + json.dumps(row)


def test_a_key_in_the_query_or_in_a_header_is_in_no_body(api: Emulator, wire: Wire) -> None:
    body = {"model": MODEL, "input": f"my key is {SECRET}"}
    httpx2.post(f"{wire.http.base_url}interactions?key={SECRET}", json=body)
    ask(wire, body["input"], **{"x-goog-api-key": SECRET})
    row = wire.http.get(f"/../_emulator/timeline/{rows(wire)['requests'][0]['number']}").json()
    asked = [request["body"]["input"] for request in api.log(bodies=True)["requests"]]
    assert asked == ["my key is REDACTED"] * 2
    assert SECRET not in json.dumps(row) + json.dumps(api.har())


def test_a_request_that_is_not_kept_is_refused_by_its_number(wire: Wire) -> None:
    assert "request 7 is not kept" in wire.refused(wire.http.get("/../_emulator/timeline/7"), 404)
    assert "not 'x'" in wire.refused(wire.http.get("/../_emulator/timeline?after=x"), 400)
