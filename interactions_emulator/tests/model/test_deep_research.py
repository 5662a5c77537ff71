"""The research agent on a model: a plan, searches, a report with exact citations; also with nonsense and restarts."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from interactions_emulator.brain.model import ResearchLimits
from model.conftest import Desk, Start
from model.mcp_stub import McpStub
from model.stub import QuietServer, Reply, error, says
from wire.conftest import research

PLANNED = "Title: Tidal power\n1. **Barrages** | tidal barrage Rance\n2. Streams | tidal stream turbine MeyGen"
QUESTION = "How does tidal power work?"
AUTO = {"agent_config": {"type": "deep-research", "thinking_summaries": "auto"}}


class Researcher:
    """A model that plans, reflects and writes; it recognizes the stage by the instruction."""

    def __init__(
        self, plan: str = PLANNED, next_query: str = "DONE", text: str = "It works [{n}]. So they say [77]."
    ) -> None:
        self.plan, self.next_query, self.text = plan, next_query, text
        self.stages: list[str] = []
        self.before: dict[int, Any] = {}
        """Functions to call before the answer to the request with this number, which may return a reply."""

    def __call__(self, request: dict[str, Any]) -> Reply:
        system, user = (message["content"] for message in request["messages"])
        stage = system.split()[1]
        self.stages.append(stage)
        if (before := self.before.get(len(self.stages))) and (reply := before()):
            return reply  # type: ignore[no-any-return]
        if stage == "plan":
            return says(self.plan)
        if stage == "check":
            return says(self.next_query)
        first = re.search(r"Sources:\n\n\[(\d+)\]", user)
        assert first, user
        return says(*self.text.format(n=first[1]).partition(" "))


def run(desk: Desk, text: str = QUESTION, **more: Any) -> dict[str, Any]:
    """A finished run."""
    begun = desk.wire.create(research(text, **more))
    list(desk.wire.resume(begun["id"]))
    return desk.wire.get(begun["id"])


def report(ended: dict[str, Any]) -> str:
    """The text of the whole report."""
    return "".join(text for text, _ in texts(ended))


def texts(ended: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The text and citations of each model_output."""
    for step in ended["steps"]:
        if step["type"] == "model_output":
            yield step["content"][0]["text"], step["content"][0].get("annotations", [])


def cited(ended: dict[str, Any]) -> list[tuple[str, str]]:
    """The cited passages with the names of their documents."""
    return [
        (text.encode()[note["start_index"] : note["end_index"]].decode(), note.get("url", "").rpartition("/")[2])
        for text, notes in texts(ended)
        for note in notes
    ]


def queries(ended: dict[str, Any]) -> list[str]:
    """What was searched for."""
    return [
        query
        for step in ended["steps"]
        if step["type"] == "google_search_call"
        for query in step["arguments"]["queries"]
    ]


def test_a_report_is_planned_searched_and_written_section_by_section(start: Start) -> None:
    model = Researcher(text="Größer [{n}].  So they say [77].")
    desk = start(model)
    ended = run(desk)
    assert ended["status"] == "completed"
    assert model.stages == ["plan", "check", "check", "write", "write"]
    assert queries(ended) == ["tidal barrage Rance", "tidal stream turbine MeyGen"]
    assert report(ended).startswith(
        "# Tidal power\n\n## Barrages\n\nGrößer [1].  So they say.\n\n## Streams\n\nGrößer ["
    )
    assert "## Sources\n\n- [Tidal barrages](" in report(ended)
    found = cited(ended)
    assert found[0] == ("Größer [1]", "barrages.md")
    assert found[1][0].startswith("Größer [")
    assert found[1][1] == "streams.md"
    assert all(span.startswith("[Tidal") for span, _ in found[2:]), "each source in the list is cited, too"
    assert all(desk.wire.http.get(note["url"]).status_code == 200 for _, notes in texts(ended) for note in notes)


def test_each_section_is_written_from_what_was_read_for_it(start: Start) -> None:
    desk = start(Researcher())
    run(desk)
    barrages, streams = (request["messages"][1]["content"] for request in desk.server.requests[-2:])
    assert "produced electricity since 1966" in barrages
    assert "MeyGen array" in streams


