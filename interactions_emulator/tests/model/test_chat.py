"""A model answers turns: text as it comes, thoughts, tool calls, searches with citations."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest

from model.conftest import Start
from model.stub import Reply, call_piece, calls, chunk, error, says, usage
from wire.brains import PIXEL
from wire.conftest import MODEL

LOOK: dict[str, Any] = {
    "type": "function",
    "name": "look",
    "description": "Looks at a place.",
    "parameters": {"type": "OBJECT", "properties": {"where": {"type": "STRING"}}, "required": ["where"]},
}
POINT = LOOK | {"name": "point"}
SEARCH = {"type": "google_search"}


def text_of(interaction: dict[str, Any]) -> str:
    """The text of the last step."""
    return str(interaction["steps"][-1]["content"][0]["text"])


def test_a_text_is_sent_as_the_model_writes_it(start: Start) -> None:
    allowed = threading.Event()
    desk = start(Reply([chunk(content="The sea"), lambda: allowed.wait(60), chunk(content=" rises."), chunk("stop")]))
    stream = desk.wire.stream({"model": MODEL, "input": "Hi"})
    begun = [next(stream) for _ in range(4)]
    assert begun[-1]["delta"] == {"type": "text", "text": "The sea"}
    allowed.set()
    assert [event["delta"]["text"] for event in stream if event["event_type"] == "step.delta"] == [" rises."]


def test_the_whole_chain_becomes_messages(start: Start) -> None:
    desk = start(says("One."), says("Two."))
    first = desk.ask("First", system_instruction="Be brief.")
    desk.ask(
        [{"type": "text", "text": "Second"}, {"type": "text", "text": "and more"}],
        previous_interaction_id=first["id"],
        system_instruction="Be kind.",
        generation_config={"max_output_tokens": 9, "temperature": 0.5, "top_p": 0.9, "seed": 1, "stop_sequences": ["."],
                           "thinking_level": "xhigh"},
    )  # fmt: skip
    assert desk.sent() == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "Second\n\nand more"},
    ]
    request = desk.server.requests[-1]
    settings = {key: request[key] for key in ("max_tokens", "temperature", "top_p", "seed", "stop", "reasoning_effort")}
    assert settings == {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "seed": 1, "stop": ["."],
                        "reasoning_effort": "high"}  # fmt: skip
    assert request["model"] == "qwen3"


def test_images_are_sent_as_data_and_documents_as_text(start: Start) -> None:
    desk = start(says("A pixel."))
    note = base64.b64encode(b"# Notes\n\nThe moon.").decode()
    desk.ask(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "mime_type": "image/png", "data": PIXEL},
            {"type": "document", "mime_type": "text/markdown", "data": note},
        ]
    )
    question, image, document = desk.sent()[0]["content"]
    assert question["text"] == "What is this?"
    assert image["image_url"] == {"url": f"data:image/png;base64,{PIXEL}"}
    assert "The moon." in document["text"]


def test_a_model_that_cannot_see_gets_a_note_instead_of_the_image(start: Start) -> None:
    desk = start(error(500, "image input is not supported"), says("I cannot see it."), says("Still not."))
    for answer in ("I cannot see it.", "Still not."):
        assert text_of(desk.ask([{"type": "image", "mime_type": "image/png", "data": PIXEL}])) == answer
    assert len(desk.server.requests) == 3, "the second turn must not try the image again"
    assert desk.sent()[0]["content"] == "[Here is an image that this model cannot see.]"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_becomes_a_thought(start: Start, field: str) -> None:
    desk = start(Reply([chunk(**{field: "Let me "}), chunk(**{field: "see"}), chunk(content="Yes."), chunk("stop")]))
    thought, output = desk.ask()["steps"]
    assert thought == {"type": "thought", "summary": [{"type": "text", "text": "Let me see"}]}
    assert output["content"][0]["text"] == "Yes."


@pytest.mark.parametrize(
    "pieces", [["<think>\nLet me see</think>\n\nYes."], list("<think>\nLet me see</think>\n\nYes.")]
)
def test_think_tags_become_a_thought_wherever_they_are_split(start: Start, pieces: list[str]) -> None:
    desk = start(says(*pieces))
    thought, output = desk.ask()["steps"]
    assert thought["summary"][0]["text"] == "Let me see"
    assert output["content"][0]["text"] == "Yes."


def test_thoughts_are_left_out_on_request_and_never_sent_back(start: Start) -> None:
    desk = start(says("<think>Hm</think>Yes."), says("<think>Hm</think>No."))
    first = desk.ask()
    second = desk.ask("And?", previous_interaction_id=first["id"], generation_config={"thinking_summaries": "none"})
    assert [step["type"] for step in first["steps"]] == ["thought", "model_output"]
    assert [step["type"] for step in second["steps"]] == ["model_output"]
    assert [message["content"] for message in desk.sent()] == ["Hi", "Yes.", "And?"]


def test_a_tag_in_the_middle_of_a_text_stays_text(start: Start) -> None:
    assert text_of(start(says("Use <think>", " tags")).ask()) == "Use <think> tags"


def test_split_and_interleaved_tool_calls_are_put_together(start: Start) -> None:
    pieces = [
        [call_piece(0, "a", "look", "")],
        [call_piece(1, "b", "point", '{"wh')],
        [call_piece(0, None, None, '{"where": "hi')],
        [call_piece(1, None, None, 'ere": "there"}'), call_piece(0, None, None, 'er 🌊"}')],
    ]
    desk = start(Reply([*(chunk(tool_calls=piece) for piece in pieces), chunk("tool_calls")]))
    ended = desk.ask(tools=[LOOK, POINT])
    assert ended["status"] == "requires_action"
    assert [(step["name"], step["arguments"]) for step in ended["steps"]] == [
        ("look", {"where": "hier 🌊"}),
        ("point", {"where": "there"}),
    ]
    assert len({step["id"] for step in ended["steps"]}) == 2


def test_calls_that_share_an_index_are_told_apart_by_their_ids(start: Start) -> None:
    pieces = [call_piece(0, "a", "look", '{"where": "A"}'), call_piece(0, "b", "look", '{"where": "B"}')]
    desk = start(Reply([*(chunk(tool_calls=[piece]) for piece in pieces), chunk("tool_calls")]))
    assert [step["arguments"]["where"] for step in desk.ask(tools=[LOOK])["steps"]] == ["A", "B"]


def test_results_follow_their_calls_and_no_content_is_null(start: Start) -> None:
    desk = start(calls(("look", {"where": "A"}), ("point", {"where": "B"})), says("Done."))
    asked = desk.ask(tools=[LOOK, POINT])
    first, second = (step["id"] for step in asked["steps"])
    results = [
        {"type": "function_result", "call_id": second, "name": "point", "result": [{"type": "text", "text": "b"}]},
        {"type": "function_result", "call_id": first, "name": "look", "result": {"seen": "a"}, "is_error": True},
    ]
    ended = desk.ask(results, previous_interaction_id=asked["id"], tools=[LOOK, POINT])
    assert text_of(ended) == "Done."
    _, call, *told = desk.sent()
    assert call["content"] == ""
    assert [one["function"]["name"] for one in call["tool_calls"]] == ["look", "point"]
    assert [one["content"] for one in told] == ['Error: {"seen": "a"}', "b"]


def test_the_content_beside_a_single_call_is_empty_and_not_null(start: Start) -> None:
    desk = start(calls(("look", {"where": "A"})), says("Done."))
    asked = desk.ask(tools=[LOOK])
    result = {"type": "function_result", "call_id": asked["steps"][0]["id"], "name": "look", "result": "seen"}
    assert desk.ask([result], previous_interaction_id=asked["id"], tools=[LOOK])["status"] == "completed"
    assert desk.sent()[1]["content"] == ""


def test_types_in_capitals_become_json_schema(start: Start) -> None:
    desk = start(says("No."))
    desk.ask(tools=[LOOK])
    assert desk.server.requests[0]["tools"][0]["function"]["parameters"]["properties"] == {"where": {"type": "string"}}


@pytest.mark.parametrize(
    ("choice", "sent", "names"),
    [
        ("auto", "auto", ["look", "point"]),
        ("any", "required", ["look", "point"]),
        ("none", None, []),
        ({"allowed_tools": {"mode": "auto", "tools": ["point"]}}, "auto", ["point"]),
        (
            {"allowed_tools": {"mode": "any", "tools": ["point"]}},
            {"type": "function", "function": {"name": "point"}},
            ["point"],
        ),
    ],
)
def test_tool_choice_is_passed_on(start: Start, choice: Any, sent: Any, names: list[str]) -> None:
    desk = start(calls(("point", {})) if "any" in json.dumps(choice) else says("No."))
    desk.ask(tools=[LOOK, POINT], generation_config={"tool_choice": choice})
    request = desk.server.requests[0]
    assert request.get("tool_choice") == sent
    assert [tool["function"]["name"] for tool in request.get("tools", [])] == names


@pytest.mark.parametrize(
    "arguments", ["", "{'where': 'A'}", '```json\n{"where": "A"}\n```', '"{\\"where\\": \\"A\\"}"']
)
def test_arguments_that_are_almost_json_are_repaired(start: Start, arguments: str) -> None:
    step = start(calls(("look", arguments))).ask(tools=[LOOK])["steps"][0]
    assert step["arguments"] == ({"where": "A"} if arguments else {})


def test_lone_surrogates_in_arguments_do_not_reach_the_client(start: Start) -> None:
    step = start(calls(("look", '{"where": "A\\ud800"}'))).ask(tools=[LOOK])["steps"][0]
    assert step["arguments"] == {"where": "A?"}


@pytest.mark.parametrize("wrong", [("look", '{"where": '), ("jump", {}), ("look", "[1]"), ("look", '{"where": NaN}')])
def test_a_model_is_told_of_its_wrong_call_and_calls_again(start: Start, wrong: tuple[str, Any]) -> None:
    desk = start(calls(wrong), calls(("look", {"where": "A"})))
    assert desk.ask(tools=[LOOK])["steps"][0]["arguments"] == {"where": "A"}
    assert "This call is wrong" in desk.server.prompts()[1]


def test_a_model_that_always_calls_wrongly_ends_as_failed_with_its_words(start: Start) -> None:
    desk = start(*[calls(("look", '{"where": oops'))] * 3)
    ended = desk.ask(tools=[LOOK])
    assert (ended["status"], ended["errors"][0]["code"]) == ("failed", "malformed_function_call")
    assert "oops" in ended["errors"][0]["message"]


def test_a_forced_call_that_does_not_come_is_asked_for_again(start: Start) -> None:
    desk = start(says("Sure!"), calls(("look", {"where": "A"})))
    ended = desk.ask(tools=[LOOK], generation_config={"tool_choice": "any"})
    assert [step["type"] for step in ended["steps"]] == ["function_call"], "the text beside a forced call is not told"
    named = {"type": "function", "function": {"name": "look"}}
    assert [request["tool_choice"] for request in desk.server.requests] == [named, "required"]


@pytest.mark.parametrize(("finish", "status"), [("length", "incomplete"), ("content_filter", "failed")])
def test_the_reason_why_a_text_ended_becomes_the_status(start: Start, finish: str, status: str) -> None:
    ended = start(says("The sea", finish=finish)).ask()
    assert (ended["status"], text_of(ended)) == (status, "The sea")


def test_a_search_is_made_and_its_results_are_cited_to_the_byte(start: Start) -> None:
    desk = start(
        calls(("google_search", {"queries": ["tidal barrage Rance river"]})),
        says("Größe zählt. The Ran", "ce barrage began in 1966 [", "1]", ". Nobody knows more [", "99]."),
    )
    ended = desk.ask("When?", tools=[SEARCH])
    call, result, output = ended["steps"]
    assert call["arguments"] == {"queries": ["tidal barrage Rance river"]}
    assert (call["type"], result["call_id"]) == ("google_search_call", call["id"])
    content = output["content"][0]
    assert content["text"] == "Größe zählt. The Rance barrage began in 1966 [1]. Nobody knows more."
    [citation] = content["annotations"]
    span = content["text"].encode()[citation["start_index"] : citation["end_index"]].decode()
    assert span == "The Rance barrage began in 1966 [1]"
    assert citation["url"] == f"{desk.api.url}/documents/barrages.md"
    assert "produced electricity since 1966" in desk.sent()[-1]["content"]
    assert desk.wire.http.get(citation["url"]).status_code == 200


def test_search_results_are_still_known_when_a_function_result_comes(start: Start) -> None:
    desk = start(
        calls(("google_search", {"queries": ["Rance"]}), ("look", {"where": "A"})),
        says("Since 1966 [1]."),
    )
    asked = desk.ask(tools=[SEARCH, LOOK])
    result = {"type": "function_result", "call_id": asked["steps"][-1]["id"], "name": "look", "result": "seen"}
    ended = desk.ask([result], previous_interaction_id=asked["id"], tools=[SEARCH, LOOK])
    assert [message["role"] for message in desk.sent()] == ["user", "assistant", "tool", "assistant", "tool"]
    assert ended["steps"][0]["content"][0]["annotations"][0]["title"] == "Tidal barrages"


def test_a_document_of_the_corpus_is_read_by_its_address(start: Start) -> None:
    desk = start(says("wait"))
    known, unknown = f"{desk.api.url}/documents/bees.html", "https://example.org"
    replies = iter([calls(("url_context", {"urls": [known, unknown]})), says("They dance [1].")])
    desk.server.answer = lambda request: next(replies)
    _, result, output = desk.ask(tools=[{"type": "url_context"}])["steps"]
    assert result["result"] == [{"url": known, "status": "success"}, {"url": unknown, "status": "error"}]
    assert output["content"][0]["annotations"][0]["url"] == known


def test_a_model_that_only_searches_has_to_answer_in_the_end(start: Start) -> None:
    def answer(request: dict[str, Any]) -> Reply:
        if request["tool_choice"] == "none":
            return says("Enough.")
        return calls(("google_search", {"queries": ["moon"]}))

    assert text_of(start(answer).ask(tools=[SEARCH])) == "Enough."


def test_server_tools_that_are_missing_are_logged_and_left_out(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    desk = start(says("4"), says("4"))
    for _ in range(2):
        desk.ask("2 + 2?", tools=[{"type": "code_execution"}])
    assert "tools" not in desk.server.requests[0]
    assert [record.message for record in caplog.records if "code_execution" in record.message] != []


def test_usage_may_be_missing(start: Start) -> None:
    assert text_of(start(Reply([chunk(content="Yes."), chunk("stop")])).ask()) == "Yes."


def test_lone_surrogates_do_not_reach_the_client(start: Start) -> None:
    raw = b'data: {"choices": [{"index": 0, "delta": {"content": "a\\ud83d"}, "finish_reason": "stop"}]}\n\n'
    assert text_of(start(Reply([raw, usage(3)])).ask()) == "a?"


def test_a_cancelled_run_closes_the_connection_to_the_model(start: Start) -> None:
    allowed = threading.Event()
    more = [chunk(content="x")] * 10_000
    desk = start(Reply([chunk(content="The sea"), lambda: allowed.wait(60), *more, chunk("stop")]))
    live = desk.wire.stream({"model": MODEL, "input": "Hi", "background": True})
    seen = [next(live) for _ in range(4)]
    desk.wire.good(desk.wire.http.post(f"/interactions/{seen[0]['interaction']['id']}/cancel"))
    allowed.set()
    assert desk.server.left.wait(60)


def test_a_background_run_can_be_resumed_from_any_event(start: Start) -> None:
    allowed = threading.Event()
    desk = start(Reply([chunk(content="The sea"), lambda: allowed.wait(60), chunk(content=" rises."), chunk("stop")]))
    live = desk.wire.stream({"model": MODEL, "input": "Hi", "background": True})
    seen = [next(live) for _ in range(4)]
    live.close()
    allowed.set()
    rest = list(desk.wire.resume(seen[0]["interaction"]["id"], seen[-1]["event_id"]))
    assert [event["delta"]["text"] for event in rest if event["event_type"] == "step.delta"] == [" rises."]
    assert len(desk.server.requests) == 1


@pytest.mark.parametrize(
    "fails", [error(500, "Cannot use tools with stream"), Reply([chunk(role="assistant")], end="cut")]
)
def test_a_server_that_cannot_stream_tool_calls_is_asked_without_a_stream(start: Start, fails: Reply) -> None:
    desk = start(fails, calls(("look", {"where": "A"})), says("<think>Hm</think>", "No."))
    assert desk.ask(tools=[LOOK])["steps"][0]["arguments"] == {"where": "A"}
    thought, output = desk.ask(tools=[LOOK])["steps"]
    assert (thought["summary"][0]["text"], output["content"][0]["text"]) == ("Hm", "No.")
    assert [request["stream"] for request in desk.server.requests] == [True, False, False]
