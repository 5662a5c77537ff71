"""How the researcher understands what is said to it: a research costs money, so plain commands start none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.research.agent import Again, Attach, Cancel, New, Nothing, understand
from tools.research.job import Order, State, new_job

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
        ("Stop words in search engines", New("Stop words in search engines")),
        ("Status of women in science, a report", New("Status of women in science, a report")),
        ("How is research going to change medicine?", New("How is research going to change medicine?")),
        ("Cancel culture", New("Cancel culture")),
        ("", Nothing("What shall be researched?")),
    ],
)
def test_a_command_is_made_of_command_words_and_anything_else_is_a_brief(text: str, wish: object) -> None:
    assert understand(text, "here", JOBS) == wish


def test_a_command_without_a_research_says_so() -> None:
    assert understand("cancel it", "here", [ELSEWHERE]) == Nothing("There is no research in this conversation yet.")
