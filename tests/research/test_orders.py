"""Which orders count as the same job. An overlooked difference would show a person the wrong report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tools.research.order import Order

PICTURE = {"type": "image", "mime_type": "image/png", "data": "iVBORw0KGgo="}
ORDER = Order("Why are there tides?", "ada", "s1", "deep-research", {"thinking_summaries": "auto"}, (PICTURE,))


@pytest.mark.parametrize(
    "difference",
    [
        {"brief": "Why are there waves?"},
        {"user": "bob"},
        {"session": "s2"},
        {"agent": "deep-research-max"},
        {"inputs": ()},
        {"inputs": ({**PICTURE, "data": "R0lGODlh"},)},
        {"inputs": (PICTURE, PICTURE)},
        {"attempt": 2},
        {"server": "gemini"},
        {"base": "job_aaaaaaaa"},
    ],
    ids=str,
)
def test_orders_that_differ_have_different_keys(difference: dict[str, Any]) -> None:
    assert replace(ORDER, **difference).key != ORDER.key


@pytest.mark.parametrize("server", ["gemini", "emulator"])
def test_orders_for_different_servers_or_bases_have_different_keys(server: str) -> None:
    here, there = replace(ORDER, server=server), replace(ORDER, server="vertex")
    assert here.key != there.key
    assert replace(here, base="job_aaaaaaaa").key != replace(here, base="job_bbbbbbbb").key


def test_whitespace_case_and_previous_interaction_do_not_change_the_key() -> None:
    again = replace(ORDER, brief="  WHY are\n there tides? ", options=dict(ORDER.options), previous="v1_later")
    assert again.key == ORDER.key


@pytest.mark.parametrize(
    "presented",
    [
        {"options": {"thinking_summaries": "none"}},
        {"options": {"thinking_summaries": "auto", "visualization": "off"}},
        {"options": {"thinking_summaries": "auto", "collaborative_planning": True}},
        {"options": {}},
        {"title": "The sea"},
    ],
    ids=str,
)
def test_title_planning_and_presentation_do_not_change_the_key(presented: dict[str, Any]) -> None:
    assert replace(ORDER, **presented).key == ORDER.key
