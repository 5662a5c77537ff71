"""The pages of schedules in a real browser: on a phone and a desktop, with and without JavaScript, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from interactions_emulator.brain.protocol import Brain, TimedStep, Turn
from tests.board.conftest import BRIEF, Site, screen, site, speed, until  # noqa: F401
from tests.board.test_schedules import come_due, schedules
from tests.browser.test_board import Open, open_page, press, tab_to, usable  # noqa: F401
from tests.scripts import said
from tools.research.schedules.schedule import Status

pytestmark = pytest.mark.nightly


@pytest.fixture
def brain() -> Brain:
    """Writes a report in which a figure changes from run to run."""
    heights = iter(range(3, 9))

    def tides(turn: Turn) -> Iterator[TimedStep]:
        yield TimedStep(300, said(f"# Tides\n\nThe highest tide of the year at Emden was {next(heights)} metres."))

    return tides


def run_twice(site: Site) -> None:  # noqa: F811
    """Lets the schedule come due twice, and both runs end."""
    for weeks in (2, 1):
        [run] = come_due(site, weeks)
        until(lambda run=run: site.job(run).interaction_id)  # type: ignore[misc]
        site.finish(run)
    until(lambda: "What has changed" in site.client.get(run).text)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("width", [360, 1280])
def test_from_the_form_to_the_changes_between_two_runs_and_the_end(
    site: Site,  # noqa: F811
    open_page: Open,  # noqa: F811
    width: int,
    script: bool,
) -> None:
    page = open_page(width, script)
    page.get_by_role("link", name="Schedules").click()
    usable(page)
    fill_in(page, ceiling="2")
    page.get_by_role("button", name="Show the times and the price").click()
    expect(page.get_by_role("alert")).to_contain_text("so a ceiling of $2 a month allows none: name 3 or more")
    expect(page.get_by_label("What do you want to know again and again?")).to_have_value(BRIEF)
    usable(page)
    fill_in(page, ceiling="15")
    page.get_by_role("button", name="Show the times and the price").click()
    expect(page.get_by_text("At 09:00 on Monday (Europe/Berlin)", exact=True)).to_be_visible()
    assert [each.status for each in schedules(site)] == [Status.PROPOSED]
    usable(page)
    page.get_by_role("button", name="Start these runs, for at most $15 a month").click()
    expect(page.get_by_text("There is no run yet")).to_be_visible()
    usable(page)
    run_twice(site)
    page.reload()
    expect(page.get_by_text("1 statements changed")).to_be_visible()
    usable(page)
    page.locator(".runs").get_by_role("link").first.click()
    expect(page.get_by_role("region", name="What has changed")).to_contain_text("4 metres")
    usable(page)
    page.get_by_text("What was ordered").click()
    page.get_by_role("link", name="sched_").click()
    page.get_by_role("button", name="Pause it").click()
    expect(page.get_by_role("status")).to_have_text("paused")
    usable(page)
    page.get_by_text("Delete this schedule").click()
    usable(page)
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.get_by_role("heading", name="New schedule")).to_be_visible()
    assert schedules(site) == []
    assert len(site.jobs()) == 2


def test_a_schedule_is_made_started_and_ended_by_keyboard_alone_on_a_phone(
    site: Site,  # noqa: F811
    open_page: Open,  # noqa: F811
) -> None:
    page = open_page(360)
    press(page, "Schedules")
    tab_to(page, "brief")
    page.keyboard.type(BRIEF)
    tab_to(page, "every")
    page.keyboard.type("every F")
    tab_to(page, "zone")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("Europe/Berlin")
    press(page, "Show the times and the price")
    expect(page.get_by_text("At 08:00 on Friday (Europe/Berlin)", exact=True)).to_be_visible()
    press(page, "Start these runs, for at most $15 a month")
    expect(page.get_by_text("There is no run yet")).to_be_visible()
    assert [each.status for each in schedules(site)] == [Status.ACTIVE]
    press(page, "Delete this schedule")
    press(page, "Yes, delete it")
    expect(page.get_by_role("heading", name="New schedule")).to_be_visible()
    assert schedules(site) == []


def fill_in(page: Page, ceiling: str) -> None:
    page.get_by_label("What do you want to know again and again?").fill(BRIEF)
    page.get_by_label("When", exact=True).select_option("every Monday")
    page.get_by_label("At", exact=True).fill("09:00")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Ceiling for a calendar month, in US dollars").fill(ceiling)
