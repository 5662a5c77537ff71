"""What goes wrong with the model server is told in a sentence that names its address and the next step."""

from __future__ import annotations

import threading
from itertools import chain, count, repeat
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.model import ModelBrain
from interactions_emulator.brain.model.chat_client import ChatClient, ChatError
from model.conftest import Desk, Start
from model.stub import Reply, call_piece, chunk, error, says

KEY = "sk-secret-key"


def failure(desk: Desk) -> tuple[str, str]:
    """The code and message of a turn that fails."""
    ended = desk.ask()
    assert ended["status"] == "failed"
    [told] = ended["errors"]
    return told["code"], told["message"]


@pytest.mark.parametrize(
    ("status", "code", "next_step"),
    [
        (400, "invalid_request", "change the request"),
        (401, "unauthenticated", "EMULATOR_MODEL_KEY"),
        (404, "not_found", "it has qwen3, llama; set --model"),
        (500, "unavailable", "see its log"),
    ],
)
def test_a_refusal_names_the_address_the_words_and_the_next_step(
    start: Start, status: int, code: str, next_step: str
) -> None:
    desk = start(error(status, f"no, not with {KEY}"), key=KEY)
    told, message = failure(desk)
    assert told == code
    assert desk.server.url in message
    assert "no, not with …" in message, "the server's words, without the key"
    assert next_step in message
    assert desk.server.keys == [f"Bearer {KEY}"]


def test_a_password_in_the_address_is_not_told(start: Start) -> None:
    desk = start(error(500, "oh"))
    with_password = desk.server.url.replace("//", "//user:secret@") + "?token=secret"
    brain = ModelBrain(with_password, "qwen3")
    with pytest.raises(ChatError) as caught:
        list(brain.client.stream({"messages": [{"role": "user", "content": "Hi"}]}))
    assert "secret" not in caught.value.message
    assert desk.server.url in caught.value.message
    assert "secret" not in str(brain)


def test_a_server_that_does_not_run_is_named_with_the_option(start: Start) -> None:
    desk = start(says("Hi"))
    desk.server.close()
    code, message = failure(desk)
    assert code == "unavailable"
    assert f"No model server answers at {desk.server.url}" in message
    assert "--model-url" in message


@pytest.mark.parametrize("status", [429, 503])
def test_a_full_server_is_asked_again_and_its_retry_after_is_kept(start: Start, status: int) -> None:
    waits: list[float] = []
    desk = start(error(status, "full"), error(status, "full", retry_after="7"), says("At last."))
    client = ChatClient(desk.server.url, "qwen3", sleep=waits.append)
    deltas = list(client.stream({"messages": [{"role": "user", "content": "Hi"}]}))
    assert "".join(delta.text for delta in deltas) == "At last."
    assert waits == [1.0, 7.0]


def test_a_server_that_stays_full_is_given_up(start: Start) -> None:
    desk = start(*[error(429, "full")] * 3)
    client = ChatClient(desk.server.url, "qwen3", sleep=lambda _: None)
    with pytest.raises(ChatError, match="answers 429") as caught:
        list(client.stream({"messages": [{"role": "user", "content": "Hi"}]}))
    assert caught.value.code == "resource_exhausted"


@pytest.mark.parametrize("end", ["early", "cut"])
@pytest.mark.parametrize("last", [[], [b'data: {"choi']], ids=["between events", "inside an event"])
def test_a_stream_that_breaks_off_keeps_its_text_and_fails(start: Start, end: str, last: list[bytes]) -> None:
    desk = start(Reply([chunk(content="The sea"), *last], end=end))
    ended = desk.ask()
    assert (ended["status"], ended["steps"][0]["content"][0]["text"]) == ("failed", "The sea")
    message = ended["errors"][0]["message"]
    assert desk.server.url in message
    assert "broke off" in message or "not a chunk" in message


def test_a_stream_without_done_is_complete_if_it_tells_its_end(start: Start) -> None:
    desk = start(Reply([chunk(content="Yes."), chunk("stop")], end="early"))
    assert desk.ask()["status"] == "completed"


@pytest.mark.parametrize(
    "raw", [b"data: no JSON\n\n", b"data: [1]\n\n", b'data: {"choices": [{"delta": {"content": 5}}]}\n\n']
)
def test_an_event_that_is_no_chunk_fails_with_its_words(start: Start, raw: bytes) -> None:
    code, message = failure(start(Reply([raw])))
    assert code == "invalid_request"
    assert "not a chunk of a completion" in message


@pytest.mark.parametrize("content", [b"{}", b'{"choices": [{"message": {"content": ""}}]}'])
def test_a_model_server_that_always_answers_nothing_is_told(start: Start, content: bytes) -> None:
    replies = [Reply([content], headers={"content-type": "application/json"}, end="early")] * 3
    code, message = failure(start(*replies))
    assert (code, "Your answer is empty" in message) == ("malformed_response", True)


