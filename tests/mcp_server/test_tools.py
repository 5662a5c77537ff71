"""What the tools promise besides the gate: short results, own jobs only, clear refusals, and no wait too long."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from tests.conftest import Later
from tests.mcp_server.conftest import BRIEF, ERAS, Desk, call, error, text
from tests.mcp_server.test_report_pages import ENGLISH, JAPANESE
from tests.scripts import PIXEL
from tools.interactions import backend
from tools.mcp_server import arguments, resources
from tools.mcp_server.tool_descriptions import TOOLS
from tools.research.database_errors import LedgerError
from tools.research.job import Job, new_job
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.report import documents
from tools.research.settings import load_research_settings
from tools.server.middleware.rate_limit import RateLimited
from tools.settings import load_settings

MAX_RESULT_BYTES = 24_000
"""Clients cut results at about 25,000 tokens (Claude Code), and a token is rarely shorter than a byte."""


@pytest.fixture(autouse=True)
def starts_without_a_question(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_ASK_ABOVE_USD", "100")


async def finished(client: Any, brief: str = BRIEF) -> str:
    """Researches a brief, and returns the job's id."""
    job = (await call(client, "start", brief=brief))["job"]
    assert (await call(client, "status", job=job, wait_seconds=45))["state"] == "completed"
    return str(job)


@pytest.mark.parametrize(
    ("tool", "given", "named"),
    [
        ("start", {}, "`brief` is missing"),
        ("start", {"brief": " \n "}, "`brief`: String should have at least 1 character"),
        ("start", {"brief": 7}, "`brief`: Input should be a valid string, not 7"),
        ("start", {"brief": "x" * 2_000_000}, "`brief`: String should have at most 20000 characters"),
        ("start", {"brief": "x", "depth": "deep"}, "`depth`: Input should be 'standard' or 'max', not 'deep'"),
        ("start", {"brief": "x", "brieff": "y"}, "`brieff` is not an argument of this tool: it takes brief, title"),
        ("list", {f"a{i}": i for i in range(20)}, "`a0` is not an argument of this tool: it takes page; `a1` is"),
        ("list", {f"a{i}": i for i in range(20)} | {"page": "x" * 9_000}, "`page`: Input should be a valid integer"),
        ("list", {f"a{i}": i for i in range(51)}, "there are 51 arguments: this tool takes page"),
        ("start", {"brief": "x", "builds_on": "job_22222222"}, "you have no research run 'job_22222222'"),
        ("status", {"job": "job_x", "wait_seconds": -1}, "`wait_seconds`: Input should be greater than or equal to 0"),
        ("status", {"job": "job_x", "wait_seconds": 1e9}, "`wait_seconds`: Input should be less than or equal to 45"),
        ("status", {"job": "job_x", "wait_seconds": "soon"}, "`wait_seconds`: Input should be a valid number"),
        ("status", {"job": ["job_x"]}, "`job`: Input should be a valid string"),
        ("report", {"job": "job_x", "part": "all"}, "`part`: Input should be 'summary', 'outline', 'section' or"),
        ("report", {"job": "job_x", "page": 0}, "`page`: Input should be greater than or equal to 1"),
        ("approve", {"job": "job_x", "max_usd": "all of it"}, "`max_usd`: Input should be a valid number"),
        ("approve", {"job": "job_x", "max_usd": True}, "`max_usd`: Input should be a valid number, not True"),
        ("list", {"page": 9}, "`page` is 9, and the last page is 1"),
        ("nonsense", {}, "there is no tool 'research_nonsense'; the tools are research_start, research_status"),
    ],
)
async def test_nonsense_gets_one_sentence_that_names_the_argument(
    desk: Desk, tool: str, given: dict[str, Any], named: str
) -> None:
    async with desk.client() as client:
        said = await error(client, tool, **given)
        assert (said.startswith(named), "\n" in said, len(said) < 400) == (True, False, True), said
    assert await desk.service.jobs("ada") == []


