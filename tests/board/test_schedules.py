"""Schedules on the page: made in two steps, steered by forms, each user's own only, and bad input changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from tests.board.conftest import BRIEF, SCHEDULE_FORM, SCHEDULES_PATH, Site, propose, until
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.quotas import Quotas
from tools.research.schedules.schedule import Schedule, Status
from tools.research.schedules.timing import Timing
from tools.research.service import Research
from tools.research.settings import research_settings
from tools.research.tables import SCHEDULES


def schedules(site: Site) -> list[Schedule]:
    return site.on_loop(lambda service: service.schedules.of_user("user"))


def begin(site: Site) -> str:
    path = propose(site)
    assert site.send(site.page(path), "start").status_code == 303
    return path


def come_due(site: Site, weeks: int = 1) -> list[str]:
    """Makes all schedules due so many weeks early, and starts what is due; returns the paths of the runs."""

    async def run(service: Research) -> list[str]:
        earlier = update(SCHEDULES).values(due=SCHEDULES.c.due - weeks * 7 * 86_400)
        await service.ledger.schedules._database.write(lambda connection: connection.execute(earlier))
        return await service.schedules.start_due(research_settings().limits)

    return [f"/research/{job_id}" for job_id in site.on_loop(run)]


def test_a_schedule_starts_after_the_button_under_its_times_price_and_ceiling(site: Site) -> None:
    path = propose(site)
    shown = site.client.get(path).text
    for fact in (BRIEF, "At 09:00 on Monday (Europe/Berlin)", "about $1 to $3 a run", "$15 in a calendar month"):
        assert fact in shown
    assert [each.status for each in schedules(site)] == [Status.PROPOSED]
    assert come_due(site) == []
    page = site.page(path)
    with ThreadPoolExecutor(4) as threads:
        answers = [*threads.map(lambda _: site.send(page, "start"), range(4))]
    assert [answer.status_code for answer in answers] == [303] * 4
    [active] = schedules(site)
    assert (active.status, active.max_usd) == (Status.ACTIVE, 15)
    assert BRIEF in site.client.get(SCHEDULES_PATH).text


def test_the_button_names_the_ceiling_to_the_cent(site: Site) -> None:
    path = propose(site, max_usd="12345.64")
    shown = site.client.get(path).text
    assert "Start these runs, for at most $12345.64 a month" in shown
    assert "$12345.64 in a calendar month" in shown
    assert [each.max_usd for each in schedules(site)] == [12345.64]


def test_a_run_of_a_schedule_shows_what_has_changed_and_leads_to_its_schedule(site: Site) -> None:
    path = begin(site)
    for weeks in (2, 1):
        [run] = come_due(site, weeks)
        until(lambda run=run: site.job(run).interaction_id)  # type: ignore[misc]
        site.finish(run)
    until(lambda: "What has changed" in site.client.get(run).text)
    shown = site.client.get(run).text
    assert "Nothing has changed since job_" in shown
    assert f'{path}"' in shown
    assert site.client.get(path).text.count("finished") == 2
    assert [job.state for job in site.jobs()] == [State.COMPLETED] * 2


def test_a_schedule_is_paused_resumed_and_deleted_and_its_runs_stay(site: Site) -> None:
    path = begin(site)
    old = site.page(path)
    assert site.send(old, "pause").status_code == 303
    assert [each.status for each in schedules(site)] == [Status.PAUSED]
    assert "<dt>Next</dt>" not in site.client.get(path).text
    assert come_due(site) == []
    assert site.send(old, "pause").status_code == 303  # a repeated click
    assert site.send(old, "delete").status_code == 409  # the page has shown another state
    assert site.send(site.page(path), "start").status_code == 303
    [run] = come_due(site)
    page = site.page(path)
    assert site.send(page, "delete").status_code == 303
    assert schedules(site) == []
    assert site.send(page, "delete").status_code == 404
    assert site.client.get(run).status_code == 200


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"max_usd": "2"}, "a ceiling of $2 a month allows none"),
        ({"max_usd": "lots"}, "The ceiling is not a number"),
        ({"max_usd": "nan"}, "The ceiling is not a number"),
        ({"max_usd": "1_0"}, "The ceiling is not a number"),
        ({"max_usd": "9" * 300}, "ceiling is $1e+300 a month"),
        ({"cron": "0 0 30 2 *"}, "is never due"),
        ({"cron": "* * * * *"}, "more than once an hour"),
        ({"every": "munday"}, "is no day"),
        ({"at": "25:00"}, "is not a time of day"),
        ({"zone": "Mars/Base"}, "There is no time zone"),
        ({"zone": "Europe/Pariss"}, "`Europe/Pariss`, did you mean `Europe/Paris`?</p>"),
        ({"zone": ""}, "The time zone is empty"),
        ({"brief": " "}, "The brief is empty"),
        ({"depth": "deepest"}, "Choose one of the depths"),
    ],
)
def test_bad_input_is_named_in_a_sentence_and_what_was_written_stays(
    site: Site, fields: dict[str, str], says: str
) -> None:
    answer = site.send(site.page(SCHEDULES_PATH), "schedules", **{**SCHEDULE_FORM, "title": "My tides", **fields})
    assert answer.status_code == 400
    assert says in answer.text
    assert 'value="My tides"' in answer.text
    assert schedules(site) == []


def test_a_field_of_many_digits_takes_no_quadratic_time(site: Site) -> None:
    page = site.page(SCHEDULES_PATH)
    for field, value in (("max_usd", "9" * 300_000 + "x"), ("cron", "9" * 300_000), ("zone", "a/" * 40_000)):
        refused = site.send(page, "schedules", **SCHEDULE_FORM | {field: value})
        assert (refused.status_code, "more than 1,000 characters" in refused.text) == (400, True)


def test_a_form_of_another_page_makes_and_steers_no_schedule(site: Site) -> None:
    path = begin(site)
    for target, more in (
        (SCHEDULES_PATH, SCHEDULE_FORM),
        *((f"{path}/{name}", {}) for name in ("start", "pause", "delete")),
    ):
        for headers in ({"Origin": "https://evil.example"}, {}):
            answer = site.client.post(target, data={**more, "token": "made-up"}, headers=headers)
            assert answer.status_code == 403
    assert [each.status for each in schedules(site)] == [Status.ACTIVE]


def test_a_schedule_of_another_user_is_neither_shown_nor_steered(site: Site) -> None:
    order = Order("A secret topic", "eve", "s1", "deep-research-preview-04-2026")
    foreign, _ = site.on_loop(
        lambda service: service.schedules.add(order, Timing("0 8 * * 1", "UTC"), 9, Quotas(), propose=True)
    )
    token = site.page(SCHEDULES_PATH).forms[SCHEDULES_PATH]["token"]
    assert "A secret topic" not in site.client.get(SCHEDULES_PATH).text
    unknown = site.client.get(f"{SCHEDULES_PATH}/{foreign.id}")
    assert (unknown.status_code, "You have no schedule of that name." in unknown.text) == (404, True)
    for name in ("start", "pause", "delete"):
        seen = f"{foreign.status}:{foreign.version}"
        answer = site.client.post(f"{SCHEDULES_PATH}/{foreign.id}/{name}", data={"token": token, "seen": seen})
        assert answer.status_code == 404
    assert site.on_loop(lambda service: service.schedules.own("eve", foreign.id)) == foreign
