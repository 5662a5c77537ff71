"""What the moderation policy blocks is neither sent nor shown by the page."""

from __future__ import annotations

import httpx2
import pytest

from tests.board.conftest import Site, until
from tools.research.screening import Screened, TextScreener

blocked = set[str]()
"""Words that the check blocks."""


@pytest.fixture
def screen() -> TextScreener:
    blocked.clear()

    async def check(what: Screened, text: str) -> str:
        return f"Blocked in {what}." if any(word in text for word in blocked) else ""

    return check


def test_a_blocked_text_is_neither_sent_nor_shown_nor_shared(site: Site) -> None:
    blocked.add("forbidden")
    answer = site.send(site.page("/research/new"), "new", brief="forbidden things")
    assert (answer.status_code, "Blocked in user_messages" in answer.text, site.jobs()) == (403, True, [])
    path = site.start()
    site.api.advance(310)
    until(lambda: site.job(path).line)
    assert "tides moon" not in site.client.get(path).text  # no progress is shown that nobody has checked
    site.finish(path)
    page = site.page(path)
    assert site.send(page, "ask", question="forbidden?").status_code == 403
    link = site.send(page, "share", days="1").text.partition('value="http')[2].partition('"')[0]
    blocked.add("The moon moves the sea")
    hidden = site.client.get(path)
    assert "Blocked in reports" in hidden.text
    assert "moon" not in hidden.text
    assert f"{path}/delete" in hidden.text
    for url in (f"{path}/report.md", f"{path}/report.html", f"{path}/report.json"):
        answer = site.client.get(url)
        assert (answer.status_code, "Blocked in reports" in answer.text) == (403, True)
        assert "moon" not in answer.text
    assert httpx2.get(f"http{link}").status_code == 403
    assert site.send(page, "share", days="1").status_code == 403
    assert [entry.kind for entry in site.on_loop(lambda service: service.ledger.spending())] == ["run"]