async def test_an_error_names_five_wrong_arguments_and_counts_the_others(desk: Desk) -> None:
    async with desk.client() as client:
        said = await error(client, "list", **{f"a{i}": i for i in range(20)})
    assert [f"`a{i}` is not an argument" in said for i in (0, 4, 5)] == [True, True, False]
    assert said.endswith("; and 15 more")


async def test_calls_with_wrong_arguments_or_names_count_in_the_users_limit(desk: Desk) -> None:
    counted = list[str]()

    @contextmanager
    def limit(user: str) -> Iterator[None]:
        if len(counted) == 2:
            raise RateLimited("you sent more than 2")
        counted.append(user)
        yield

    async with desk.client(limit=limit) as client:
        assert "not an argument" in await error(client, "list", a=1)
        assert "there is no tool" in await error(client, "nonsense")
        for tool, given in (("list", {"a": 1}), ("nonsense", {})):
            assert await error(client, tool, **given) == "you sent more than 2"
    assert counted == ["ada", "ada"]


async def test_the_schemas_say_what_is_checked_and_the_hints_say_what_spends(desk: Desk) -> None:
    async with desk.client() as client:
        tools = {tool.name.removeprefix("research_"): tool for tool in (await client.list_tools()).tools}
    assert set(tools) == set(TOOLS)
    assert tools["status"].input_schema["properties"]["wait_seconds"]["maximum"] == arguments.MAX_TOOL_WAIT_S
    assert tools["approve"].input_schema["required"] == ["job", "max_usd"]
    hints = {name: tool.annotations for name, tool in tools.items()}
    assert {name for name, hint in hints.items() if hint and hint.read_only_hint} == {"status", "report", "list"}
    destructive = {name for name, hint in hints.items() if hint and hint.destructive_hint}
    assert destructive == {"approve", "revise", "cancel"}
    assert not (hints["approve"] and hints["approve"].idempotent_hint)


@pytest.mark.parametrize("sentence", [ENGLISH, JAPANESE], ids=["English", "Japanese"])
async def test_every_part_of_a_long_report_is_small_enough_and_says_where_it_goes_on(desk: Desk, sentence: str) -> None:
    paragraphs = [f"## Section {number} {sentence[:40]}\n\n{sentence * 60}\n\n" for number in range(40)]
    desk.brain.report = "# Tides\n\n" + "".join(paragraphs)
    async with desk.client() as client:
        job = await finished(client, "long " + sentence)
        for part in ({"part": "summary"}, {"part": "outline"}, {"part": "section", "section": "3"}, {"part": "page"}):
            page, shown = 1, ""
            while True:
                found = await text(client, "report", job=job, page=page, **part)
                assert len(found.encode()) <= MAX_RESULT_BYTES
                assert f"page {page} of " in found
                shown += found
                if f"page={page + 1}" not in found:
                    break
                page += 1
            assert page > 8 or part["part"] != "page"
        assert shown.count("## Section ") == 40
        assert "no single section 'Nowhere'" in await error(
            client, "report", job=job, part="section", section="Nowhere"
        )


async def test_another_users_job_is_as_unknown_as_one_that_does_not_exist(desk: Desk) -> None:
    given = {"ask": {"question": "Why?"}, "approve": {"max_usd": 3}, "revise": {"changes": "More.", "max_usd": 1}}
    async with desk.client() as client, desk.client(user="bob") as other:
        job = await finished(client)
        for tool in TOOLS.keys() - {"start", "list"}:
            own, unknown = [
                (await error(other, tool, job=name, **given.get(tool, {}))).replace(name, "") for name in (job, "job_x")
            ]
            assert own == unknown == "you have no research run '': research_list shows what there is"
        assert job in await error(other, "start", brief="More", builds_on=job)
        assert (await call(other, "list"))["runs"] == []
        assert (await other.list_resources()).resources == []
        for name in (job, "job_x"):
            with pytest.raises(MCPError, match="you have no research run"):
                await other.read_resource(f"research://{name}/report.md")
        assert (await call(other, "start", brief=BRIEF))["job"] != job  # the same brief of another user
        assert (await call(client, "status", job=job))["state"] == "completed"


