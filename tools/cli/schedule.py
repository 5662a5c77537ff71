"""`desk schedule`: repeats research at certain times."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.markup import escape

from tools.cli.arguments import AsJson, read_order_text
from tools.cli.command_run import fail, run
from tools.cli.confirmation import confirm
from tools.cli.crontab import how_to_start
from tools.cli.exit_status import ExitStatus
from tools.cli.schedules import as_data
from tools.cli.terminal import err, out, print_json
from tools.research.order import LOCAL_USER

_MISSED = "Times that were missed are caught up by one run."


def schedule(
    brief: Annotated[
        str,
        typer.Argument(
            callback=read_order_text, metavar="BRIEF", help="What to research each time; - reads standard input."
        ),
    ],
    max_usd: Annotated[
        float, typer.Option("--max-usd", metavar="USD", help="Ceiling: what its runs may cost in a calendar month.")
    ],
    every: Annotated[
        str, typer.Option(metavar="WHEN", help="day, weekday, week, month, quarter, or days: “monday 09:00”.")
    ] = "",
    cron: Annotated[str, typer.Option(metavar="CRON", help="A cron expression instead, such as “0 8 * * 1”.")] = "",
    at: Annotated[str, typer.Option(metavar="HH:MM", show_default="08:00", help="Time of day, for --every.")] = "",
    timezone: Annotated[
        str, typer.Option(metavar="NAME", show_default="this machine's", help="Europe/Berlin, UTC …")
    ] = "",
    use_max: Annotated[bool, typer.Option("--max", help="Use Deep Research Max.")] = False,
    notify: Annotated[
        list[str] | None,
        typer.Option(metavar="TARGET", help="Send notices to this target of `notify:` only; may be repeated."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the ceiling without a question.")] = False,
    as_json: AsJson = False,
) -> None:
    """Research a topic again and again, under a monthly ceiling, and say what has changed."""
    run(_schedule(brief, max_usd, every, cron, at, timezone, use_max, notify or [], yes, as_json))


async def _schedule(
    brief: str,
    max_usd: float,
    every: str,
    cron: str,
    at: str,
    timezone: str,
    use_max: bool,
    notify: list[str],
    yes: bool,
    as_json: bool,
) -> None:
    from tools.cli.order_settings import settings_for_order
    from tools.research.factory import research
    from tools.research.order import OUTSIDE_CONVERSATIONS
    from tools.research.schedules.new_schedule import new_schedule
    from tools.research.schedules.schedule import BadSchedule
    from tools.research.schedules.texts import terms
    from tools.research.schedules.timing import BadTiming, new_timing

    now = time.time()
    try:
        timing = new_timing(every, cron, at, timezone, now)
        settings = settings_for_order(use_max, notify)
        order = settings.order(brief, user=LOCAL_USER, session=OUTSIDE_CONVERSATIONS, use_max=use_max, notify=notify)
        wanted = new_schedule(order, timing, max_usd, now, settings.limits)
    except (BadTiming, BadSchedule) as error:
        fail(error, status=ExitStatus.USAGE)
    facts = {"Brief": brief, **terms(wanted, now)}
    err.print("\n".join(f"{name}: {value}" for name, value in facts.items()), markup=False, soft_wrap=True)
    if not yes:
        confirm("Let these runs start without another question?", "agree to the ceiling with --yes")
    made, new = await research().schedules.add(order, timing, max_usd, settings.limits)
    if as_json:
        print_json(await as_data(research(), made))
    if not new:
        known = f"its ceiling is {made.ceiling} a month, and it is {made.status}"
        err.print(f"{made.id} does this already: {known}. Nothing was changed.", soft_wrap=True)
        return
    if not as_json:
        first = timing.show(made.due) if made.due else ""
        out.print(f"{made.id}  {escape(timing.words())}; the first run is due {first}", soft_wrap=True)
    err.print(f"{how_to_start()}\n{_MISSED}", markup=False, soft_wrap=True)
