"""The recorder as a proxy and a process: odd and lost answers, signals, and which servers may get a key."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from interactions_emulator import Emulator
from interactions_emulator.errors import Refused
from interactions_emulator.http import connection
from interactions_emulator.recording.recorder import check_upstream, record
from interactions_emulator.recording.recording_file import Recording
from wire.conftest import KEY, MODEL, Wire, research
from wire.recorder import application, read, recorder, replayed


def odd(asked: connection.Exchange) -> None:
    """An upstream that gives unusual answers, chosen by the path."""
    name = asked.path.rpartition("/")[2]
    status, kind, body, headers = 200, "application/json", b"{}", {"x-name": name}
    if name == "headers":
        body = json.dumps({key.decode(): value.decode() for key, value in asked.headers.items()}).encode()
    if name == "redirect":
        status, headers = 302, {"location": "http://example.org/elsewhere"}
    if name == "pretty":
        body = b'{\n  "a": 1.0,\n  "b": 1e400, "c": "\\ud800"\n}\n'
    if name == "binary":
        kind, body = "image/png", b"\x89PNG\r\n\x00\xff"
    if name == "gzip":
        body, headers = gzip.compress(b'{"a":1}'), {"content-encoding": "gzip"}
    if name == "events":
        kind, body = "text/event-stream", b": hi\r\n\r\ndata: \xf0\x9f\n\n[{}]\ndata: [DONE]"
    if name == "latin":
        body = b'{"text":"\xe9"}'
    if name == "number":
        body = b"12"
    asked.start(status, kind, headers)
    for position in range(len(body)):  # byte by byte, since TCP may cut anywhere
        asked.write(body[position : position + 1])
    return asked.cut() if name == "cut" else asked.finish()


def test_unusual_responses_are_recorded_and_replayed_byte_for_byte(file: Path) -> None:
    names = ["redirect", "pretty", "binary", "events", "latin", "number", "gzip"]
    with application(odd) as upstream:
        direct = [httpx2.get(f"{upstream}/v1/{name}") for name in names]
        with recorder(file, upstream) as url:
            through = [httpx2.get(f"{url}/v1/{name}") for name in names]
    with replayed(file) as url:
        again = [httpx2.get(f"{url}/v1/{name}") for name in names]
    for one, two, three in zip(direct, through, again, strict=True):
        assert one.content == two.content == three.content
        assert one.status_code == two.status_code == three.status_code
        framing = ("transfer-encoding", "content-length", "content-encoding")
        assert {name: value for name, value in one.headers.items() if name not in framing} == {
            name: value for name, value in two.headers.items() if name not in framing
        }


def test_a_cut_json_response_is_replayed_as_cut(file: Path) -> None:
    with application(odd) as upstream, recorder(file, upstream) as url, pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"{url}/v1/cut")
    (exchange,) = read(file)
    assert (exchange.response.body, exchange.response.cut) == ({}, True)
    with replayed(file) as url, pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"{url}/v1/cut")


def test_the_recorder_forwards_client_headers_except_connection_headers(file: Path) -> None:
    with application(odd) as upstream, recorder(file, upstream) as url:
        sent = {**KEY, "accept-encoding": "gzip", "connection": "keep-alive, x-hop", "x-hop": "1", "te": "trailers"}
        got = httpx2.get(f"{url}/v1/headers", headers={**sent, "user-agent": "me", "x-goog-user-project": "p"}).json()
        assert got == {
            "host": urlsplit(upstream).netloc,
            **KEY,
            "accept": "*/*",
            "accept-encoding": "identity",
            "user-agent": "me",
            "x-goog-user-project": "p",
        }


def test_no_request_can_choose_the_upstream(api: Emulator, file: Path) -> None:
    with recorder(file, api.url) as url:
        place = urlsplit(url)
        for target in ("//example.org/v1/interactions/x", "http://example.org/v1/interactions/x", "/v1/@example.org/"):
            with socket.create_connection((place.hostname, place.port)) as connection:
                request = f"GET {target} HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\n\r\n"
                connection.sendall(request.encode())
                assert b" 40" in connection.makefile("rb").readline()
    assert {line["path"] for line in api.log()["requests"]} <= {"/v1/interactions/x", "/v1/@example.org/"}


def test_a_lost_upstream_response_is_lost_to_the_client_and_not_retried(api: Emulator, file: Path) -> None:
    with recorder(file, api.url) as url, pytest.raises(httpx2.RemoteProtocolError):
        fault = {"x-emulator-fault": '{"on": "create", "after_accept": true}'}
        Wire(url).create({"model": MODEL, "input": "Hello"}, **fault)
    assert (api.log()["creates"], file.read_text()) == (1, "")


def test_an_unreachable_upstream_is_named_in_the_error(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        upstream = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with recorder(file, upstream) as url:
        answer = httpx2.get(f"{url}/v1/interactions/x")
    assert answer.status_code == 502 and upstream in answer.json()["error"]["message"]


def test_a_body_beyond_64_mebibytes_is_refused(api: Emulator, file: Path) -> None:
    with recorder(file, api.url) as url:
        answer = httpx2.post(f"{url}/v1/interactions", content=b" " * (64 * 2**20 + 1), timeout=300)
    assert answer.status_code == 413


def test_a_signal_loses_no_recorded_exchange(held: Emulator, file: Path) -> None:
    code = "import sys, pathlib; from interactions_emulator.recording.recorder import record; "
    code += "record(pathlib.Path(sys.argv[1]), sys.argv[2])"
    environment = dict(os.environ)
    command = [sys.executable, "-c", code, str(file), held.url]
    for number in (signal.SIGTERM, signal.SIGINT):
        file.unlink(missing_ok=True)
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout
            address = re.search(r"http://127\.0\.0\.1:\d+ into", child.stdout.readline())
            assert address
            wire = Wire(address.group().removesuffix(" into"))
            answer = wire.create({"model": MODEL, "input": "Hello"})
            stream = wire.stream(research())
            seen = [next(stream), next(stream)]
            child.send_signal(number)
            with pytest.raises(httpx2.RemoteProtocolError):
                next(stream)
            assert child.wait(timeout=300) == 0
            assert "Recorded exchanges: 2" in child.stdout.read()
        unary, streamed = read(file)
        assert unary.response.body == answer
        assert streamed.response.cut and streamed.response.events
        assert [json.loads(event.data.partition("data: ")[2]) for event in streamed.response.events] == seen


def test_the_recorder_writes_its_address_to_a_file(api: Emulator, tmp_path: Path) -> None:
    place = tmp_path / "address.json"
    options = ["record", str(tmp_path / "recorded.yaml"), "--upstream", api.url, "--address-file", str(place)]
    command = [sys.executable, "-m", "interactions_emulator", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout and child.stdout.readline().startswith("Recording")
            address = json.loads(place.read_text())
            assert address["pid"] == child.pid
            Wire(address["url"]).create({"model": MODEL, "input": "Hello"})
        finally:
            child.terminate()
    assert len(read(tmp_path / "recorded.yaml")) == 1


def test_the_recorder_stops_when_its_file_cannot_be_written(api: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "recorded.yaml"
    file.parent.mkdir()
    with pytest.raises(IsADirectoryError, match=r"recorded\.yaml"), recorder(file, api.url) as url:
        file.unlink()
        file.mkdir()
        with pytest.raises(httpx2.HTTPError):
            while True:
                httpx2.get(f"{url}/v1/interactions/x", headers=KEY)


def test_a_recording_never_overwrites_a_non_empty_file(file: Path) -> None:
    file.write_text("- match: {}")
    with pytest.raises(Refused, match=r"recorded\.yaml is not empty"):
        Recording(file, "http://127.0.0.1")
    assert file.read_text() == "- match: {}"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("generativelanguage.googleapis.com", "not the address"),
        ("https://user:password@example.org", "not the address"),
        ("https://example.org/?key=1", "not the address"),
        ("http://example.org", "unencrypted"),
        ("https://example.org:port", "not an address"),
    ],
)
def test_an_upstream_that_must_not_receive_the_key_is_refused(address: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_upstream(address)


def test_a_taken_recorder_port_is_named_in_the_error(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} on 127.0.0.1 cannot be used"):
            record(file, "https://example.org", port)
    assert not file.exists()
