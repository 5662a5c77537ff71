"""Converts schedules to rows of the ledger's table and back, without a database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.interactions.server_name import normalized_server
from tools.research.order import Order
from tools.research.rows import MAX_COST_USD, MAX_TIME_S, stored
from tools.research.schedules.schedule import Schedule, Status
from tools.research.schedules.timing import Timing


def row_of_schedule(schedule: Schedule) -> dict[str, Any]:
    """Returns the row of a schedule."""
    order, timing = schedule.order, schedule.timing
    return {
        "id": schedule.id,
        "key": schedule.key,
        "user": order.user,
        "session": order.session,
        "brief": order.brief,
        "title": order.title,
        "agent": order.agent,
        "options": stored("options", order.options),
        "notify": stored("notify", order.notify),
        "server": order.server,
        "cron": timing.cron,
        "zone": timing.zone,
        "max_usd": schedule.max_usd,
        "status": schedule.status,
        "created": schedule.created,
        "due": schedule.due,
        "last_job": schedule.last_job,
        "held": schedule.held,
    }


def schedule_of(row: Mapping[Any, Any]) -> Schedule:
    """Reads a row.

    Raises:
        ValueError, TypeError: it is not a valid schedule.
    """
    for name, highest in (("max_usd", MAX_COST_USD), ("created", MAX_TIME_S), ("due", MAX_TIME_S)):
        if (number := row[name]) is not None and not 0 <= number <= highest:  # also refuses NaN
            raise ValueError(f"`{name}` is out of bounds")
    options, notify = json.loads(row["options"]), json.loads(row["notify"])
    if not isinstance(options, dict) or not isinstance(notify, list):
        raise ValueError("`options` or `notify` has the wrong type")
    order = Order(
        brief=row["brief"],
        user=row["user"],
        session=row["session"],
        agent=row["agent"],
        options=options,
        server=normalized_server(row["server"]),
        title=row["title"],
        notify=tuple(map(str, notify)),
    )
    return Schedule(
        id=row["id"],
        order=order,
        timing=Timing(row["cron"], row["zone"]),
        max_usd=row["max_usd"],
        status=Status(row["status"]),
        created=row["created"],
        due=row["due"],
        last_job=row["last_job"],
        held=row["held"],
    )