def test_thoughts_have_text_on_request_only(start: Start) -> None:
    desk = start(Researcher())
    shown = [step["summary"][0]["text"] for step in run(desk, **AUTO)["steps"] if step["type"] == "thought"]
    assert "“Barrages” and “Streams”" in shown[0]
    assert "I read “Tidal barrages”" in shown[1]
    assert not any("summary" in step for step in run(desk)["steps"] if step["type"] == "thought")


def test_what_is_missing_is_searched_for_once_more(start: Start) -> None:
    ended = run(start(Researcher(next_query='"cost of electricity"\nbecause …')))
    assert queries(ended) == [
        "tidal barrage Rance", "cost of electricity", "tidal stream turbine MeyGen", "cost of electricity",
    ]  # fmt: skip


def test_a_text_is_streamed_while_the_model_writes_it(start: Start) -> None:
    allowed = threading.Event()
    model = Researcher()
    model.before[4] = lambda: Reply(
        [*list(says("It works").events)[:2], lambda: allowed.wait(60), *says(" [1].").events]
    )
    stream = start(model).wire.stream(research(QUESTION))
    for event in stream:
        if event.get("delta", {}).get("text") == "It works":
            break
    allowed.set()
    *_, end = stream
    assert end["interaction"]["status"] == "completed"


@pytest.mark.parametrize("plan", ["", "I like turtles.", "|\n| |\n- |x", "1. " + "long " * 40 + "| query", "<think>Hm"])
def test_a_bad_plan_is_replaced_by_the_question_itself(start: Start, plan: str) -> None:
    ended = run(start(Researcher(plan=plan)))
    assert queries(ended) == [QUESTION]
    assert f"# {QUESTION}\n\n## Findings" in report(ended)


def test_a_query_that_finds_nothing_is_replaced_by_the_question(start: Start) -> None:
    model = Researcher(plan="Zebras | zzyzx qwrtp")
    assert queries(run(start(model))) == ["zzyzx qwrtp", QUESTION]


def test_a_section_about_which_nothing_is_found_says_so_and_is_not_invented(start: Start) -> None:
    model = Researcher(plan="Zebras | zzyzx qwrtp")
    ended = run(start(model), "Xyzzy plugh?")
    assert "Nothing was found for this section. It was searched for “zzyzx qwrtp”." in report(ended)
    assert (model.stages, cited(ended)) == (["plan"], [])


@pytest.mark.parametrize("text", ["Nonsense without a source.", "", "Nonsense [99] [98]."])
def test_a_section_without_citations_names_what_was_read_for_it(start: Start, text: str) -> None:
    ended = run(start(Researcher(plan="Barrages | Rance", text=text)))
    assert re.search(r"Read for this section: \[1\]", report(ended))
    assert cited(ended)[0] == ("Read for this section: [1]", "barrages.md")
    assert "[99]" not in report(ended)


def test_a_heading_that_the_model_repeats_is_left_out(start: Start) -> None:
    ended = run(start(Researcher(plan="Dams | Rance", text="## Dams\n\nIt works [{n}].")))
    assert report(ended).count("Dams") == 1


def test_a_plan_is_shown_changed_and_followed(start: Start) -> None:
    model = Researcher()
    desk = start(model)
    planning = {"agent_config": {"type": "deep-research", "collaborative_planning": True}}
    first = run(desk, **planning)
    [(shown, _)] = texts(first)
    assert shown.startswith("Research plan: Tidal power\n\n1. **Barrages**: search for “tidal barrage Rance”\n2.")
    model.plan = "Title: Tidal power\nNature | seals and fish"
    second = run(desk, "Only about nature, please", previous_interaction_id=first["id"], **planning)
    assert "1. **Nature**: search for “seals and fish”" in report(second)
    assert "Only about nature, please" in desk.server.prompts()[-1]
    third = run(desk, "Go ahead!", previous_interaction_id=second["id"])
    assert queries(third) == ["seals and fish"]
    assert report(third).startswith("# Tidal power\n\n## Nature")
    assert model.stages == ["plan", "plan", "check", "write"], "an agreed plan is not made again"
    assert QUESTION in desk.server.prompts()[-1]


