"""What a person sees in `adk web`: a price before a run, its progress, a report with sources, and its files."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from interactions_emulator import Emulator
from tests.kill.test_kill import TIDES, adk_web, researches, until
from tests.ports import free_port
from tests.routing.test_conversation import brain
from tests.scripts import PIXEL
from tests.talk import creates


@pytest.fixture
def document() -> str:
    """What the built-in brain knows; empty: a scripted one answers."""
    return ""


@pytest.fixture
def api(use: Any, document: str, tmp_path: Path) -> Iterator[Emulator]:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "document.md").write_text(document)
    with Emulator(brain=None if document else brain, corpus=corpus, speed=math.inf) as server:
        use(server)
        yield server


@pytest.fixture
def page(api: Emulator, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The desk's page in a browser that reaches this machine only."""
    with adk_web(tmp_path, free_port()) as (_, client):
        base = str(client.base_url)
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        here = (base, "data:", "blob:")
        context.route("**/*", lambda r: r.continue_() if r.request.url.startswith(here) else r.abort())
        shown = context.new_page()
        shown.goto(f"{base}/dev-ui/?app=desk")
        shown.wait_for_selector("textarea")
        if (button := shown.get_by_role("button", name="No Thanks")).count():
            button.click()
        yield shown
        context.close()


def say(page: Page, text: str, *, wait: bool = True) -> None:
    box = page.locator('app-chat-panel textarea[placeholder="Type a message..."]')
    if not wait:
        box.fill(text)
        box.press("Enter")
        return
    with page.expect_event("requestfinished", lambda r: r.url.endswith("/run_sse"), timeout=60_000):
        box.fill(text)
        box.press("Enter")


@pytest.mark.nightly
def test_weather_search_and_moderation_are_answered_in_the_page(page: Page) -> None:
    say(page, "weather in Lisbon")
    expect(page.locator("app-event-row").last).to_contain_text("WEATHER Lisbon")
    say(page, "please search for it")
    link = page.locator("app-event-row").last.get_by_role("link", name="The moon")
    assert link.first.get_attribute("href") == "https://example.org/moon"
    say(page, "moderate this: buy now")
    last = page.locator("app-event-row").last
    expect(last).to_contain_text("Verdict: not safe, spam")
    expect(last).to_contain_text("is_safe")  # the verdict as data below the sentence


@pytest.mark.nightly
def test_a_research_run_shows_progress_then_its_report_and_files(api: Emulator, page: Page) -> None:
    api.set_speed(0)
    say(page, "research tides", wait=False)
    page.wait_for_selector("text=begins; it usually takes")
    until(lambda: researches(api))
    api.advance(310)
    page.wait_for_selector(".content-bubble.type-thought >> text=searching: tides moon")
    api.set_speed(math.inf)
    page.wait_for_selector("h1 >> text=Tides")
    assert page.get_by_role("link", name="The sea").last.get_attribute("href") == "https://example.org/sea"
    expect(page.locator(".content-bubble.type-thought")).to_have_count(0)
    page.get_by_role("tab", name="Artifacts").click()
    page.wait_for_selector("app-artifact-tab .artifact-card")
    names = page.locator("app-artifact-tab .artifact-title-link").all_inner_texts()
    assert sorted(name.split()[0].rsplit(".")[-1] for name in names) == ["html", "json", "md", "png"]


@pytest.mark.parametrize("document", [TIDES])
def test_a_run_starts_only_after_a_yes_to_its_quote_and_shows_progress_and_report(
    asks: None, api: Emulator, page: Page
) -> None:
    say(page, "Write a research report about the tides of the sea")
    quote = page.locator("app-event-row").last
    for fact in ("Price: about $1 to $3", "Time: usually 5 to 20 minutes", "Nothing was started. Say yes to start it"):
        expect(quote).to_contain_text(fact)
    say(page, "What will it cost?")
    expect(page.locator("app-event-row").last).to_contain_text(
        "waits for your yes: about $1 to $3. Say yes to start it"
    )
    assert researches(api) == []
    api.set_speed(0)
    say(page, "yes", wait=False)
    page.wait_for_selector("text=begins; it usually takes")
    until(lambda: researches(api))
    api.advance(310)
    page.wait_for_selector(".content-bubble.type-thought")
    api.set_speed(math.inf)
    expect(page.locator("h1").last).to_contain_text("Tides", ignore_case=True)
    expect(page.locator("app-event-row").last).to_contain_text("The moon causes the tides of the sea")
    expect(page.locator(".content-bubble.type-thought")).to_have_count(0)
    assert len(researches(api)) == 1


def test_a_drawn_picture_is_displayed_and_an_uploaded_file_reaches_the_model(api: Emulator, page: Page) -> None:
    say(page, "draw a boat")
    shown = page.locator("app-event-row img[src^='data:image/png']")
    expect(shown).to_have_count(1)
    assert base64.b64encode(PIXEL).decode() in (shown.get_attribute("src") or "")
    last = page.locator("app-event-row").last
    expect(last).to_contain_text("A BOAT")
    expect(last).to_contain_text("Saved as artifacts: draw-a-boat.png")
    page.locator("input[type=file]").set_input_files(
        [
            {"name": "boat.png", "mimeType": "image/png", "buffer": PIXEL},
            {"name": "log.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"},
            {"name": "horn.mp3", "mimeType": "audio/mpeg", "buffer": b"horn"},
        ]
    )
    say(page, "hello")
    sent = [content for step in creates(api)[-1]["input"] for content in step.get("content", ())]
    assert [content["type"] for content in sent if content["type"] != "text"] == ["image", "document", "audio"]


def test_an_error_is_displayed_and_remains_after_a_reload(api: Emulator, page: Page) -> None:
    api.faults({"on": "create", "status": 403, "times": 0})
    say(page, "hello")
    expect(page.locator("app-event-row").last).to_contain_text("Check GEMINI_API_KEY")
    page.reload()
    expect(page.locator("app-event-row").last).to_contain_text("Check GEMINI_API_KEY")