async def test_a_question_is_paid_for_once_also_if_the_client_gives_up(desk: Desk) -> None:
    async with desk.client() as client:
        job = await finished(client)
        request = asyncio.create_task(client.call_tool("research_ask", {"job": job, "question": "Why  is that?"}))
        while not desk.brain.answers:
            await asyncio.sleep(0.01)
        request.cancel()
        for question in ("Why is that?", "why is THAT?"):
            assert "The moon, answer 1." in await text(client, "ask", job=job, question=question)
        assert "answer 2" in await text(client, "ask", job=job, question="And when?")
        assert len(await desk.service.ledger.spending()) == 3  # the run and two questions


async def test_a_question_that_is_checked_while_another_call_asks_it_is_paid_for_once(desk: Desk) -> None:
    let_go, checks = asyncio.Event(), list[str]()

    async def screen(what: str, given: str) -> str:
        checks.append(given)
        if given == "Why?" and checks.count(given) == 2:  # the second call has read the job, and waits for its check
            await let_go.wait()
        return ""

    async with desk.client(screen=screen) as client:
        job = await finished(client)
        calls = [asyncio.create_task(text(client, "ask", job=job, question="Why?")) for _ in range(2)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        let_go.set()
        assert all(["The moon, answer 1." in await each for each in calls])
    assert desk.brain.answers == 1


async def test_status_ends_when_it_was_asked_to_and_reports_progress_meanwhile(desk: Desk, later: Later) -> None:
    desk.api.set_speed(0)
    seen: list[tuple[float, str | None]] = []
    came = asyncio.Event()

    async def progress(number: float, total: float | None, line: str | None) -> None:
        seen.append((number, line))
        came.set()

    async with desk.client() as client:
        job = (await call(client, "start", brief=BRIEF))["job"]
        assert (await call(client, "status", job=job, wait_seconds=0))["state"] != "completed"
        while not desk.runs:
            await asyncio.sleep(0.01)
        desk.api.advance(70)
        arguments_ = {"job": job, "wait_seconds": 45}
        waiting = asyncio.create_task(client.call_tool("research_status", arguments_, progress_callback=progress))
        await came.wait()
        later(46)
        assert (await waiting).structured_content["state"] == "running"
    assert seen[0] == (1, "Planning: What moves the sea?")


@pytest.mark.parametrize("mode", ERAS)
async def test_reports_are_resources_in_several_formats(desk: Desk, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "find_spec", lambda name: None)
    async with desk.client(mode=mode) as client:
        job = await finished(client)
        await call(client, "start", brief="Something else", plan_first=True)
        listed = (await client.list_resources()).resources
        assert [each.uri for each in listed] == [f"research://{job}/report.{kind}" for kind in ("md", "html", "json")]
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "research://{job}/{file}"
        for each in listed:
            (content,) = (await client.read_resource(each.uri)).contents
            assert isinstance(content, types.TextResourceContents)
            assert (content.mime_type, "The moon moves the sea." in content.text) == (each.mime_type, True)
        (picture,) = (await client.read_resource(f"research://{job}/figure-1.png")).contents
        assert isinstance(picture, types.BlobResourceContents)
        assert base64.b64decode(picture.blob) == PIXEL
        with pytest.raises(MCPError, match=r"two more packages: \S*pip install 'research-desk\[documents\]'$"):
            await client.read_resource(f"research://{job}/report.pdf")
        for uri in ("research://", f"research://{job}/../x", f"research://{job}/passwd", "file:///etc/passwd"):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            assert "\n" not in str(refused.value)
        with pytest.raises(MCPError, match="`cursor` is none of this server's"):
            await client.list_resources(cursor="-1")


async def test_documents_are_resources_if_their_packages_are_installed(desk: Desk) -> None:
    pytest.importorskip("typst")
    pytest.importorskip("pypandoc")
    beginnings = {"report.pdf": b"%PDF", "report.docx": b"PK", "report.epub": b"PK"}
    async with desk.client() as client:
        job = await finished(client)
        listed = {each.name.removeprefix(f"{job}/"): each for each in (await client.list_resources()).resources}
        assert beginnings.keys() == listed.keys() - resources.FORMATS.keys()
        for name, beginning in beginnings.items():
            (content,) = (await client.read_resource(listed[name].uri)).contents
            assert isinstance(content, types.BlobResourceContents)
            assert content.mime_type == listed[name].mime_type
            assert base64.b64decode(content.blob).startswith(beginning)


async def test_resources_and_lists_have_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "find_spec", lambda name: None)
    async with desk.client() as client:
        order = load_research_settings(load_settings().config).order
        for number in range(51):
            made = await desk.service.ledger.add(completed(order(f"Brief {number}", user="ada", session="s")))
            assert made[1]
        first = await client.list_resources()
        rest = await client.list_resources(cursor=first.next_cursor)
        assert (len(first.resources), len(rest.resources), rest.next_cursor) == (150, 3, None)
        pages = [await call(client, "list", page=number) for number in (1, 2, 3)]
        assert [(page["page"], len(page["runs"])) for page in pages] == [("1 of 3", 20), ("2 of 3", 20), ("3 of 3", 11)]


