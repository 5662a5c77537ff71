"""Asks the user before `desk research` starts a run that costs more than the agreed price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.cli.confirmation import confirm
from tools.cli.job_data import one_line
from tools.cli.terminal import err
from tools.research.job import Job
from tools.research.order import Order
from tools.research.pricing import RUN_MINUTES, cost_of, price_range

if TYPE_CHECKING:
    from tools.research.service import Research


MAX_SHOWN_CHARS = 2_000
"""Maximum characters of a brief that are shown before its price."""


async def confirm_price(service: Research, order: Order, up_to: float, again: bool) -> bool:
    """Makes sure that the user agrees to the price of a new run. Asks if needed; without a yes, ends the command.

    Args:
        up_to: nothing is asked if the run costs at most this price, in USD.
        again: whether to start a new run even if there is a run of the same order.

    Returns:
        True if the user agrees to the price. False if the order joins an existing run, so that nobody was asked.
    """
    _, high = cost_of(order.agent)
    if high <= up_to:
        return True
    if not starts_run(await service.latest_attempt(order), again):
        return False
    err.print(await quote(service, order), markup=False, soft_wrap=True)
    confirm("Start it?", f"{order.agent} costs {price_range(order.agent)} a run: agree to it with --yes-up-to {high:g}")
    return True


def starts_run(newest: Job | None, again: bool) -> bool:
    """Whether an order starts a new run. If not, it joins `newest`, the newest run of the same order.

    `Research.start` decides by the same rules.
    """
    if newest is None or newest.ended_before_start:
        return True
    return again and not newest.reused_on_repeat


def _shortened(brief: str) -> str:
    if len(brief) <= MAX_SHOWN_CHARS:
        return brief
    return f"{brief[:MAX_SHOWN_CHARS]}… ({len(brief):,} characters)"


async def quote(service: Research, order: Order) -> str:
    """Describes an order, its price and its time, one line per fact."""
    facts = {
        "title": order.title,
        "brief": _shortened(order.brief),
        "agent": order.agent,
        "price": price_range(order.agent),
        "time": f"usually {RUN_MINUTES[0]} to {RUN_MINUTES[1]} minutes",
    }
    if order.base and (base := await service.ledger.get(order.base)):
        facts["builds on"] = f"{base.id} ({one_line(base)[:70]})"
    if order.inputs:
        kinds = ", ".join(str(content.get("mime_type", "file")) for content in order.inputs)
        facts["files"] = f"{len(order.inputs)} ({kinds})"
    if order.options.get("collaborative_planning") is True:
        facts["plan"] = "comes first; the run starts after `desk approve`"
    return "\n".join(f"{name}: {value}" for name, value in facts.items() if value)
