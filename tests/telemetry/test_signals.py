"""What researches say of themselves: one trace, numbers, and no words."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from interactions_emulator import Emulator
from tests.conftest import ROOT, Desk
from tests.research.test_promises import ORDER, begin, lines
from tests.routing.test_conversation import brain as conversation_brain
from tests.scripts import REPORT
from tests.talk import Talk
from tests.telemetry.conftest import Recorded
from tools.app import build_app
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.quotas import LimitReached, Quotas
from tools.research.service import Research
from tools.telemetry.exception_text_filter import without_exception_texts

tracer = trace.get_tracer("tests")


def ids(span: ReadableSpan) -> tuple[int, int]:
    """Of its trace and its own."""
    assert span.context
    return span.context.trace_id, span.context.span_id


def all_text(span: ReadableSpan) -> str:
    """All that a span says."""
    return span.to_json() + json.dumps([dict(event.attributes or {}) for event in span.events], default=str)


async def lines_of(desk: Desk, service: Research, job: Job) -> list[str]:
    """All lines of a research, after it has begun, while its time passes."""
    watching = asyncio.create_task(lines(service, job))
    while not (await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)
    await desk.pass_time(3000)
    return await watching


async def test_a_research_run_is_one_trace_with_an_order_span_and_a_follow_span(desk: Desk, recorded: Recorded) -> None:
    service = desk.service()
    with tracer.start_as_current_span("turn") as turn:
        job, _ = await service.start(ORDER)
    await lines_of(desk, service, job)
    (order,), (follow,) = recorded.spans("research.order"), recorded.spans("research.follow")
    assert order.parent and follow.parent
    assert (order.parent.trace_id, order.parent.span_id) == (
        turn.get_span_context().trace_id,
        turn.get_span_context().span_id,
    )
    assert (follow.parent.trace_id, follow.parent.span_id) == ids(order)
    assert job.trace.startswith(f"00-{ids(order)[0]:032x}-{ids(order)[1]:016x}-")
    done = await service.job(job.id)
    assert dict(follow.attributes or {}) == {
        "research.job.id": job.id,
        "research.interaction.id": done.interaction_id,
        "research.agent": ORDER.agent,
        "research.state": "completed",
        "research.attempt": 1,
        "research.estimated_cost_usd": 3.0,
        "research.events": follow.attributes and follow.attributes["research.events"],
        "research.resumes": 0,
        "research.tokens": done.usage["total_tokens"],
        "gen_ai.usage.input_tokens": done.usage["total_input_tokens"],
        "gen_ai.usage.output_tokens": done.usage["total_output_tokens"],
    }
    assert int(str((follow.attributes or {})["research.events"])) >= done.events > 0
    assert recorded.grown() == {("research.follow.duration", "completed"): 1}


async def test_a_second_follower_continues_the_trace_and_links_its_own_turn(desk: Desk, recorded: Recorded) -> None:
    first = desk.service()
    job, watching = await begin(desk, first)
    await first.close()
    await watching
    with tracer.start_as_current_span("another turn") as turn:
        await lines_of(desk, desk.service(), job)
    (order,), follows = recorded.spans("research.order"), recorded.spans("research.follow")
    assert [follow.parent and (follow.parent.trace_id, follow.parent.span_id) for follow in follows] == [ids(order)] * 2
    assert [(f.attributes or {})["research.state"] for f in follows] == ["running", "completed"]
    assert [len(follow.links) for follow in follows] == [0, 1]
    assert follows[1].links[0].context.trace_id == turn.get_span_context().trace_id
    assert (follows[1].attributes or {})["research.resumes"] == 1
    grown = recorded.grown()
    assert grown["research.resumes", "process"] == 1
    assert ("research.resumes", "stream") not in grown


async def test_a_resumed_stream_is_counted(desk: Desk, recorded: Recorded) -> None:
    desk.api.faults({"on": "create_stream", "end_after": 2})
    service = desk.service()
    job, _ = await service.start(ORDER)
    watching = asyncio.create_task(lines(service, job))
    while ("research.resumes", "stream") not in recorded.grown():
        await asyncio.sleep(0.001)
    await desk.pass_time(3000)
    await watching
    (follow,) = recorded.spans("research.follow")
    assert recorded.grown()["research.resumes", "stream"] == (follow.attributes or {})["research.resumes"] == 1


async def test_unknown_starts_and_stalls_are_counted_once_each(desk: Desk, recorded: Recorded) -> None:
    desk.api.faults({"on": "create_stream", "end_after": 0})
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines(service, job)
    assert recorded.grown()["research.unknown_starts", ORDER.agent] == 1
    desk.api.faults({"on": "stream", "end_after": 1, "times": 0})
    service = desk.service(stall_after_s=30, silence_timeout_s=0.1)
    await lines(service, await service.start_again(job))
    assert recorded.grown()["research.stalls", ORDER.agent] == 1
    assert recorded.grown()["research.unknown_starts", ORDER.agent] == 1
    states = {(follow.attributes or {})["research.state"] for follow in recorded.spans("research.follow")}
    assert states == {"start_unknown", "stalled"}


async def test_no_span_contains_text_of_brief_report_user_or_session(desk: Desk, recorded: Recorded) -> None:
    order = replace(ORDER, user="lovelace")  # "ada" may stand in any hexadecimal id
    service = desk.service()
    job, _ = await service.start(order)
    await lines_of(desk, service, job)
    with pytest.raises(LimitReached):
        await service.start_again(job, limits=Quotas(per_day=1))
    said = "".join(map(all_text, recorded.exporter.get_finished_spans()))
    assert "research.follow" in said
    for words in (order.brief, order.user, *REPORT.split("\n")[:3:2], "What moves", "tides moon", "were started in"):
        assert words not in said
    refused = recorded.spans("research.order")[-1]
    assert (refused.attributes or {})["error.type"] == "LimitReached"
    assert refused.status.description is None


async def test_a_model_span_names_its_interaction_status_and_tokens(use: Any, recorded: Recorded) -> None:
    with Emulator(brain=conversation_brain, speed=0) as api:
        use(api)
        talk = Talk(build_app())
        assert await talk.ask("please search for the word XYZZY") != ""
        events = (await talk.session()).events
        await talk.runner.close()
    spans = recorded.spans("generate_content gemini-3.8-flash")
    named = [(span.attributes or {})["interaction.id"] for span in spans]
    assert named == [event.interaction_id for event in events if event.interaction_id]
    assert [(span.attributes or {})["interaction.status"] for span in spans] == ["requires_action", "completed"]
    for span in spans:
        assert int(str((span.attributes or {})["interaction.tokens"])) > 0
        assert int(str((span.attributes or {})["gen_ai.usage.input_tokens"])) > 0


def test_an_exported_span_contains_the_error_type_but_not_its_message(recorded: Recorded) -> None:
    with pytest.raises(ValueError), tracer.start_as_current_span("failing"):
        raise ValueError("the prompt was: my secret")
    (span,) = recorded.spans("failing")
    assert "my secret" in all_text(span)  # by the SDK's own doing
    assert "my secret" not in all_text(without_exception_texts(span))
    assert [dict(event.attributes or {}) for event in without_exception_texts(span).events] == [
        {"exception.type": "ValueError"}
    ]
    assert (without_exception_texts(span).context, without_exception_texts(span).status.status_code) == (
        span.context,
        span.status.status_code,
    )


async def test_a_ledger_counts_its_jobs_by_state(desk: Desk) -> None:
    service = desk.service()
    assert set((await service.ledger.count_by_state()).values()) == {0}
    job, _ = await service.start(ORDER)
    await lines_of(desk, service, job)
    counts = await service.ledger.count_by_state()
    assert {state: count for state, count in counts.items() if count} == {State.COMPLETED: 1}
    assert set(counts) == set(State)


def signals(source: str) -> set[str]:
    """The names of spans, metrics and attributes in a module."""
    found = set(re.findall(r'"((?:research|interaction|gen_ai|error)\.[a-z_]+(?:\.[a-z_]+)*)"', source))
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
            first, name = call.args[0], call.func.attr
            if re.match(
                r"start_(as_current_)?span$|set_attributes?$|create_(observable_)?(counter|histogram|gauge)", name
            ):
                names = first.keys if isinstance(first, ast.Dict) else [first]
                found |= {key.value for key in names if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    return found


def test_the_documentation_names_every_span_attribute_and_metric() -> None:
    sources = [file.read_text() for file in (ROOT / "tools").rglob("*.py")]
    names = set().union(*(signals(source) for source in sources if "opentelemetry" in source))
    assert len(names) >= 25
    operating = (ROOT / "docs" / "operating.md").read_text()
    assert [name for name in sorted(names) if f"`{name}`" not in operating] == []
