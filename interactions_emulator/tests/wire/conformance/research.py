"""Flows with an agent that works in the background; what each is to show stands in `flows.json`."""

from __future__ import annotations

import itertools
import time
from typing import Any

from api import Api, check_citations, check_stream, deltas_of, steps_of

QUESTION = "Research tidal power: costs and nature"
RUNNING = ("queued", "in_progress")


def research_poll(api: Api) -> None:
    started = _start(api, QUESTION, thinking_summaries="auto")
    assert started.id and started.status in RUNNING, started.status
    done = _wait(api, started.id)
    assert done.status == "completed", done.status
    assert api.agent in done.agent
    assert any(thought.summary for thought in steps_of(done, "thought")), "no thought is summarized"
    assert done.output_text
    check_citations(done)


def research_stream_resume(api: Api) -> None:
    stream = _start(api, QUESTION, thinking_summaries="auto", stream=True)
    first = list(itertools.islice(stream, 5))
    stream.close()
    interaction_id, cursor = first[0].interaction.id, first[-1].event_id
    assert cursor, "an event without an id cannot be resumed after"
    rest = list(api.interactions.get(id=interaction_id, stream=True, last_event_id=cursor))
    check_stream([*first, *rest])
    again = list(api.interactions.get(id=interaction_id, stream=True))
    assert [event.event_id for event in again] == [event.event_id for event in [*first, *rest]]
    done = api.interactions.get(id=interaction_id)
    assert done.status == rest[-1].interaction.status == "completed"
    assert "".join(delta.text for delta in deltas_of(again, "text")).endswith(done.output_text)


def research_cancel(api: Api) -> None:
    started = _start(api, "Research the history of the tulip trade, without end")
    assert started.status in RUNNING
    assert api.interactions.cancel(id=started.id).status == "cancelled"
    assert api.interactions.get(id=started.id).status == "cancelled"


def research_plan(api: Api) -> None:
    plan = _wait(api, _start(api, QUESTION, collaborative_planning=True).id)
    assert plan.status == "completed" and plan.output_text
    more = {"previous_interaction_id": plan.id, "collaborative_planning": False}
    done = _wait(api, _start(api, "Go ahead.", **more).id)
    assert done.id != plan.id and done.status == "completed"
    assert done.output_text != plan.output_text
    check_citations(done)


def _start(api: Api, question: str, **more: Any) -> Any:
    body = {key: more.pop(key) for key in ("previous_interaction_id", "stream") if key in more}
    config = {"type": "deep-research", **more}
    return api.interactions.create(agent=api.agent, input=question, background=True, agent_config=config, **body)


def _wait(api: Api, interaction_id: str) -> Any:
    """Poll until it is no longer running."""
    while (found := api.interactions.get(id=interaction_id)).status in RUNNING:
        time.sleep(api.patience)
    return found
