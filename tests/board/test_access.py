"""Who gets in, what a page may run, and what is shown to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import SO_REUSEADDR, SOL_SOCKET, socket
from typing import Any, ClassVar

import httpx2
import pytest

from interactions_emulator.brain.protocol import Brain, TimedStep, Turn
from tests.board.conftest import BRIEF, Page, Site, link_in
from tests.scripts import REPORT, cited, picture
from tests.serve.conftest import listening
from tools.board.errors import described
from tools.board.load_queues import LoadQueues
from tools.board.local_server import listen, opening_file
from tools.board.security import Signer
from tools.board.share_links import BadLink, LinkExpired, share_token, shared_job
from tools.research.database_errors import LedgerError
from tools.research.report.documents import documents_installed

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1)) ![x](https://tracker.example/p.png)",
    "</title></textarea></main><form action=/x><iframe src=//x>",
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    "| a |\n|:-:|\n| <svg onload=alert(1)> |",
)


@pytest.fixture
def brain() -> Brain:
    """Writes a report, and a plan, with all attacks, and cites sources with hostile addresses."""

    def hostile(turn: Turn) -> Iterator[TimedStep]:
        part = cited(REPORT + "\n\n".join(ATTACKS) + "\n", "Größere Fluten kommen bei Neumond.")
        part["annotations"][0] |= {"url": "https://e.org/\"onclick='x'><script>", "title": ATTACKS[0]}
        part["annotations"][1] |= {"url": "javascript:alert(1)", "title": ATTACKS[1]}
        thought = {"type": "text", "text": f"**{ATTACKS[0]}**\n\n{ATTACKS[1]}\nevent: end"}
        yield TimedStep(60, {"type": "thought", "signature": "c2ln", "summary": [thought]})
        yield TimedStep(300, {"type": "model_output", "content": [part, picture()]})

    return hostile


def harmless(text: str) -> Page:
    """Checks that a page runs, loads and frames nothing but its own files."""
    page = Page(text)
    for tag, given in page.tags:
        assert tag not in ("iframe", "object", "embed", "base", "svg", "style")
        assert not [name for name in given if name.startswith("on") or name == "style"]
        assert given.get("href", "/").startswith(("/", "#", "https://", "http://", "data:,"))
        if tag == "script":
            assert given["src"] == "/research/static/board.js"
        if tag == "img":
            assert given["src"].startswith("data:image/png;base64,")
        if tag == "form":
            assert given["action"].startswith("/research/")
    return page


def test_whatever_a_brief_a_plan_or_a_report_contains_the_pages_run_and_load_nothing_of_it(site: Site) -> None:
    brief = "\n".join(ATTACKS)
    path = site.order(brief, title=ATTACKS[1], plan="yes")
    harmless(site.client.get(path).text)
    site.send(site.page(path), "approve")
    site.advance(path, lambda job: job.plan)
    harmless(site.client.get(path).text)
    site.send(site.page(path), "approve")
    site.finish(path)
    page = harmless(site.client.get(path).text)
    assert len([1 for tag, _ in page.tags if tag == "img"]) == 1
    share = site.send(page, "share", days="1").text
    for text in (site.client.get("/").text, share, site.client.get(f"{path}/delete").text):
        harmless(text)
    link = link_in(share)
    harmless(site.client.get(link).text)


def test_every_answer_forbids_scripts_of_others_frames_and_copies(site: Site) -> None:
    path = site.start()
    site.finish(path)
    for url in ("/", path, f"{path}/delete", f"{path}/report.html", f"{path}/nothing", "/research/shared/x", "/x"):
        headers = site.client.get(url).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "sandbox" in policy if url.endswith(".html") else "unsafe" not in policy
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"


def test_nobody_gets_in_without_the_secret_of_the_start_address(site: Site) -> None:
    path = site.order()
    with httpx2.Client(base_url=str(site.client.base_url)) as stranger:
        for cookie in ("", "x", site.access.token, "é"):
            stranger.cookies.clear()
            headers = {"Cookie": f"desk_board_{site.access.port}={cookie}".encode()}
            for url in ("/", path, f"{path}/events", "/?token=x", f"{path}?token={site.access.token}"):
                answer = stranger.get(url, headers=headers)
                assert (answer.status_code, BRIEF in answer.text) == (403, False), url
            for url in ("/research/new", "/research/shared/delete", "/research/static/ask"):
                assert stranger.post(url, data={"brief": "x"}, headers=headers).status_code == 403, url
        assert (
            stranger.get(site.access.start_address.partition("?")[0] + "research/static/board.css").status_code == 200
        )
    cookie = site.client.get(site.access.start_address).headers["set-cookie"]
    assert site.access.token not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


class _Thief(BaseHTTPRequestHandler):
    """Another local server: it keeps the cookies that a browser sends."""

    stolen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.stolen.append(self.headers.get("Cookie", ""))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


def test_a_browser_sends_the_cookie_to_no_other_server_of_this_machine(site: Site) -> None:
    with listening(_Thief) as other:
        for url in ("/", "/research/new", "/x/", f"/?token={site.access.token}"):
            assert site.client.get(f"{other}{url}").status_code == 204
    assert _Thief.stolen == [""] * 4
    path = site.start()
    site.finish(path)
    form = site.page(path)
    share = site.send(form, "share", days="1").text
    foreign = re.compile(r"""(?:href|action|src|data-events)=["'](?!https?:|data:|#|/research/static/)([^"']*)""")
    for text in (share, *(site.client.get(url).text for url in ("/", "/research/new", path, f"{path}/delete", "/no"))):
        assert {link.startswith(f"{site.access.path}/") for link in foreign.findall(text)} == {True}
    assert site.access.path not in link_in(share)


def test_a_cookie_of_the_same_name_from_another_server_locks_nobody_out(site: Site) -> None:
    [own] = [f"{cookie.name}={cookie.value}" for cookie in site.client.cookies.jar]
    added = f"{own.partition('=')[0]}=added"
    for cookies, status in ((f"{own}; {added}", 200), (f"{added}; {own}", 200), (added, 403)):
        with httpx2.Client(base_url=str(site.client.base_url), headers={"Cookie": cookies}) as browser:
            assert browser.get("/").status_code == status, cookies


def test_no_other_program_can_take_the_port_before_the_page_is_served() -> None:
    with listen(0) as own, socket() as other:
        other.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(own.getsockname())
        with pytest.raises(OSError, match="in use"):
            listen(own.getsockname()[1], own.getsockname()[0])


def test_each_page_has_an_address_that_no_other_program_could_know(site: Site) -> None:
    with listen(0) as one, listen(0) as two:
        assert len({"127.0.0.1", site.access.host, one.getsockname()[0], two.getsockname()[0]}) == 4
    for host in ("127.0.0.1", "localhost"):
        answer = site.client.get("/", headers={"Host": f"{host}:{site.access.port}"})
        assert (answer.status_code, "nowhere else" in answer.text) == (403, True)


def test_readers_of_a_share_link_keep_neither_its_owner_nor_readers_of_others_waiting(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers, loading = list[str](), LoadQueues.loading
    monkeypatch.setattr(LoadQueues, "loading", lambda self, reader: readers.append(reader) or loading(self, reader))
    path = site.start()
    site.finish(path)
    link = link_in(site.send(site.page(path), "share", days="1").text)
    readers.clear()
    assert [site.client.get(url).status_code for url in (link, path, f"{path}/report.html")] == [200] * 3
    assert readers == ["readers of user", *["user"] * 3]  # a page loads the files of its order, then its report


def test_another_host_name_is_refused_even_with_the_cookie(site: Site) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1:1", "localhost.evil.example", ""):
        answer = site.client.get("/", headers={"Host": host})
        assert (answer.status_code, "nowhere else" in answer.text) == (403, True), host


def test_only_this_user_can_read_the_file_that_opens_the_browser(tmp_path: Path) -> None:
    with opening_file(tmp_path / "data", "http://127.0.0.1:1/?token=secret") as file:
        assert file.stat().st_mode & 0o077 == 0
        assert "url=http://127.0.0.1:1/?token=secret" in file.read_text()
    assert not file.exists()


def test_a_share_link_shows_one_report_to_anybody_until_it_expires(site: Site) -> None:
    path = site.start(f"{BRIEF} For the harbour of Emden")
    site.finish(path)
    job = site.job(path)
    link = link_in(site.send(site.page(path), "share", days="7").text)
    with httpx2.Client() as anybody:
        shown = anybody.get(link)
        assert shown.status_code == 200
        assert "The moon moves the sea" in shown.text
        assert shown.headers["referrer-policy"] == "no-referrer"
        assert Page(shown.text).forms == {}
        hidden = (job.interaction_id, "Emden", "$", "/research/job_")
        assert [text for text in hidden if str(text) in shown.text] == []
        assert anybody.post(link).status_code == 403
        assert anybody.get(link.replace("shared/", "")).status_code == 403
        site.moved.append(7 * 86_400 + 2)
        expired = anybody.get(link)
        assert (expired.status_code, "This link has expired" in expired.text) == (410, True)
        assert "New research" not in expired.text  # a reader may open no other page
        site.moved.clear()
        site.client.get(site.access.start_address)
        assert anybody.get(link).status_code == 200
        site.send(site.page(f"{path}/delete"), "delete")
        deleted = anybody.get(link)
        assert (deleted.status_code, "was deleted" in deleted.text) == (404, True)


def test_a_changed_share_link_shows_nothing(site: Site) -> None:
    path = site.start()
    site.finish(path)
    token = link_in(site.send(site.page(path), "share", days="1").text).rpartition("/")[2]
    job, expires, signature = token.split(".")
    other = site.order("Why is the sea salty?").rpartition("/")[2]
    changed = [
        f"{other}.{expires}.{signature}",
        f"{job}.{int(expires) + 1}.{signature}",
        f"{job}.0{expires}.{signature}",
        f"{job.upper()}.{expires}.{signature}",
        f"{job}.{expires}.{signature[:-1]}",
        f"{job}.{expires}.{signature}A",
        f"{job}.{expires}.{'A' * 43}",
        f"{job}.{expires}.",
        f"{job}.{expires}",
        f"{token}%0A",
        "..%2f..%2fetc%2fpasswd",
        "%00",
    ]
    for each in changed:
        answer = site.client.get(f"/research/shared/{each}")
        assert answer.status_code == 404, each
        assert "The moon" not in answer.text


def test_a_signature_is_valid_for_its_purpose_and_its_parts_only() -> None:
    signer = Signer(b"key")
    token = share_token(signer, "job_22222222", 100)
    assert shared_job(signer, token, 100) == "job_22222222"
    with pytest.raises(LinkExpired):
        shared_job(signer, token, 101)
    with pytest.raises(BadLink):
        shared_job(Signer(b"other"), token, 0)
    assert not signer.is_valid(signer.sign("form", "a", "b"), "share", "a", "b")
    assert not signer.is_valid(signer.sign("share", "a", "bc"), "share", "ab", "c")


def test_a_report_is_downloaded_under_a_name_of_ours(site: Site) -> None:
    path = site.order(BRIEF, title='x"; filename="evil.exe\r\nSet-Cookie: a=b')
    site.send(site.page(path), "approve")
    site.finish(path)
    job = path.rpartition("/")[2]
    for ending, kind in (("md", "text/markdown"), ("html", "text/html"), ("json", "application/json")):
        answer = site.client.get(f"{path}/report.{ending}")
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["content-disposition"] == f'attachment; filename="{job}.{ending}"'
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "The moon moves the sea" in answer.text
        assert "set-cookie" not in answer.headers
    assert json.loads(answer.text)["title"] == "Tides"
    if documents_installed():
        pdf = site.client.get(f"{path}/report.pdf")
        assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    for ending in ("exe", "..%2f..%2fetc%2fpasswd", "md%00", "MD", ""):
        assert site.client.get(f"{path}/report.{ending}").status_code == 404, ending
    for static in ("..%2fapp.py", "../app.py", "%2e%2e/app.py", ""):
        assert site.client.get(f"/research/static/{static}").status_code == 404, static


def test_a_title_cannot_turn_the_direction_of_what_is_shown(site: Site) -> None:
    path = site.order("annexe \u202efdp.exe\u202c", title="Tides \u202efdp.exe \u2067x")
    for url in (path, "/", f"{path}/delete"):
        shown = site.client.get(url).text.partition("<blockquote")[0]
        assert "Tides fdp.exe x" in shown
        assert not {*"\u202e\u2067"} & {*shown}
    untitled = site.order("Tides \u202efdp.exe")
    assert "<title>Tides fdp.exe: its price waits for your yes" in site.client.get(untitled).text


def test_an_address_of_the_page_leads_to_no_other_site(site: Site) -> None:
    for url in ("//evil.example", "//evil.example/", "/research//evil.example", "/research/", "/research", "/new/"):
        answer: Any = site.client.get(f"{site.client.base_url}".rstrip("/") + url)
        assert answer.status_code == 404
        assert "location" not in answer.headers


async def test_a_page_for_everybody_does_not_name_the_database_that_cannot_be_opened() -> None:
    status, text = described(LedgerError("the ledger postgresql+asyncpg://desk:***@10.0.0.1/desk cannot be opened"))
    assert (status, "postgresql" in text, "10.0.0.1" in text) == (503, False, False)
