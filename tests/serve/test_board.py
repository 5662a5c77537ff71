"""The page of research runs on `desk serve`: each user sees and changes their own runs only."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing

import httpx2
import pytest

from interactions_emulator.brain.protocol import Brain
from tests.board.conftest import BRIEF, Page, link_in, until
from tests.kill.test_kill import researches
from tests.scripts import research_brain
from tests.serve.conftest import AUDIENCE, Emulator, Issuer, Serve
from tests.serve.test_auth import bearer
from tools.research.order import LOCAL_USER, OUTSIDE_CONVERSATIONS
from tools.settings import load_settings

UNKNOWN = "/research/job_22222222"
READS = ("", "/events", "/delete", "/report.md", "/report.html", "/report.json")
FORMS = ("approve", "revise", "rewrite", "cancel", "again", "look", "ask", "share", "delete")


@pytest.fixture
def brain() -> Brain:
    return research_brain


@pytest.fixture
def client(serve: Serve, issuer: Issuer) -> httpx2.Client:
    return serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)


def order(client: httpx2.Client, headers: Mapping[str, str]) -> str:
    form = Page(client.get("/research/new", headers=headers).text).forms["/research/new"]
    answer = client.post("/research/new", data=form | {"brief": BRIEF}, headers=headers)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def send(client: httpx2.Client, path: str, action: str, headers: Mapping[str, str], **more: str) -> httpx2.Response:
    form = Page(client.get(path, headers=headers).text).forms[f"{path.removesuffix('/delete')}/{action}"]
    return client.post(f"{path.removesuffix('/delete')}/{action}", data=form | more, headers=headers)


def test_the_page_of_another_users_run_is_the_same_404_as_that_of_no_run(
    api: Emulator, client: httpx2.Client, issuer: Issuer
) -> None:
    ada, bob = bearer(issuer.token("ada")), bearer(issuer.token("bob"))
    path = order(client, ada)
    form = Page(client.get(path, headers=ada).text).forms[f"{path}/approve"]
    bobs = Page(client.get(order(client, bob), headers=bob).text).forms
    token = next(iter(bobs.values()))["token"]
    for end in READS:
        theirs, none = client.get(f"{path}{end}", headers=bob), client.get(f"{UNKNOWN}{end}", headers=bob)
        assert (theirs.status_code, theirs.text) == (404, none.text.replace(UNKNOWN, path)), end
        assert theirs.headers.items() - none.headers.items() <= {("date", theirs.headers["date"])}, end
    for name in FORMS:
        fields = form | {"token": token, "changes": "x", "brief": "x", "question": "x", "days": "1"}
        theirs, none = (client.post(f"{place}/{name}", data=fields, headers=bob) for place in (path, UNKNOWN))
        assert (theirs.status_code, theirs.text) == (404, none.text.replace(UNKNOWN, path)), name
        assert client.post(f"{path}/{name}", data=form, headers=bob).status_code == 403  # Ada's token of the form
    assert BRIEF in client.get("/", headers=ada).text
    assert path not in client.get("/", headers=bob).text
    assert researches(api) == []
    assert "Nothing was started" in client.get(path, headers=ada).text


def test_without_a_token_the_page_shows_style_and_shared_reports_only(
    api: Emulator, client: httpx2.Client, issuer: Issuer
) -> None:
    ada = bearer(issuer.token("ada"))
    path = order(client, ada)
    assert send(client, path, "approve", ada).status_code == 303
    until(lambda: api.advance(600) or "Download" in client.get(path, headers=ada).text)
    for url in ("/", "/research/new", *(f"{path}{end}" for end in READS)):
        answer = client.get(url)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), url
        assert answer.headers["cache-control"] == "no-store"
    assert client.post("/research/new", data={"brief": "x"}).status_code == 401
    assert client.get("/research/static/board.css").status_code == 200
    link = link_in(send(client, path, "share", ada, days="1").text)
    assert "The moon moves the sea" in client.get(link).text
    assert send(client, f"{path}/delete", "delete", ada).status_code == 200
    assert client.get(link).status_code == 404


def test_a_share_link_and_a_form_are_valid_on_all_replicas(api: Emulator, serve: Serve, issuer: Issuer) -> None:
    first, second = (serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE) for _ in range(2))
    ada = bearer(issuer.token("ada"))
    form = Page(first.get("/research/new", headers=ada).text).forms["/research/new"]
    path = second.post("/research/new", data=form | {"brief": BRIEF}, headers=ada).headers["location"]
    send(second, path, "approve", ada)
    until(lambda: api.advance(600) or "Download" in first.get(path, headers=ada).text)
    token = link_in(send(first, path, "share", ada, days="1").text).partition("/research/")[2]
    assert "The moon moves the sea" in second.get(f"/research/{token}").text


def test_on_loopback_the_user_is_that_of_the_command_line(serve: Serve, asks: None) -> None:
    client = serve()
    job = order(client, {}).rpartition("/")[2]
    with closing(sqlite3.connect(load_settings().ledger_file)) as ledger:
        rows = ledger.execute('SELECT id, "user", session FROM research_jobs').fetchall()
    assert rows == [(job, LOCAL_USER, OUTSIDE_CONVERSATIONS)]
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert client.get("/", headers=headers).status_code == 403
        assert client.post("/research/new", data={"brief": "x"}, headers=headers).status_code == 403


def test_an_account_with_the_name_of_the_command_lines_user_sees_none_of_its_runs(serve: Serve, issuer: Issuer) -> None:
    path = order(serve(), {})
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    account = bearer(issuer.token(LOCAL_USER))
    assert client.get(path, headers=account).status_code == 404
    assert BRIEF not in client.get("/", headers=account).text
    assert client.get(order(client, account), headers=account).status_code == 200
    for name in ("me", "%2575ser"):  # decoded once by the server
        assert client.get(f"/apps/desk/users/{name}/sessions", headers=account).status_code == 200
    assert client.get(f"/apps/desk/users/{LOCAL_USER}/sessions", headers=account).status_code == 403


def test_forms_over_the_limit_per_minute_get_429(serve: Serve) -> None:
    client = serve(turns_per_minute=1)
    form = Page(client.get("/research/new").text).forms["/research/new"]
    statuses = [client.post("/research/new", data=form | {"brief": f"topic {n}"}).status_code for n in range(2)]
    assert statuses == [303, 429]
