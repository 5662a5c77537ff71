"""The page of `desk board` in a real browser: on a phone and a desktop, with and without JavaScript, by keyboard."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.board.conftest import Site, screen, site, speed, until  # noqa: F401

Open = Callable[..., Page]
BRIEF = "Why are there tides?"
WORKER = b"""
self.oninstall = () => self.skipWaiting()
self.onactivate = event => event.waitUntil(self.clients.claim())
self.onfetch = event => event.respondWith(new Response("taken over"))
"""


@pytest.fixture
def open_page(site: Site, browser: Browser) -> Iterator[Open]:  # noqa: F811
    """Opens the start address in a browser that reaches this machine only, and notes what its console says."""
    contexts = list[BrowserContext]()
    complaints = list[str]()

    def start(width: int = 1280, script: bool = True) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=script)
        contexts.append(context)
        here = f"http://{site.access.host}:{site.access.port}/"
        context.route("**/*", lambda r: r.continue_() if r.request.url.startswith((here, "data:")) else r.abort())
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(site.access.start_address)
        assert page.url == f"{here}{site.access.path[1:]}/"
        return page

    yield start
    for context in contexts:
        context.close()
    # The browser says that a form was refused, and nothing that the page's policy forbids.
    assert [said for said in complaints if "status of 400" not in said] == []


class _Thief(BaseHTTPRequestHandler):
    """Another local program: its page leaves a script in the browser that answers all later requests to its address."""

    def do_GET(self) -> None:
        worker = self.path == "/worker.js"
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if worker else "text/html")
        self.end_headers()
        self.wfile.write(WORKER if worker else b"<script>navigator.serviceWorker.register('/worker.js')</script>")

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_script_that_another_program_has_left_in_the_browser_does_not_get_the_page(
    site: Site,  # noqa: F811
    browser: Browser,
) -> None:
    """By its secret address, the page cannot be one that the browser has seen at this port before."""
    server = ThreadingHTTPServer(("127.0.0.1", site.access.port), _Thief)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    with server, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{site.access.port}/")
        page.evaluate("navigator.serviceWorker.ready")
        server.shutdown()
        for path in ("", f"?token={site.access.token}", f"{site.access.path}/"):
            page.goto(f"http://127.0.0.1:{site.access.port}/{path}")
            expect(page.locator("body")).to_have_text("taken over")
        page.goto(site.access.start_address)
        expect(page.get_by_role("link", name="Start new research")).to_be_visible()


def test_by_keyboard_alone_on_a_phone_from_the_question_to_the_answer(site: Site, open_page: Open) -> None:  # noqa: F811
    page = open_page(360)
    press(page, "Start new research")
    tab_to(page, "brief")
    page.keyboard.type(BRIEF)
    press(page, "Show the price")
    expect(page.get_by_text("Nothing was started")).to_be_visible()
    assert site.creates == 0
    press(page, "Start it for about $1 to $3")
    expect(page.get_by_role("heading", name="Progress")).to_be_visible()
    job = page.url.rpartition("/")[2].partition("#")[0]
    until(lambda: site.creates)
    site.api.advance(310)
    expect(page.get_by_role("log")).to_contain_text("searching: tides moon")
    site.finish(job)
    expect(page.get_by_role("article", name="Report")).to_contain_text("The moon moves the sea")
    expect(page.get_by_role("heading", level=1)).to_be_focused()  # the page was loaded again: reading begins here
    assert page.get_by_role("article", name="Report").get_by_role("img").count() == 1
    usable(page)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("body")).to_have_css("color", "rgb(28, 27, 25)")  # dark letters on paper, also in the dark
    main = page.get_by_role("main")
    assert main.get_by_role("heading").all_inner_texts() == ["Why are there tides?", "Tides", "Sources"]
    expect(main.get_by_role("link", name=re.compile("Markdown|Delete"))).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_css("outline-style", "none")
    page.emulate_media(media="screen", color_scheme="light")
    with page.expect_download() as download:
        press(page, "Markdown")
    assert "The moon moves the sea" in Path(download.value.path()).read_text()
    tab_to(page, "question")
    page.keyboard.type("Which sea?")
    press(page, "Ask")
    until(lambda: page.wait_for_timeout(20) or site.api.advance(300) or site.job(job).follow_ups)  # the browser goes on
    expect(page.get_by_role("heading", name="Which sea?")).to_be_visible()
    assert len(site.jobs()) == 1


@pytest.mark.nightly
@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("width", [360, 1280])
def test_from_the_question_to_the_deletion(site: Site, open_page: Open, width: int, script: bool) -> None:  # noqa: F811
    page = open_page(width, script)
    usable(page)
    page.get_by_role("link", name="Start new research").click()
    page.get_by_label("What do you want to know?").fill(BRIEF)
    page.get_by_label("Show me a plan first").check()
    usable(page)
    page.get_by_role("button", name="Show the price").click()
    page.get_by_role("button", name="Make the plan for $1").click()
    expect(page.get_by_role("heading", name="Progress")).to_be_visible()
    usable(page)
    job = page.url.rpartition("/")[2].partition("#")[0]
    site.advance(job, lambda job: job.plan)
    shown(page, script)
    expect(page.get_by_role("heading", name="The plan")).to_be_visible()
    usable(page)
    page.get_by_role("button", name="Start it for about $1 to $3").click()
    expect(page.get_by_role("heading", name="Progress")).to_be_visible()
    site.finish(job)
    shown(page, script)
    expect(page.get_by_role("article", name="Report")).to_contain_text("The moon moves the sea")
    usable(page)
    for name, ending in (("Markdown", "md"), ("Web page", "html"), ("JSON", "json")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        assert download.value.suggested_filename == f"{job}.{ending}"
    page.get_by_text("Share this report").click()
    page.get_by_role("button", name="Make a link").click()
    usable(page)
    page.get_by_role("link", name="See what others see").click()
    expect(page.get_by_role("article")).to_contain_text("The moon moves the sea")
    usable(page)
    page.go_back()
    page.get_by_role("link", name="Back to the report").click()
    page.get_by_role("link", name="Delete this research").click()
    usable(page)
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.get_by_role("heading", name="Deleted")).to_be_visible()
    page.get_by_role("link", name="Back to the list").click()
    expect(page.get_by_text("There is no research yet")).to_be_visible()
    assert (site.creates, site.jobs()) == (2, [])


def shown(page: Page, script: bool) -> None:
    """Without JavaScript the page asks the browser to load it again after some seconds, which a test need not wait."""
    if not script:
        assert 'http-equiv="refresh"' in page.content()
        page.reload()


def usable(page: Page) -> None:
    """Checks that nothing has to be scrolled sideways, and that axe-core, which needs JavaScript, finds no barrier."""
    # By a locator, which waits if the browser loads the page again at this moment, as it does without JavaScript.
    wide = page.locator("html").evaluate("html => html.scrollWidth - html.clientWidth")
    assert wide <= 0, page.url
    if page.locator("html").evaluate("() => matchMedia('(scripting: enabled)').matches"):
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def press(page: Page, text: str) -> None:
    """Presses Enter on a link or a button, reached by Tab."""
    tab_to(page, text)
    page.keyboard.press("Enter")


def tab_to(page: Page, wanted: str) -> None:
    """Presses Tab until the element with that text or id has the focus, visibly."""
    for _ in range(60):
        page.keyboard.press("Tab")
        element = page.locator(":focus")
        if element.count() and wanted in (element.inner_text().strip(), element.get_attribute("id")):
            assert element.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
            return
    raise AssertionError(f"no Tab leads to {wanted}")