async def test_an_order_of_a_lost_conversation_is_not_bought_again(desk: Desk) -> None:
    order = load_research_settings(load_settings().config).order(BRIEF, user="ada", session="a conversation")
    job, _ = await desk.service.start(order)
    async with desk.client() as client:
        await call(client, "status", job=job.id, wait_seconds=45)
        assert (await call(client, "start", brief=BRIEF))["job"] == job.id
    assert desk.runs == 1


async def test_a_text_that_the_check_refuses_is_neither_researched_nor_shown(desk: Desk) -> None:
    async def screen(what: str, given: str) -> str:
        return f"Not this ({what})." if "VILE" in given or (what == "reports" and "moon" in given) else ""

    async with desk.client(screen=screen) as client:
        assert await error(client, "start", brief="VILE things") == "Not this (user_messages)."
        job = (await call(client, "start", brief=BRIEF))["job"]
        lines: list[str | None] = []

        async def progress(number: float, total: float | None, line: str | None) -> None:
            lines.append(line)

        await client.call_tool("research_status", {"job": job, "wait_seconds": 45}, progress_callback=progress)
        assert set(lines) <= {None}
        assert await error(client, "report", job=job) == "Not this (reports)."
        assert await error(client, "ask", job=job, question="VILE?") == "Not this (user_messages)."
        with pytest.raises(MCPError, match=r"Not this \(reports\)"):
            await client.read_resource(f"research://{job}/report.md")
    assert [found.order.brief for found in await desk.service.jobs("ada")] == [BRIEF]


async def test_an_unforeseen_error_shows_nothing_of_the_inside(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret")

    async with desk.client() as client:
        await call(client, "list")
        monkeypatch.setattr(desk.service.ledger, "find", broken)
        assert "whose log says why" in await error(client, "list")
        monkeypatch.undo()


async def test_a_cancelled_run_stays_cancelled_and_its_brief_may_be_ordered_again(desk: Desk) -> None:
    desk.api.set_speed(0)
    async with desk.client() as client:
        job = (await call(client, "start", brief=BRIEF))["job"]
        for _ in range(2):
            assert (await call(client, "cancel", job=job))["state"] == "cancelled"
        assert "is cancelled" in await error(client, "report", job=job)


def completed(order: Order) -> Job:
    return new_job(replace(order, server=backend.server_name()), 1.0, State.COMPLETED)


async def test_a_ledger_that_cannot_be_opened_is_not_named_to_a_client(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unopened(*_: object) -> None:
        raise LedgerError("the ledger postgresql+asyncpg://desk:***@10.0.0.1/desk cannot be opened")

    async with desk.client() as client:
        monkeypatch.setattr("tools.research.database.Database.read", unopened)
        told = await error(client, "list")
        monkeypatch.undo()
    assert "the database cannot be used now" in told
    assert "10.0.0.1" not in told
