"""How the researcher understands what is said to it: a research costs money, so plain commands start none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.research.job import Answer, Order, Plan, State, new_job
from tools.research.wishes import (
    Again,
    Approve,
    Attach,
    Cancel,
    FollowUp,
    Forget,
    Further,
    ListAll,
    New,
    Nothing,
    Resolve,
    Revise,
    understand,
)

ORDER = Order(brief="tides", user="ada", session="here", agent="deep-research-preview-04-2026")
DONE = replace(new_job(ORDER, 1.0), id="job_aaaaaaaa", state=State.COMPLETED)
RUNNING = replace(new_job(ORDER, 2.0), id="job_bbbbbbbb", state=State.RUNNING)
ELSEWHERE = replace(new_job(replace(ORDER, session="there"), 3.0), id="job_cccccccc", state=State.RUNNING)
JOBS = [ELSEWHERE, RUNNING, DONE]


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("What is the status of my research?", Attach(RUNNING)),
        ("status", Attach(RUNNING)),
        ("Is it done yet?", Attach(RUNNING)),
        ("How far is the report?", Attach(RUNNING)),
        ("please go on", Attach(RUNNING)),
        ("Show me the report", Attach(RUNNING)),
        ("status job_aaaaaaaa", Attach(DONE)),
        ("and job_cccccccc?", Attach(ELSEWHERE)),
        ("Cancel it!", Cancel(RUNNING)),
        ("cancel the research job_cccccccc", Cancel(ELSEWHERE)),
        ("start again job_aaaaaaaa", Again(DONE)),
        ("do the research again, please", Again(RUNNING)),
        ("status job_zzzzzzzz", Nothing("You have no research `job_zzzzzzzz`.")),
        ("new research: stop words in search engines", New("new research: stop words in search engines")),
        ("Write a report on the moon", New("Write a report on the moon")),
        ("tides", New("tides")),  # the same brief as before joins its job
        ("list my researches", ListAll()),
        ("forget job_aaaaaaaa", Forget(DONE)),
        ("Resolve the links of job_aaaaaaaa, please", Resolve(DONE)),
        ("job_aaaaaaaa: which sources are the best?", FollowUp(DONE, "the report: which sources are the best?")),
        ("Write a Deep Research Max study of the moon", New("Write a Deep Research Max study of the moon", most=True)),
        ("", Nothing("What shall be researched?")),
    ],
)
def test_a_command_is_made_of_command_words_and_anything_else_is_a_brief(text: str, wish: object) -> None:
    assert understand(text, "here", JOBS) == wish


@pytest.mark.parametrize(
    "text",
    [
        "Is the research over yet?",
        "Show me the report again, please",
        "how is the tides research going?",
        "cancel the tides research",
        "Stop the research about tides",
        "Is my research on tides finished?",
        "how is it going so far?",
        "has it finished?",
        "Any news?",
        "yes please",
        "thanks, show me the report",
        "Don't cancel it, wait",
        "Wie steht es?",
        "Stop words in search engines",
    ],
)
def test_a_question_about_a_research_never_costs_anything(text: str) -> None:
    assert not isinstance(understand(text, "here", JOBS), New | Again)


@pytest.mark.parametrize(
    "text",
    [
        "do I pay again?",
        "Would I have to pay again?",
        "can I run it again?",
        "How do I approve it?",
        "do i have to approve",
        "is this fine?",
        "Can I delete it?",
        "how do i delete it",
        "How can I cancel it?",
        "what would cancel do?",
    ],
)
def test_a_question_about_a_command_is_not_the_command(text: str) -> None:
    for job in (RUNNING, DONE, replace(RUNNING, state=State.AWAITING_APPROVAL)):
        assert isinstance(understand(text, "here", [job]), Nothing | Attach)


@pytest.mark.parametrize("text", ["Can you cancel it?", "please, could you cancel the research?", "cancel it"])
def test_a_polite_command_is_a_command(text: str) -> None:
    assert understand(text, "here", JOBS) == Cancel(RUNNING)


@pytest.mark.parametrize("text", ["Stop words in search engines", "Cancel culture", "Status of women in science"])
def test_any_topic_is_a_brief_where_there_is_no_research_yet(text: str) -> None:
    assert understand(text, "elsewhere", JOBS) == New(text)


PLANNED = replace(RUNNING, state=State.AWAITING_APPROVAL, plan=Plan("1. Look.", "v1_plan"))


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("go ahead", Approve(PLANNED)),
        ("Yes, start it!", Approve(PLANNED)),
        ("cancel", Cancel(PLANNED)),
        ("Leave out the moon and add the sun", Revise(PLANNED, "Leave out the moon and add the sun")),
    ],
)
def test_a_plan_is_approved_or_changed_in_plain_words(text: str, wish: object) -> None:
    assert understand(text, "here", [PLANNED]) == wish


@pytest.mark.parametrize("text", ["What does the report say about the sun?", "Summarise it for my board"])
def test_words_about_a_finished_report_are_a_follow_up(text: str) -> None:
    assert understand(text, "here", [DONE]) == FollowUp(DONE, text)


def test_a_command_without_a_research_says_so() -> None:
    assert understand("cancel it", "here", []) == Nothing("There is no research in this conversation yet.")


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("What is the status of my research?", Attach(ELSEWHERE)),
        ("Tides", Attach(ELSEWHERE)),
        ("cancel it", ListAll()),  # what costs or destroys wants a name
        ("yes, go ahead", ListAll()),
        ("start it again", ListAll()),
        ("new research: tides", New("new research: tides")),
        ("The moon", New("The moon")),
    ],
)
def test_a_session_without_a_research_finds_those_of_a_lost_session(text: str, wish: object) -> None:
    assert understand(text, "here", [ELSEWHERE]) == wish


def test_of_several_researches_of_lost_sessions_none_is_chosen() -> None:
    assert understand("status", "here", [ELSEWHERE, replace(ELSEWHERE, id="job_dddddddd")]) == ListAll()


def test_the_same_words_with_another_file_are_another_research() -> None:
    assert understand("tides", "here", [ELSEWHERE], with_files=True) == New("tides")
    assert understand("tides", "here", [replace(ELSEWHERE, state=State.FAILED)]) == New("tides")


ASKED = replace(DONE, follow_ups=(Answer("Summarise it for my board", "The moon.", "v1_answer"),))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "shorter, please",
            "Make it shorter",
            "a bit shorter, please",
            "now a shorter version",
            "An even shorter one",
        ),
        *("in German", "auf Deutsch bitte", "Write it in German", "Put that in a table", "I need it as bullet points"),
        *("What about the sun?", "and the sun", "Which one is the newest?", "one more summary, for children"),
    ],
)
def test_what_comes_after_a_question_about_a_report_is_the_next_question(text: str) -> None:
    assert understand(text, "here", [ELSEWHERE, ASKED]) == FollowUp(ASKED, text)


@pytest.mark.parametrize(
    "text", ["Make it shorter", "Put that in a table", "Please write it in German", "Do it in German"]
)
def test_words_about_it_are_about_the_report_and_start_nothing(text: str) -> None:
    assert understand(text, "here", [DONE]) == FollowUp(DONE, text)
    assert not isinstance(understand(text, "here", JOBS), New | Further | Again)  # also while another one runs


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("Write a report on the moon", New("Write a report on the moon")),
        ("new research: the sun", New("new research: the sun")),
        ("status", Attach(ASKED)),
        ("forget it", Forget(ASKED)),
        ("start again", Again(ASKED)),
        ("tides", New("tides")),
    ],
)
def test_after_a_question_about_a_report_commands_and_new_briefs_are_what_they_were(text: str, wish: object) -> None:
    assert understand(text, "here", [ASKED]) == wish


@pytest.mark.parametrize(
    "text",
    [
        *("Research on from there", "research on from here: the sun", "Please research further into the moon"),
        *("Dig deeper into the moon based on that", "go deeper", "Can you dig a bit deeper into the sun?"),
        *("Research the sun, building on that research.", "Explore the sun in depth, based on that"),
        *("Continue the research with the sun", "extend the report to the sun", "build on that report: the sun"),
        *("Based on that, research the sun", "Based on the report please investigate the sun", "explore this further"),
    ],
)
def test_what_builds_on_a_research_says_so(text: str) -> None:
    for job in (DONE, ASKED):
        assert understand(text, "here", [ELSEWHERE, job]) == Further(job, text)
    assert understand(f"job_aaaaaaaa: {text}", "elsewhere", JOBS) == Further(DONE, text)
    assert isinstance(understand(text, "here", JOBS), Nothing)  # the newest one runs: there is nothing to build on yet
    assert isinstance(understand(text, "here", []), Nothing)


@pytest.mark.parametrize(
    "text",
    [
        *("Should we dig deeper into the moon?", "Is it worth to research on from there?", "dig deeper into what?"),
        *("How can I continue the research with the sun?", "What if I research on from there?", "go on", "continue it"),
    ],
)
def test_a_question_about_building_on_a_research_starts_none(text: str) -> None:
    for jobs in ([DONE], [ASKED], JOBS):
        assert not isinstance(understand(text, "here", jobs), New | Further | Again)


@pytest.mark.parametrize("text", ["Research on climate change", "Research further education in Germany"])
def test_a_brief_with_like_words_builds_on_nothing(text: str) -> None:
    assert understand(text, "here", [DONE]) == New(text)


def test_the_same_words_again_are_the_research_that_they_started() -> None:
    deeper = replace(new_job(replace(ORDER, brief="Dig deeper", base=DONE.id), 4.0), state=State.RUNNING)
    done = replace(deeper, state=State.COMPLETED)
    assert understand("dig deeper", "here", [deeper, DONE]) == Further(DONE, "dig deeper")
    assert understand("dig deeper", "here", [done, DONE]) == Further(DONE, "dig deeper")
    assert understand("dig deeper", "here", [done]) == Attach(done)  # its base was forgotten
    assert understand(f"dig deeper, {done.id}", "here", [done, DONE]) == Further(done, "dig deeper")
    assert understand("go deeper", "here", [done, DONE]) == Further(done, "go deeper")


def test_words_about_a_plan_that_waits_are_for_the_plan() -> None:
    assert understand("Dig deeper into the moon", "here", [PLANNED, DONE]) == Revise(
        PLANNED, "Dig deeper into the moon"
    )