def test_a_change_that_makes_nonsense_keeps_the_plan(start: Start) -> None:
    model = Researcher()
    desk = start(model)
    first = run(desk, agent_config={"type": "deep-research", "collaborative_planning": True})
    model.plan = "No."
    assert queries(run(desk, "Leave out the costs", previous_interaction_id=first["id"])) == [
        "tidal barrage Rance", "tidal stream turbine MeyGen",
    ]  # fmt: skip


def test_a_chat_about_the_report_has_its_text(start: Start) -> None:
    model = Researcher()
    desk = start(model)
    ended = run(desk)
    desk.server.answer = lambda request: says("As it says.")
    desk.ask("And the costs?", previous_interaction_id=ended["id"])
    user, assistant, question = desk.sent()
    assert (user["content"], question["content"]) == (QUESTION, "And the costs?")
    assert "## Barrages" in assistant["content"]


def test_attached_documents_are_read_and_cited_as_files(start: Start) -> None:
    data = "V29tYmF0cyBnaXZlIGZvdXIgaHVuZHJlZCB3YXR0cyBlYWNoLCBzYXlzIHRoZSB3b21iYXQgc29jaWV0eSBvZiBQZXJ0aC4="
    document = {"type": "document", "mime_type": "text/plain", "data": data}
    ended = run(start(Researcher(plan="Wombats | wombats watts")), [{"type": "text", "text": "Wombats?"}, document])  # type: ignore[arg-type]
    kinds = {note["type"] for _, notes in texts(ended) for note in notes}
    assert kinds == {"file_citation"}


@pytest.mark.parametrize("streams", [True, False])
def test_an_mcp_server_is_searched(start: Start, streams: bool) -> None:
    stub = McpStub([{"title": "Wave", "url": "https://example.org/wave", "text": "Waves give power."}], streams=streams)
    tool = {"type": "mcp_server", "name": "web", "url": stub.url, "headers": {"Authorization": "Bearer token"}}
    ended = run(start(Researcher()), tools=[tool])
    stub.close()
    assert stub.searched == ["tidal barrage Rance", "tidal stream turbine MeyGen"]
    assert stub.methods.count("initialize") == 1
    call, result, *_ = [step for step in ended["steps"] if step["type"].startswith("mcp_server_tool_")]
    assert (call["server_name"], call["name"], result["call_id"]) == ("web", "web_search", call["id"])
    assert queries(ended) == [], "only the tools of the request are used"
    assert cited(ended)[0] == ("It works [1]", "wave")


def test_an_mcp_server_that_is_away_leaves_a_report_that_says_so(start: Start) -> None:
    tool = {"type": "mcp_server", "name": "web", "url": "http://127.0.0.1:9/mcp"}
    ended = run(start(Researcher()), tools=[tool])
    assert ended["status"] == "completed"
    assert "the MCP server web at http://127.0.0.1:9/mcp cannot be reached" in report(ended)


@pytest.mark.parametrize("searxng", [True, False])
def test_a_search_address_is_searched_besides_the_corpus(start: Start, searxng: bool) -> None:
    model = Researcher(plan="Waves | wave power", text="Buoys move [2].")
    desk: Desk
    with search_server(searxng) as (address, asked):
        desk = start(model, search_url=address)
        ended = run(desk)
    assert asked == [{"q": ["wave power"], "format": ["json"]}]
    assert "Waves push buoys." in desk.server.prompts()[-1]
    assert cited(ended)[0] == ("Buoys move [2]", "buoy")


@pytest.mark.parametrize("tools", [[], [{"type": "google_search"}]])
def test_a_search_address_that_is_away_is_told_in_the_step(start: Start, tools: list[dict[str, Any]]) -> None:
    ended = run(start(Researcher(plan="Waves | wave power"), search_url="http://127.0.0.1:9"), tools=tools)
    [result] = [step for step in ended["steps"] if step["type"] == "google_search_result"][:1]
    assert (ended["status"], result["is_error"]) == ("completed", True)


