"""Jobs as rows of the ledger's table, without anything of a database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tools.research.job import Answer, Job, Order, Plan, State


def row_of(job: Job) -> dict[str, Any]:
    """A new job's row."""
    order = job.order
    return {
        "id": job.id,
        "key": order.key,
        "user": order.user,
        "session": order.session,
        "brief": order.brief,
        "agent": order.agent,
        "options": json.dumps(dict(order.options), sort_keys=True),
        "attempt": order.attempt,
        "state": job.state,
        "created": job.created,
        "updated": job.updated,
        "interaction_id": job.interaction_id,
        "cursor": job.cursor,
        "events": job.events,
        "finished": job.finished,
        "usage": json.dumps(dict(job.usage)),
        "error": job.error,
        "line": job.line,
        "plan": plan_text(job.plan),
        "inputs": json.dumps([dict(content) for content in order.inputs]),
        "cost": job.cost,
        "server": order.server,
        "follow_ups": answers_text(job.follow_ups),
        "base": order.base,
        "previous": order.previous,
        "started": job.started,
        "trace": job.trace,
    }


def plan_text(plan: Plan | None) -> str | None:
    """A plan as its column has it."""
    return json.dumps(asdict(plan)) if plan else None


def answers_text(answers: Sequence[Answer]) -> str:
    """Answers as their column has them."""
    return json.dumps([asdict(answer) for answer in answers])


def job_of(values: Mapping[Any, Any]) -> Job:
    """The job that a row is of."""
    order = Order(
        brief=values["brief"],
        user=values["user"],
        session=values["session"],
        agent=values["agent"],
        options=json.loads(values["options"]),
        inputs=tuple(json.loads(values["inputs"])),
        attempt=values["attempt"],
        server=values["server"],
        base=values["base"],
        previous=values["previous"],
    )
    return Job(
        id=values["id"],
        order=order,
        state=State(values["state"]),
        created=values["created"],
        updated=values["updated"],
        interaction_id=values["interaction_id"],
        cursor=values["cursor"],
        events=values["events"],
        finished=values["finished"],
        usage=json.loads(values["usage"]),
        error=values["error"],
        line=values["line"],
        plan=_plan(json.loads(values["plan"])) if values["plan"] else None,
        cost=values["cost"],
        started=values["started"],
        follow_ups=_answers(values["follow_ups"]),
        trace=values["trace"],
    )


def _plan(values: dict[str, Any]) -> Plan:
    return Plan(**{**values, "earlier": tuple(values.get("earlier", ()))})


def _answers(text: str) -> tuple[Answer, ...]:
    return tuple(Answer(**{**values, "earlier": tuple(values["earlier"])}) for values in json.loads(text))