@pytest.mark.parametrize(
    "piece",
    [
        {"id": "a", "function": {"name": 5, "arguments": "{}"}},
        {"index": "x", "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"id": "a", "function": {"name": "f", "arguments": 5}},
    ],
)
def test_a_call_with_a_part_of_a_wrong_type_fails_as_no_chunk(start: Start, piece: dict[str, Any]) -> None:
    code, message = failure(start(Reply([chunk(tool_calls=[piece])])))
    assert (code, "not a chunk of a completion" in message) == ("invalid_request", True)


def test_an_event_that_is_nested_too_deeply_fails_as_no_chunk(start: Start) -> None:
    assert "not a chunk of a completion" in failure(start(Reply([b"data: " + b"[" * 100_000 + b"\n\n"])))[1]


@pytest.mark.parametrize("usage", [b'"many"', b"[1]", b'{"total_tokens": Infinity}', b'{"total_tokens": "9"}'])
def test_token_counts_that_make_no_sense_are_ignored(start: Start, usage: bytes) -> None:
    last = b'data: {"choices": [], "usage": %b}\n\n' % usage
    assert start(Reply([chunk(content="Hi"), chunk("stop"), last])).ask()["status"] == "completed"


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_an_answer_that_never_ends_is_cut_as_by_a_limit_of_tokens(start: Start, field: str) -> None:
    desk = start(Reply(chunk(**{field: "and so on, " * 1_000}) for _ in count()))
    assert desk.ask()["status"] == "incomplete"
    assert desk.server.left.wait(60)  # the connection is closed, so that the model stops


def test_a_call_that_never_ends_is_cut_as_by_a_limit_of_tokens(start: Start) -> None:
    first = call_piece(0, "a", "f", '{"text": "')
    more = (call_piece(0, None, None, "and so on, " * 1_000) for _ in count())
    pieces = chain([first], more)
    desk = start(Reply(chunk(tool_calls=[piece]) for piece in pieces))
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    assert desk.ask(tools=[tool])["status"] == "incomplete"


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
def test_a_response_without_a_line_break_that_never_ends_is_given_up(
    start: Start, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interactions_emulator.brain.model.chat_client.MAX_RESPONSE_CHARS", 1_000_000)
    endless = chain([b"data: "], repeat(b" " * 100_000))
    _, message = failure(start(Reply(endless, headers={"content-type": kind})))
    assert "answers with more than 1,000,000 characters" in message


def test_an_error_in_the_middle_of_a_stream_is_told(start: Start) -> None:
    desk = start(Reply([chunk(content="The"), b'data: {"error": {"message": "out of memory"}}\n\n']))
    _, message = failure(desk)
    assert "out of memory" in message


def test_a_page_that_is_no_api_is_recognized(start: Start) -> None:
    _, message = failure(start(Reply([b"<html>"], headers={"content-type": "text/html"})))
    assert "answers with text/html" in message
    assert "OpenAI-compatible" in message


def test_an_address_at_which_nothing_lists_models_is_told() -> None:
    with Emulator() as no_model_server:
        told = ModelBrain(no_model_server.url, "qwen3", KEY).problem()
    assert "answers 404" in told and "does the address end with /v1" in told


def test_comments_and_other_fields_of_the_stream_are_skipped(start: Start) -> None:
    raw = b": ping\n\nevent: message\nid: 1\nretry: 5\n\n"
    assert start(Reply([raw, chunk(content="Hi"), chunk("stop")])).ask()["status"] == "completed"


def test_a_slow_first_token_is_waited_for(start: Start) -> None:
    allowed = threading.Event()
    desk = start(Reply([lambda: allowed.wait(60), chunk(content="Hi"), chunk("stop")]))
    run = desk.ask(background=True)
    assert desk.wire.get(run["id"])["status"] == "in_progress"
    allowed.set()
    *_, end = desk.wire.resume(run["id"])
    assert end["interaction"]["status"] == "completed"


def test_a_silent_server_is_given_up_after_the_timeout(start: Start) -> None:
    allowed = threading.Event()
    code, message = failure(start(Reply([lambda: allowed.wait(60)]), timeout_s=0.2))
    allowed.set()
    assert code == "deadline_exceeded"
    assert "silent" in message


def test_a_request_for_an_image_alone_fails_with_a_sentence(start: Start) -> None:
    ended = start(says("A cat.")).ask("Draw a cat", response_format={"type": "image"})
    assert "writes text and no image" in ended["errors"][0]["message"]


def test_a_model_that_answers_nothing_is_asked_again_twice(start: Start) -> None:
    assert start(says(), says("  "), says("Hello.")).ask()["status"] == "completed"
    assert "Your answer is empty" in failure(start(says(), says(), says()))[1]


def test_a_model_that_the_server_does_not_list_is_told_at_the_start(start: Start) -> None:
    desk = start(says("Hi"))
    assert ModelBrain(desk.server.url, "qwen3").problem() == ""
    problem = ModelBrain(desk.server.url, "qwen9").problem()
    assert "'qwen9'" in problem
    assert "qwen3, llama" in problem
    desk.server.close()
    assert "No model server answers" in ModelBrain(desk.server.url, "qwen3").problem()


def test_no_connection_is_used_twice_because_servers_close_them_without_notice(start: Start) -> None:
    desk = start(says("One."), says("Two."))
    assert [desk.ask()["status"], desk.ask()["status"]] == ["completed", "completed"]
    assert len(set(desk.server.ports)) == 2