def test_a_failing_model_ends_the_run_with_what_it_has(start: Start) -> None:
    model = Researcher()
    model.before[5] = lambda: error(500, "out of memory")
    ended = run(start(model))
    assert ended["status"] == "failed"
    assert "out of memory" in ended["errors"][0]["message"]
    assert "## Barrages\n\nIt works [1]" in report(ended)


@pytest.mark.parametrize("limits", [{"tokens": 20}, {"minutes": 2.0}])
def test_a_spent_budget_ends_the_run_with_what_it_has(start: Start, limits: dict[str, Any]) -> None:
    model = Researcher()
    now = (lambda: 60.0 * len(model.stages)) if "minutes" in limits else (lambda: 0.0)
    ended = run(start(model, limits=ResearchLimits(now=now, **limits)))
    assert ended["status"] == "budget_exceeded"
    assert model.stages == ["plan", "write"], "nothing more is searched for after half of the budget"
    assert "## Barrages\n\nIt works [1]" in report(ended)
    assert "The budget of this run ended before it wrote “Streams”." in report(ended)
    assert "## Sources\n\n- [Tidal barrages]" in report(ended)


def test_prompts_stay_below_the_context_of_a_small_model(start: Start) -> None:
    desk = start(Researcher(), limits=ResearchLimits(context=1024))
    run(desk, f"{QUESTION} {'Tell me more. ' * 2000}")
    sizes = [
        sum(len(m["content"]) for m in request["messages"]) / 3 + request["max_tokens"]
        for request in desk.server.requests
    ]
    assert max(sizes) <= 1024


@pytest.mark.parametrize("stopped_before", range(1, 6))
@pytest.mark.parametrize("summaries", ["auto", "none"])
def test_a_server_that_is_restarted_makes_each_search_once(
    start: Start, tmp_path: Path, stopped_before: int, summaries: str
) -> None:
    """The server stops while the model works on its n-th request."""
    model, waiting, allowed = Researcher(), threading.Event(), threading.Event()

    def stop() -> None:
        waiting.set()
        assert allowed.wait(60)

    model.before[stopped_before] = stop
    desk = start(model, state=tmp_path / "state.db")
    begun = desk.wire.create(
        research(QUESTION, agent_config={"type": "deep-research", "thinking_summaries": summaries})
    )
    assert waiting.wait(60)
    told = [step["type"] for step in desk.wire.get(begun["id"])["steps"]]
    desk.api.restart()
    allowed.set()
    list(desk.wire.resume(begun["id"]))
    ended = desk.wire.get(begun["id"])
    assert ended["status"] == "completed", ended.get("errors")
    assert [step["type"] for step in ended["steps"]][: len(told)] == told
    assert queries(ended) == ["tidal barrage Rance", "tidal stream turbine MeyGen"]
    assert len(model.stages) == 6, "only the request that was lost is made again"
    whole = run(desk)
    assert report(ended) == report(whole)
    assert cited(ended) == cited(whole)


class search_server:
    """A search address that answers JSON in one of two forms."""

    def __init__(self, searxng: bool) -> None:
        item = {"title": "Buoys", "url": "https://example.org/buoy"}
        found = (
            {"results": [item | {"content": "Waves push buoys."}]}
            if searxng
            else [item | {"text": "Waves push buoys."}]
        )
        asked: list[dict[str, list[str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(parse_qs(urlsplit(self.path).query))
                data = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._asked = asked
        self._server = QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> tuple[str, list[dict[str, list[str]]]]:
        return f"http://127.0.0.1:{self._server.server_address[1]}/search?format=json", self._asked

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_an_agent_that_is_no_research_agent_chats(start: Start) -> None:
    desk = start(says("Hello."))
    ended = desk.wire.create({"agent": "antigravity-preview-05-2026", "input": "Hi"})
    assert ended["steps"][0]["content"][0]["text"] == "Hello."
