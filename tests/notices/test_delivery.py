"""No notice is lost, and none is sent twice except after a kill between its sending and the record of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import re
import signal
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from interactions_emulator import Emulator
from tests.conftest import Desk
from tests.forks import Fork
from tests.ledger.conftest import NOW, Open, open_ledger, url
from tests.notices.conftest import PATH, SECRET, Configure, Receiver, hook
from tests.ports import free_port
from tests.routing.test_conversation import brain as conversation
from tests.serve.conftest import Serve, api, serve
from tests.serve.test_webhook_messages import ended, signed
from tools.cli.app import app
from tools.interactions import backend
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.job import Job, Plan, new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.notices import delivery
from tools.research.notices.delivery import deliver_due, start_due
from tools.research.notices.event import Event
from tools.research.notices.message import Message
from tools.research.notices.outbox import Notice
from tools.research.notices.sender import send
from tools.research.notices.targets import Target
from tools.research.notices.timeouts import NOTICE_LEASE_S, RETRY_AFTER_S
from tools.research.order import Order
from tools.research.quotas import LIMIT_PERIOD_S
from tools.research.report.report import Report, to_json
from tools.research.tables import NOTICES
from tools.settings import load_settings

__all__ = ["api", "open_ledger", "serve", "url"]
ORDER = Order("Why are there tides?", "ada", "s1", "deep-research", title="Tides", notify=("hook",))


def target(receiver: Receiver, **more: Any) -> Target:
    return Target(url=f"{receiver.url}/{PATH}", secret=SECRET, private=True, **more)


async def deliver(ledger: Ledger, now: float, **targets: Target) -> None:
    await deliver_due(ledger, lambda: targets, lambda: now)


async def job_in(ledger: Ledger, state: State, order: Order = ORDER, **values: Any) -> Job:
    """A job that has just reached a state."""
    job, _ = await ledger.add(new_job(order, NOW))
    changed = await ledger.change(job.id, {State.INTENDED}, NOW, state=state, **values)
    assert changed
    return changed


async def test_each_state_that_ends_or_stops_a_run_is_noticed_once(open_ledger: Open, receiver: Receiver) -> None:
    ledger = open_ledger()
    every = Target(**{**target(receiver).model_dump(), "events": [*Event]})
    for state in State:
        receiver.webhooks.clear()
        job = await job_in(ledger, state, replace(ORDER, brief=state))
        for now in (NOW + 1, NOW + 2):
            await ledger.change(job.id, {state}, now, state=state)  # as the hourly check of a stalled run does
            await deliver(ledger, now, hook=every)
        silent = state in (State.INTENDED, State.STARTING, State.RUNNING)
        waits = state is State.AWAITING_APPROVAL
        types = {body["type"] for _, body in receiver.webhooks}
        assert types == (set() if silent else {"research.price" if waits else f"research.{state}"}), state
        times = [body["timestamp"] for _, body in receiver.webhooks]
        assert len({*times}) == len(times) == (0 if silent else 2 if waits else 1), state


async def test_an_answered_question_is_not_noticed_and_a_yes_that_became_too_old_is(
    open_ledger: Open, receiver: Receiver
) -> None:
    ledger = open_ledger()
    every = target(receiver, events=[*Event])
    job, _ = await ledger.add(new_job(ORDER, NOW, State.AWAITING_APPROVAL))
    await ledger.approve(job, NOW, None)
    await deliver(ledger, NOW, hook=every)
    assert receiver.webhooks == []
    later = NOW + LIMIT_PERIOD_S + 1
    approved = await ledger.get(job.id)
    assert approved and await ledger.mark_starting(approved, later) is None
    await deliver(ledger, later, hook=every)
    assert [body["type"] for _, body in receiver.webhooks] == ["research.price"]


@pytest.mark.parametrize("state", [State.STALLED, State.START_UNKNOWN])
async def test_a_stall_or_an_unknown_start_that_is_over_is_not_noticed(
    state: State, open_ledger: Open, receiver: Receiver
) -> None:
    ledger = open_ledger()
    job = await job_in(ledger, state)
    await ledger.change(job.id, {state}, NOW + 1, state=State.RUNNING)
    await ledger.change(job.id, {State.RUNNING}, NOW + 2, state=State.COMPLETED)
    await deliver(ledger, NOW + 3, hook=target(receiver))
    assert [body["type"] for _, body in receiver.webhooks] == ["research.completed"]


async def test_a_question_that_replaces_an_unsent_one_is_noticed_once(open_ledger: Open, receiver: Receiver) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(new_job(ORDER, NOW, State.AWAITING_APPROVAL))
    await ledger.approve(job, NOW, None)
    await ledger.change(job.id, {State.INTENDED}, NOW + 1, state=State.AWAITING_APPROVAL, plan=Plan("1. Look", "v1_p"))
    await deliver(ledger, NOW + 2, hook=target(receiver, events=[*Event]))
    assert [body["type"] for _, body in receiver.webhooks] == ["research.plan"]


async def test_a_notice_that_cannot_be_read_delays_no_other(open_ledger: Open, receiver: Receiver) -> None:
    ledger = open_ledger()
    for number in range(11):
        await job_in(ledger, State.FAILED, replace(ORDER, brief=f"brief {number}"))
    newer = update(NOTICES).values(state="of a newer program")
    await ledger._database.write(lambda connection: connection.execute(newer))
    await job_in(ledger, State.COMPLETED)
    await deliver(ledger, NOW + 1, hook=target(receiver))
    assert [body["type"] for _, body in receiver.webhooks] == ["research.completed"]


async def test_a_price_is_not_noticed_unless_asked_for_and_a_plan_is(open_ledger: Open, receiver: Receiver) -> None:
    ledger = open_ledger()
    await ledger.add(new_job(ORDER, NOW, State.AWAITING_APPROVAL))
    order = replace(ORDER, brief="Why is the sky blue?")
    await job_in(ledger, State.AWAITING_APPROVAL, order, plan=Plan("1. Look", "v1_p"))
    await deliver(ledger, NOW, hook=target(receiver))
    assert [body["type"] for _, body in receiver.webhooks] == ["research.plan"]


async def test_a_change_of_state_and_its_notice_are_written_together_or_not_at_all(
    open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(new_job(ORDER, NOW))

    def fail(*_: Any) -> None:
        raise OSError("no disk")

    monkeypatch.setattr("tools.research.ledger.record_notices", fail)
    with pytest.raises(DATABASE_ERRORS):
        await ledger.change(job.id, {State.INTENDED}, NOW, state=State.FAILED)
    assert await ledger.get(job.id) == job


@pytest.mark.parametrize(("moment", "copies"), [("before", [1, 1, 1]), ("after", [1, 2, 2])])
async def test_a_kill_loses_no_notice_and_a_second_copy_has_the_same_id(
    moment: str, copies: list[int], url: str, open_ledger: Open, receiver: Receiver
) -> None:
    victim = Fork("tests.notices.killed_sender", url, f"{receiver.url}/{PATH}", SECRET, moment)
    assert await asyncio.to_thread(victim.wait) == -signal.SIGKILL
    ledger = open_ledger()
    sent = []
    for now in (NOW + NOTICE_LEASE_S - 1, NOW + NOTICE_LEASE_S, NOW + NOTICE_LEASE_S + 1):
        await deliver(ledger, now, hook=target(receiver))
        sent.append(len(receiver.webhooks))
    assert sent == copies
    assert len({notice_id for notice_id, _ in receiver.webhooks}) == 1
    assert len({json.dumps(body) for _, body in receiver.webhooks}) == 1


@pytest.mark.parametrize("names", [["hook"], ["hook", "phone"]])
async def test_a_killed_process_repeats_at_most_the_notice_that_it_was_sending_to_each_target(
    names: list[str], url: str, open_ledger: Open, receiver: Receiver
) -> None:
    victim = Fork("tests.notices.killed_sender", url, f"{receiver.url}/{PATH}", SECRET, "after", "12", *names)
    assert await asyncio.to_thread(victim.wait) == -signal.SIGKILL
    ledger = open_ledger()
    for now in (NOW, NOW + NOTICE_LEASE_S):
        await deliver(ledger, now, **dict.fromkeys(names, target(receiver)))
    copies = Counter(notice_id for notice_id, _ in receiver.webhooks)
    assert len(copies) == 12
    assert 1 <= sum(copies.values()) - 12 * len(names) <= len(names)


async def test_several_replicas_send_each_notice_once(open_ledger: Open, receiver: Receiver) -> None:
    ledgers = [open_ledger() for _ in range(4)]
    jobs = [await job_in(ledgers[0], State.COMPLETED, replace(ORDER, brief=f"brief {n}")) for n in range(12)]
    await asyncio.gather(*(deliver(ledger, NOW, hook=target(receiver)) for ledger in ledgers))
    for ledger in ledgers:
        await deliver(ledger, NOW, hook=target(receiver))
    assert sorted(body["data"]["job"] for _, body in receiver.webhooks) == sorted(job.id for job in jobs)


async def test_a_process_that_stood_still_before_it_sent_leaves_the_notice_to_the_other_replica(
    open_ledger: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, other, times = open_ledger(), open_ledger(), [NOW]
    build = delivery._message

    async def stand_still(*arguments: Any) -> Message | None:
        if len(times) == 1:
            times.append(NOW + NOTICE_LEASE_S)
            await deliver(other, times[-1], hook=target(receiver))
        return await build(*arguments)

    monkeypatch.setattr(delivery, "_message", stand_still)
    await job_in(ledger, State.COMPLETED)
    await deliver_due(ledger, lambda: {"hook": target(receiver)}, lambda: times[-1])
    assert len(receiver.webhooks) == 1


async def test_a_target_that_cannot_be_reached_is_tried_for_a_day_and_changes_no_run(
    open_ledger: Open, receiver: Receiver
) -> None:
    ledger = open_ledger()
    job = await job_in(ledger, State.COMPLETED, replace(ORDER, notify=("dead", "hook")))
    dead = Target(url=f"http://127.0.0.1:{free_port()}/{PATH}", secret=SECRET, private=True)
    now = NOW
    for wait in (*RETRY_AFTER_S, 0):
        await deliver(ledger, now, dead=dead, hook=target(receiver))
        await deliver(ledger, now + wait - 1, dead=dead, hook=target(receiver))  # not yet
        now += wait
    first, second = await ledger.notices.of_job(job.id)
    assert (first.target, first.attempts, first.ended) == ("dead", 8, now)
    assert first.error == "it cannot be reached (ConnectError)"
    assert 22 * 3600 < now - NOW < 26 * 3600
    assert (second.target, second.attempts, second.ended, second.error) == ("hook", 1, NOW, "")
    assert len(receiver.webhooks) == 1
    assert await ledger.get(job.id) == job


@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly)], indirect=True)
async def test_targets_that_never_answer_delay_no_other_target(
    open_ledger: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, asked, let_go = open_ledger(), Counter[str](), asyncio.Event()
    names = [f"silent{number}" for number in range(20)]

    async def wait_if_silent(to: Target, message: Message) -> str:
        if not to.contents:
            return await send(to, message)
        asked[message.id] += 1
        await let_go.wait()
        return "no answer"

    monkeypatch.setattr("tools.research.notices.delivery.send", wait_if_silent)
    targets = {name: target(receiver, contents=True) for name in names} | {"hook": target(receiver)}
    for number in range(12):
        order = replace(ORDER, brief=f"brief {number}", notify=("hook", *names))
        await job_in(ledger, State.COMPLETED, order)
    try:
        async with asyncio.timeout(60):
            for expected in (12, 13):  # the last one is ordered while the others hang
                await start_due(ledger, lambda: targets, lambda: NOW)
                while len(receiver.webhooks) < expected:
                    await asyncio.sleep(0.001)
                last = await job_in(ledger, State.COMPLETED, replace(ORDER, brief=f"after {expected}"))
    finally:
        let_go.set()
    assert sum(asked.values()) == len(names)
    await deliver_due(ledger, lambda: targets, lambda: NOW)
    assert receiver.webhooks[-1][1]["data"]["job"] == last.id
    assert [*asked.values()] == [len(names)] * 12


async def test_a_notice_is_left_to_a_process_that_knows_its_target(open_ledger: Open, receiver: Receiver) -> None:
    ledger = open_ledger()
    job = await job_in(ledger, State.COMPLETED)
    await deliver(ledger, NOW, other=target(receiver))
    assert receiver.webhooks == []
    await deliver(ledger, NOW + 1, hook=target(receiver))
    assert len(receiver.webhooks) == 1
    other = await job_in(ledger, State.COMPLETED, replace(ORDER, brief="another"))
    await deliver(ledger, NOW + 2 * sum(RETRY_AFTER_S))
    (given_up,) = await ledger.notices.of_job(other.id)
    assert given_up.ended and given_up.error == "no process had a target of this name in `notify:`"
    assert (await ledger.notices.of_job(job.id))[0].error == ""


async def test_deleting_a_run_deletes_its_notices(open_ledger: Open, receiver: Receiver) -> None:
    ledger = open_ledger()
    job = await job_in(ledger, State.COMPLETED)
    await ledger.delete(job.id)
    assert await ledger.notices.of_job(job.id) == []
    await deliver(ledger, NOW, hook=target(receiver))
    assert receiver.webhooks == []


@pytest.mark.parametrize("contents", [False, True])
async def test_a_notice_has_contents_only_if_they_are_asked_for(
    contents: bool, open_ledger: Open, receiver: Receiver
) -> None:
    ledger = open_ledger()
    words = {"brief": ORDER.brief, "title": ORDER.title, "error": "the server said so", "report": "Neap tides"}
    report = Report("", words["report"], (), (), {}, "v1_a", "", "")
    await job_in(ledger, State.INCOMPLETE, error=words["error"], report=to_json(report))
    await job_in(
        ledger, State.AWAITING_APPROVAL, replace(ORDER, brief=f"{ORDER.brief} Again."), plan=Plan("1. Measure", "v1_p")
    )
    by_apprise = Target(url=f"json://127.0.0.1:{receiver.port}/", private=True, contents=contents)
    await deliver(ledger, NOW, hook=target(receiver, contents=contents))
    sent = json.dumps([body for _, body in receiver.webhooks])
    await ledger.add_targets((await ledger.find())[0].id, ["mail"])
    await job_in(
        ledger, State.FAILED, replace(ORDER, brief="The sky", title="", notify=("mail",)), error=words["error"]
    )
    await deliver(ledger, NOW, mail=by_apprise)
    texts = json.dumps(receiver.others)
    assert {name: word in sent for name, word in words.items()} == dict.fromkeys(words, contents)
    assert ("1. Measure" in sent, "The sky" in texts, words["error"] in texts) == (contents,) * 3
    assert re.search(r"research run job_\w+ failed\..*Next: the same desk research command", texts, re.IGNORECASE)
    assert re.search(r"notice_\w{24}", texts)


async def test_a_dead_target_neither_delays_nor_fails_a_run(desk: Desk, receiver: Receiver) -> None:
    service = desk.service()
    dead = Target(url=f"http://127.0.0.1:{free_port()}/", secret=SECRET, private=True)
    receiver.status = 500
    order = Order("Why are there tides?", "ada", "s1", "deep-research-preview-04-2026", notify=("dead", "hook"))
    job, _ = await service.start(order)

    times = itertools.count(job.created, 60)

    async def keep_delivering() -> None:
        while True:
            await deliver_due(service.ledger, lambda: {"dead": dead, "hook": target(receiver)}, lambda: next(times))
            await asyncio.sleep(0)

    delivering = asyncio.create_task(keep_delivering())
    while not (await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)
    await desk.pass_time(2000)
    while (await service.job(job.id)).state is not State.COMPLETED:
        await asyncio.sleep(0.001)
    while (await service.ledger.notices.of_job(job.id))[0].attempts < 2:
        await asyncio.sleep(0.001)
    delivering.cancel()
    report = await service.report(job.id)
    assert report and report.text.startswith("# Tides")
    assert desk.creates == 1


SECRETS = (PATH, SECRET, SECRET.removeprefix("whsec_"), "hush-hush")


def test_no_secret_of_a_target_is_stored_logged_or_shown(
    use: Any,
    receiver: Receiver,
    configure: Configure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("WORD", "hush-hush")
    receiver.status = 403
    mail = f"  mail:\n    url: json://ada:${{WORD}}@127.0.0.1:{receiver.port}/${{{'HOOK_PATH'}}}\n    private: true\n"
    configure("notify:\n" + hook(receiver) + mail)
    with Emulator(brain=conversation, speed=float("inf")) as server:
        use(server)
        done = CliRunner().invoke(app, ["research", "tides", "--json"])
        assert done.exit_code == 0, done.stderr
        job_id = json.loads(done.stdout)["job"]
        shown = [done.output] + [
            CliRunner().invoke(app, arguments).output
            for arguments in (
                ["check"],
                ["doctor"],
                ["jobs", "--json"],
                ["status", job_id],
                ["status", job_id, "--json"],
            )
        ]
    assert len(receiver.asked) == 2
    assert "it answered 403" in shown[4] and json.loads(shown[5])["notices"][0]["target"] == "hook"
    stored = b"".join(file.read_bytes() for file in load_settings().data_dir.rglob("*") if file.is_file())
    for secret in SECRETS:
        assert secret.encode() not in stored
        assert secret not in caplog.text + "".join(shown)


def test_a_command_sends_its_notices_before_it_ends_to_the_targets_that_it_names(
    use: Any, receiver: Receiver, configure: Configure
) -> None:
    configure("notify:\n" + hook(receiver) + hook(receiver, "phone"))
    with Emulator(brain=conversation, speed=float("inf")) as server:
        use(server)
        for arguments in (["tides"], ["tides", "--notify", "phone", "--again"]):
            assert CliRunner().invoke(app, ["research", *arguments]).exit_code == 0
            backend.current.cache_clear()
        refused = [
            CliRunner().invoke(app, ["research", "moons", "--notify", name])
            for name in ("phonn", "ntfy://ada:secret@a.example/t")
        ]
        assert server.log()["creates"] == 2
    assert [body["type"] for _, body in receiver.webhooks] == ["research.completed"] * 3
    assert len({notice_id for notice_id, _ in receiver.webhooks}) == 2
    assert "did you mean `phone`?" in refused[0].stderr and refused[0].exit_code == 1
    assert "secret" not in refused[1].stderr.replace("may be secret", "")


async def left_behind() -> Job:
    """A job that ended although no process is left that could send its notice."""
    ledger = Ledger(load_settings().ledger_url)
    job = await job_in(ledger, State.FAILED)
    await ledger.close()
    return job


@pytest.mark.parametrize("hangs", [False, True])
def test_a_message_of_the_api_sends_the_notices_that_are_due_although_nothing_else_runs(
    hangs: bool, receiver: Receiver, configure: Configure, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("notify:\n" + hook(receiver))
    job = asyncio.run(left_behind())
    monkeypatch.setattr("tools.research.background.run_background", asyncio.Event().wait)
    if hangs:
        receiver.hangs = threading.Event()
        monkeypatch.setattr("tools.server.webhooks.WEBHOOK_ANSWER_S", 0)
        monkeypatch.setattr("tools.server.webhooks.MIN_DELIVERY_S", 0.1)
    client = serve(webhook_secrets=SECRET)
    answer = client.post("/webhooks/research", content=ended("v1_x"), headers=signed(ended("v1_x"), SECRET))
    assert answer.status_code == 204
    assert len(receiver.webhooks) == (not hangs)
    if receiver.hangs:
        receiver.hangs.set()  # the instance gets time again
    while not asyncio.run(notices_of(job))[0].ended:
        client.get("/healthz").raise_for_status()
    assert [body["data"]["job"] for _, body in receiver.webhooks] == [job.id]


async def notices_of(job: Job) -> list[Notice]:
    """The notices about a job."""
    ledger = Ledger(load_settings().ledger_url)
    notices = await ledger.notices.of_job(job.id)
    await ledger.close()
    return notices


def test_a_server_sends_the_notices_of_processes_that_ended(
    receiver: Receiver, configure: Configure, serve: Serve
) -> None:
    configure("notify:\n" + hook(receiver))
    job = asyncio.run(left_behind())
    client = serve()
    while not receiver.webhooks:
        client.get("/healthz").raise_for_status()
    ((_, body),) = receiver.webhooks
    assert body["data"]["job"] == job.id
