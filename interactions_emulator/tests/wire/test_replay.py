"""Exchanges in a file: written and read without loss, matched by what they say, and refused with their place."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from interactions_emulator import Emulator
from interactions_emulator.errors import Refused
from interactions_emulator.recording.file_format import Exchange, exchanges
from interactions_emulator.recording.recording_file import CapturedExchange, frames, to_yaml
from interactions_emulator.recording.redaction import REDACTED, Redactor
from interactions_emulator.recording.replay import Replay
from interactions_emulator.scenarios import load_scenarios
from wire.brains import brain
from wire.conftest import KEY, MODEL, Wire

AWKWARD = st.text(st.sampled_from("\n\r\t \x85\u2028\u2029\ufeff\x00\x7f\"'\\{}[]:,-#&*!|>%@`a🌊é~=<1"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | AWKWARD | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(AWKWARD | st.text(), inner, max_size=3),
    max_leaves=10,
)
BODY = st.binary() | AWKWARD.map(str.encode) | JSON.map(lambda value: json.dumps(value).encode())
PIECES = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1) | st.sampled_from([b"\n", b"\r\n", b"data: a\n\n"])))


def captured(body: bytes, **answer: Any) -> CapturedExchange:
    return CapturedExchange("POST", "/v1beta/interactions", "", body, [], status=200, **answer)


@given(st.lists(st.tuples(BODY, BODY), max_size=3))
def test_any_body_is_replayed_byte_for_byte(bodies: list[tuple[bytes, bytes]]) -> None:
    numbered = {b'{"number": %d, "asked": %r}' % (n, asked): said for n, (asked, said) in enumerate(bodies)}
    redactor = Redactor()
    file = "".join(to_yaml(captured(asked, chunks=[(0, said)]).exchange(redactor)) for asked, said in numbered.items())
    replay = Replay(exchanges(yaml.safe_load(file) or []))
    for asked, said in numbered.items():
        answer = replay.answer("POST", "/v1/interactions", "", asked)
        assert answer and answer.body == said


@given(JSON.map(lambda value: {"asked": value}))
def test_a_json_request_matches_regardless_of_formatting(asked: dict[str, Any]) -> None:
    file = to_yaml(captured(json.dumps(asked).encode()).exchange(Redactor()))
    replay = Replay(exchanges(yaml.safe_load(file)))
    for other in (json.dumps(asked, indent=3), json.dumps(asked, sort_keys=True, separators=(",", ":"))):
        assert replay.answer("POST", "/v1/interactions", "", other.encode())
    assert not replay.answer("POST", "/v1/interactions", "", json.dumps({**asked, "more": 1}).encode())


@given(PIECES)
def test_any_stream_is_replayed_byte_for_byte(pieces: list[tuple[float, bytes]]) -> None:
    recorded = captured(b"", content_type="text/event-stream", chunks=sorted(pieces, key=lambda piece: piece[0]))
    answer = Replay(exchanges(yaml.safe_load(to_yaml(recorded.exchange(Redactor()))))).answer(
        "POST", "/v1/interactions", "", b""
    )
    assert answer and isinstance(answer.body, list)
    assert b"".join(data for _, data in answer.body) == b"".join(data for _, data in recorded.chunks)


def test_a_frame_with_special_characters_leaves_the_others_readable() -> None:
    pieces = [(0.0, "data: \u2028\n\n".encode()), (0.0, b"event: done\ndata: [DONE]\n\n")]
    text = to_yaml(captured(b"", content_type="text/event-stream", chunks=pieces).exchange(Redactor()))
    assert text.endswith("    - data: |+\n        event: done\n        data: [DONE]\n\n")


def test_a_frame_has_the_time_at_which_it_was_complete() -> None:
    chunks = [(1.0, b"data: a\n"), (2.5, b"\ndata: b\n\n: c\r"), (2.75, b"\n\r"), (3.0, b"\ndata: d\r\r"), (4.0, b"e")]
    whole = [(2.5, b"data: a\n\n"), (0, b"data: b\n\n"), (0.5, b": c\r\n\r\n"), (0, b"data: d\r\r"), (1.0, b"e")]
    assert list(frames(chunks)) == whole


def test_a_stream_closed_after_done_is_recorded_as_complete() -> None:
    whole, half = b"data: [DONE]\n\n", b"data: [DO"
    for data, cut in ((whole, False), (half, True)):
        recorded = captured(b"", content_type="text/event-stream", chunks=[(0, data)], cut=True)
        assert recorded.exchange(Redactor()).response.cut is cut


def entry(body: Any, answer: Any, **request: Any) -> dict[str, Any]:
    asked = {"method": "POST", "path": "/interactions", "body": body, **request}
    return {"request": asked, "response": {"status": 200, "body": answer}}


def test_equal_requests_are_answered_in_recorded_order_and_then_by_the_last() -> None:
    replay = Replay(exchanges([entry({"a": 1}, "1"), entry({"b": 1}, "other"), entry({"a": 1}, "2")]))
    said = [replay.answer("POST", "/v1/interactions", "", b'{"a":1}') for _ in range(4)]
    assert [answer and answer.body for answer in said] == [b"1", b"2", b"2", b"2"]


def test_a_replayed_request_must_match_method_path_query_and_body() -> None:
    replay = Replay(exchanges([entry({"a": [1, 2]}, "x", query="stream=true&key=REDACTED&after=a%20b")]))

    def fits(method: str = "POST", path: str = "/v9/interactions", query: str = "", body: bytes = b"") -> bool:
        query = query or "after=a+b&key=mine&stream=true"
        return replay.answer(method, path, query, body or b'{"a": [1, 2]}') is not None

    assert fits() and fits(path="/v1beta/interactions")
    assert not fits(method="PUT") and not fits(path="/v1/interactions/x")
    assert not fits(query="stream=true") and not fits(body=b'{"a": [2, 1]}') and not fits(body=b"a")


def test_requests_that_differ_only_in_secrets_are_equal() -> None:
    def asked(secret: str) -> bytes:
        tool = {"type": "mcp_server", "headers": {"Authorization": secret}}
        return json.dumps({"tools": [tool], "input": f"Is {secret} right?"}).encode()

    recorded = to_yaml(captured(asked("secret-of-mine")).exchange(Redactor()))
    replay = Replay(exchanges(yaml.safe_load(recorded)))
    assert replay.answer("POST", "/v1/interactions", "", asked("secret-of-yours"))


@pytest.mark.parametrize("length", range(30, 160, 7))
def test_secrets_are_redacted_in_cut_json(length: int) -> None:
    tools = [{"type": "mcp_server", "headers": {"A": 'qu"oted-secret', "B": ["zzzzz"]}}]
    text = json.dumps({"new_signing_secret": "whsec_abcdef", "interaction": {"tools": tools}})
    redacted = Redactor().text(f"event: x\ndata: {text}"[:length])
    assert not any(part in redacted for part in ("whs", "qu", "oted", "zz"))
    assert Redactor().text(text) == text.replace("whsec_abcdef", REDACTED).replace(
        'qu\\"oted-secret', REDACTED
    ).replace("zzzzz", REDACTED)


def test_a_key_too_short_to_be_unique_is_not_redacted() -> None:
    assert Redactor(["any", "long enough-key"]).text("many long enough-keys") == f"many long {REDACTED}s"


STREAM = {"status": 200, "events": [{"after": 0.1, "data": "data: 1\n\n"}]}
ASKED = {"method": "GET", "path": "/interactions/x"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"request": ASKED}, "number 1 (GET /interactions/x): response: Field required"),
        ({"request": {**ASKED, "path": "interactions"}, "response": STREAM}, "request.path"),
        ({"request": {**ASKED, "colour": "red"}, "response": STREAM}, "request.colour"),
        ({"request": "GET /", "response": STREAM}, "number 1: request"),
        ({"request": ASKED, "response": {**STREAM, "status": "fine"}}, "response.status"),
        ({"request": ASKED, "response": {**STREAM, "body": "too"}}, "not both"),
        ({"request": ASKED, "response": {"status": 200, "body": 7}}, "response.body: Value error, give a mapping"),
        ({"request": ASKED, "response": {"status": 200, "events": [{"after": -1, "data": ""}]}}, "events.0.after"),
        ({"request": ASKED, "response": {"status": 200, "events": [{"data": 1}]}}, "response.events.0.data"),
        ({"request": ASKED, "response": {"status": 200, "events": [{"data": ""}]}}, "response.events.0.data"),
        (yaml.safe_load("{request: {method: GET, path: /a}, response: {status: 200, body: [2026-01-01]}}"), "dates"),
        (yaml.safe_load(r'{request: {method: GET, path: /a}, response: {status: 200, body: "\ud800"}}'), "surrogate"),
    ],
)
def test_an_invalid_entry_is_reported_with_its_position(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused) as refused:
        exchanges([entry({}, "x"), wrong])
    assert refused.value.status == 400 and why in refused.value.message


def test_a_strict_replay_says_what_was_asked_and_how_the_nearest_request_differs() -> None:
    recorded = [entry({"model": "m", "input": "a"}, "1"), entry({"model": "m", "input": "b", "stream": True}, "2")]
    loaded = load_scenarios([*recorded, entry("text", "3", path="/webhooks")])
    assert loaded.strict
    replay = Replay(loaded.exchanges, loaded.strict)

    def refusal(path: str, body: bytes) -> str:
        with pytest.raises(Refused) as refused:
            replay.answer("POST", path, "", body)
        assert refused.value.status == 400
        return refused.value.message

    message = refusal("/v1/interactions", b'{"model": "m", "input": "c", "stream": true}')
    assert message.startswith("No recorded request is equal to this POST /interactions.")
    assert "The nearest is scenarios[1]: POST /interactions, which has another body.input. Record again" in message
    assert "scenarios[2]: POST /webhooks, which has another body." in refusal("/v1/webhooks", b"other")
    assert replay.answer("POST", "/v1/interactions", "", b'{"input": "a", "model": "m"}')


def test_a_replay_that_is_not_strict_leaves_other_requests_to_the_emulator() -> None:
    body = {"model": MODEL, "input": "Hello"}
    recorded = [entry(body, {"id": "v1_recorded", "status": "completed"})]
    for strict, status in ((None, 400), (False, 200)):
        scenarios = {"scenarios": recorded} | ({} if strict is None else {"strict": strict})
        with Emulator(brain=brain, scenarios=scenarios) as api:
            assert httpx2.post(f"{api.url}/v1/interactions", json=body, headers=KEY).json()["id"] == "v1_recorded"
            other = httpx2.post(f"{api.url}/v1/interactions", json={**body, "input": "Bye"}, headers=KEY)
            assert other.status_code == status


def test_a_request_without_a_key_uses_up_no_recorded_answer() -> None:
    body = {"model": MODEL, "input": "Hello"}
    recorded = [entry(body, {"id": f"v1_{number}", "status": "completed"}) for number in (1, 2)]
    with Emulator(scenarios=recorded) as api:
        assert httpx2.post(f"{api.url}/v1/interactions", json=body).status_code == 401
        assert httpx2.post(f"{api.url}/v1/interactions", json=body, headers=KEY).json()["id"] == "v1_1"


def test_scenarios_beside_recorded_answers_answer_what_was_not_recorded() -> None:
    script = [entry({"model": MODEL, "input": "a"}, {"id": "v1_recorded"}), {"match": {"text": "b"}, "text": "B."}]
    with Emulator(brain=brain, scenarios=script) as api:
        wire = Wire(api.url)
        assert wire.create({"model": MODEL, "input": "b"})["steps"][0]["content"][0]["text"] == "B."
        assert wire.create({"model": MODEL, "input": "c"})["errors"][0]["code"] == "no_scenario"


def test_an_entry_with_only_required_fields_is_valid() -> None:
    (exchange,) = exchanges([{"request": ASKED, "response": {"status": 204}}])
    assert isinstance(exchange, Exchange)
    answer = Replay([exchange]).answer("GET", "/v1/interactions/x", "", b"")
    assert answer and (answer.status, answer.body, answer.cut) == (204, b"", False)
