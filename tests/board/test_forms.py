"""Forms of the page: nothing is bought by accident, or twice, or by another page; bad input changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.board.conftest import BRIEF, Page, Site, location, until
from tools.board.timeouts import FORM_TTL_S
from tools.research.job_states import State
from tools.research.order import LOCAL_USER, OUTSIDE_CONVERSATIONS
from tools.research.settings import load_research_settings
from tools.settings import load_settings

ACTIONS = ("approve", "revise", "rewrite", "cancel", "again", "look", "ask", "share")


def test_nothing_starts_before_the_button_under_the_price(site: Site) -> None:
    path = site.order()
    page = site.client.get(path).text
    assert "about $1 to $3" in page
    assert "Nothing was started" in page
    assert (site.job(path).state, site.creates) == (State.AWAITING_APPROVAL, 0)
    site.send(site.page(path), "approve")
    until(lambda: site.creates == 1)


def test_a_repeated_form_never_starts_a_run_twice(site: Site) -> None:
    form = site.page("/research/new")
    with ThreadPoolExecutor(6) as threads:
        ordered = [*threads.map(lambda _: site.send(form, "new", brief=BRIEF), range(6))]
        [path] = {location(answer) for answer in ordered}
        quote = site.page(path)
        agreed = [*threads.map(lambda _: site.send(quote, "approve"), range(6))]
    assert [answer.status_code for answer in agreed] == [303] * 6
    until(lambda: site.job(path).interaction_id)
    assert site.send(quote, "approve").status_code == 303
    assert (site.creates, len(site.jobs())) == (1, 1)
    site.finish(path)
    page = site.page(path)
    with ThreadPoolExecutor(4) as threads:
        [again] = {location(a) for a in threads.map(lambda _: site.send(page, "again"), range(4))}
    assert (site.job(again).state, site.creates) == (State.AWAITING_APPROVAL, 1)


def test_a_brief_of_the_command_line_is_the_same_job(site: Site) -> None:
    settings = load_research_settings(load_settings().config)
    order = settings.order(BRIEF, user=LOCAL_USER, session=OUTSIDE_CONVERSATIONS)
    job, _ = site.on_loop(lambda service: service.start(order, confirm=True))
    assert site.order(BRIEF.upper()) == f"/research/{job.id}"


def test_a_form_of_an_outdated_page_does_nothing(site: Site) -> None:
    path = site.order()
    old = site.page(path)
    assert site.send(old, "rewrite", brief="Why is the sea salty?").status_code == 303
    refused = site.send(old, "approve")
    assert (refused.status_code, site.creates) == (409, 0)
    assert "has changed since the page was shown" in refused.text
    quote = site.page(path)
    site.send(quote, "approve")
    until(lambda: site.job(path).interaction_id)
    assert site.send(quote, "cancel").status_code == 409  # “Drop it” must not cancel what runs now
    deletion = site.page(f"{path}/delete")
    site.finish(path)
    assert site.send(deletion, "delete").status_code == 409  # what was to be deleted had no report yet
    assert site.job(path).state is State.COMPLETED


def test_of_two_tabs_at_the_same_moment_only_the_first_is_obeyed_and_the_other_is_told(site: Site) -> None:
    path = site.order()
    quote = site.page(path)
    tabs = [("rewrite", {"brief": "Why is the sea blue?"}), *[("approve", {})] * 5]
    with ThreadPoolExecutor(6) as threads:
        changed, *agreed = threads.map(lambda tab: site.send(quote, tab[0], **tab[1]).status_code, tabs)
    if changed == 303:  # an agreement to the old brief starts nothing
        assert (set(agreed), site.creates, site.job(path).state) == ({409}, 0, State.AWAITING_APPROVAL)
    else:
        until(lambda: site.job(path).interaction_id)
        assert (changed, set(agreed), site.creates, site.job(path).order.brief) == (409, {303}, 1, BRIEF)


FOREIGN = {
    "without a token": ({"token": ""}, {}, 0),
    "with a forged token": ({"token": f"9999999999.{'A' * 43}"}, {}, 0),
    "with a token that is no text of ours": ({"token": "9.é"}, {}, 0),
    "that is too old": ({}, {}, FORM_TTL_S + 60),
    "of another origin": ({}, {"Origin": "https://evil.example"}, 0),
    "of an origin that is hidden": ({}, {"Origin": "null"}, 0),
    "of another local server": ({}, {"Sec-Fetch-Site": "same-site"}, 0),
    "of another site": ({}, {"Sec-Fetch-Site": "cross-site"}, 0),
}


def test_a_form_that_this_page_did_not_just_show_does_nothing_and_keeps_its_text(site: Site) -> None:
    path = site.order()
    for case, (fields, headers, later) in FOREIGN.items():
        forms = {**site.page("/research/new").forms, **site.page(path).forms}
        site.moved[:] = [later]
        for action, values in forms.items():
            sent = values | {"brief": "Why is the sea salty?"} | fields
            answer = site.client.post(action, data=sent, headers=headers)
            assert answer.status_code == 403, case
            assert "Nothing was done" in answer.text
            assert "Why is the sea salty?" in answer.text
        site.moved.clear()
    assert [(job.order.brief, job.state) for job in site.jobs()] == [(BRIEF, State.AWAITING_APPROVAL)]
    assert site.creates == 0


def test_the_token_of_another_user_is_refused(site: Site) -> None:
    from tools.board.security import ForeignForm, Signer, check_form, form_token

    signer = Signer(b"key")
    check_form(signer, "ada", 0, form_token(signer, "ada", 0), {}, "http://desk")
    with pytest.raises(ForeignForm):
        check_form(signer, "bob", 0, form_token(signer, "ada", 0), {}, "http://desk")


def test_get_changes_nothing(site: Site) -> None:
    path = site.order()
    before = site.jobs()
    for action in (*ACTIONS, "delete"):
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            if (action, method) not in (("delete", "GET"), ("delete", "HEAD")):
                assert site.client.request(method, f"{path}/{action}").status_code == 405
    for shown in ("/", "/research/new", path, f"{path}/delete", f"{path}/events", f"{path}?known&asked"):
        assert site.client.get(shown).status_code == 200
    assert (site.jobs(), site.creates) == (before, 0)


BAD = {
    "an empty brief": ({"brief": " \n"}, 400, "The brief is empty"),
    "a brief that nobody sees": ({"brief": "\u200b\ufeff \u202e"}, 400, "The brief is empty"),
    "a long brief": ({"brief": "tide " * 4001}, 400, "The brief has 20,004 characters; at most 20,000"),
    "a long title": ({"title": "t" * 121}, 400, "The title has 121 characters"),
    "an unknown depth": ({"depth": "abyss"}, 400, "Choose one of the depths"),
    "too many bytes": ({"brief": "x" * 500_000}, 413, "The form is too long"),
    "too many fields": ({f"f{n}": "" for n in range(30)}, 400, "cannot be read"),
}


def test_bad_input_is_answered_by_a_sentence_and_a_way_back(site: Site) -> None:
    for case, (fields, status, sentence) in BAD.items():
        answer = site.send(site.page("/research/new"), "new", **({"brief": BRIEF} | fields))
        assert (answer.status_code, sentence in answer.text) == (status, True), case
        page = Page(answer.text)
        assert {"/", "/research/new"} & {given.get("href") for _, given in page.tags}
        if status == 400 and "f1" not in fields:  # the form is shown again, with all that was written
            assert page.forms["/research/new"]["brief"].strip() == fields.get("brief", BRIEF).strip()
    assert site.jobs() == []


FORM = "application/x-www-form-urlencoded"
BODIES = (
    (b'{"brief": "tides"}', "application/json"),
    (b"brief=%FF%FE", FORM),
    (b"brief=\xff", FORM),
    (b"brief=a&brief=b", FORM),
    (b"brief", "multipart/form-data; boundary=x"),
    (b"brief=a&token=1.x&seen=%00&%00=%00", FORM),
    (b"brief=a&token=\xed\xa0\x80", FORM),
    (b"", ""),
)


def test_a_body_that_is_no_form_of_the_page_is_refused(site: Site) -> None:
    for body, kind in BODIES:
        answer = site.client.post("/research/new", content=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 403), body
        assert "<h1>That did not work</h1>" in answer.text
    for path in ("/research/job_%00", "/research/%ED%A0%80", f"/research/{'x' * 5000}", "/research/job_22222222"):
        assert site.client.get(path).status_code == 404
    assert site.jobs() == []


def test_a_limit_starts_nothing_and_keeps_what_was_written(site: Site) -> None:
    for topic in ("tides", "moons", "seas"):
        site.start(topic)
    answer = site.send(site.page("/research/new"), "new", brief="winds")
    assert (answer.status_code, site.creates) == (429, 3)
    assert "3 research runs are under way already (limit 3)" in answer.text
    assert Page(answer.text).forms["/research/new"]["brief"] == "winds"


def test_a_plan_is_shown_changed_and_approved_by_its_own_buttons(site: Site) -> None:
    path = site.order(plan="yes")
    assert "Make the plan for $1" in site.client.get(path).text
    site.send(site.page(path), "approve")
    site.advance(path, lambda job: job.plan)
    old = site.page(path)
    assert site.creates == 1
    assert site.send(old, "revise", changes="Only the Baltic Sea").status_code == 303
    site.advance(path, lambda job: job.plan and job.plan.earlier and job.state is State.AWAITING_APPROVAL)
    assert site.send(old, "approve").status_code == 409  # a yes to the first plan is none to the second
    assert site.creates == 2
    site.send(site.page(path), "approve")
    until(lambda: site.creates == 3)
    site.finish(path)
    assert site.job(path).state is State.COMPLETED


def test_a_question_costs_cents_once_and_its_answer_is_shown(site: Site) -> None:
    path = site.start()
    site.finish(path)
    page = site.page(path)
    asked = ThreadPoolExecutor(2).map(lambda _: site.send(page, "ask", question="Which sea?"), range(2))
    site.advance(path, lambda job: job.follow_ups)
    assert {answer.status_code for answer in asked} == {303}
    assert site.send(page, "ask", question="which  SEA?").status_code == 303
    entries = site.on_loop(lambda service: service.ledger.spending())
    assert [entry.kind for entry in entries] == ["run", "question"]
    assert "Which sea?" in site.client.get(path).text
    assert site.send(page, "ask", question=" ").status_code == 400


def test_a_run_is_deleted_only_after_the_yes_of_its_own_page(site: Site) -> None:
    path = site.start()
    site.finish(path)
    assert f"{path}/delete" not in site.page(path).forms
    answer = site.send(site.page(f"{path}/delete"), "delete")
    assert "deleted from the ledger, with its report" in answer.text
    assert (site.jobs(), site.client.get(path).status_code) == ([], 404)


def test_a_database_that_does_not_answer_is_a_sentence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*arguments: object, **values: object) -> None:
        raise OSError("secret path")

    form = site.page("/research/new")
    monkeypatch.setattr("tools.research.ledger.Ledger.find", fails)
    for answer in (site.client.get("/"), site.send(form, "new", brief="winds")):
        assert (answer.status_code, "secret path" in answer.text) == (503, False)
        assert "The database does not answer now" in answer.text


def test_an_unforeseen_error_is_a_sentence_without_internals(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*arguments: object, **values: object) -> httpx2.Response:
        raise ValueError("internals")

    monkeypatch.setattr("tools.research.ledger.Ledger.find", fails)
    answer = site.client.get("/")
    assert (answer.status_code, "internals" in answer.text) == (500, False)
