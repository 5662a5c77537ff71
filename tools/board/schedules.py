"""The pages of schedules: a list with a form, and one page for each schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tools.board import forms
from tools.board.base import Board
from tools.board.errors import Outdated, described
from tools.board.job_states import label
from tools.board.limits import MAX_TEXT_CHARS
from tools.board.paths import redirect_to
from tools.errors import DeskError
from tools.research.factory import research
from tools.research.job import Job
from tools.research.job_texts import order_title
from tools.research.order import MAX_TITLE_CHARS, OUTSIDE_CONVERSATIONS
from tools.research.pricing import price_range
from tools.research.schedules.report_changes import counts
from tools.research.schedules.schedule import Schedule, Status
from tools.research.schedules.texts import standing, terms
from tools.research.schedules.timing import machine_zone, new_timing
from tools.research.screening import screen_text
from tools.research.service import Research
from tools.research.settings import research_settings

PATH = "/research/schedules"
WORDS = {
    "day": "every day",
    "weekday": "Monday to Friday",
    "monday": "every Monday",
    "tuesday": "every Tuesday",
    "wednesday": "every Wednesday",
    "thursday": "every Thursday",
    "friday": "every Friday",
    "saturday": "every Saturday",
    "sunday": "every Sunday",
    "month": "on the 1st of every month",
    "quarter": "on the 1st of January, April, July and October",
}
"""The choices of the form, with the words of `new_timing`."""


@dataclass(frozen=True)
class Row:
    """A schedule in the list."""

    id: str
    title: str
    status: Status
    label: str
    when: str
    spent: str
    seen: str
    """Stamp of its status and terms: a form that shows another one does nothing."""


@dataclass(frozen=True)
class Run:
    """A run of a schedule."""

    id: str
    label: str
    created: str
    changes: str


def row(schedule: Schedule, spent: float, now: float) -> Row:
    """Builds a row of the list.

    Args:
        spent: what its runs cost in this month at most, in USD.
    """
    money = f"at most ${spent:.2f} of ${schedule.max_usd:.2f} this month"
    return Row(
        schedule.id,
        order_title(schedule.order),
        schedule.status,
        standing(schedule, now),
        schedule.timing.words(),
        money,
        seen(schedule),
    )


def run(schedule: Schedule, job: Job) -> Run:
    """Builds a row of the list of a schedule's runs."""
    changes = counts(job.changes) if job.changes else ""
    return Run(job.id, label(job), schedule.timing.show(job.created), changes)


def seen(schedule: Schedule) -> str:
    """Returns the stamp of a schedule's status and terms: a form that shows another one does nothing."""
    return f"{schedule.status}:{schedule.version}"


class SchedulePages:
    """The routes of the pages of schedules.

    Args:
        board: the page that they belong to.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def routes(self) -> list[Route]:
        """Returns the routes."""
        handled = self._board.handled
        return [
            Route(PATH, handled(self._list)),
            Route(PATH, handled(self._propose), methods=["POST"]),
            Route(f"{PATH}/{{schedule_id}}", handled(self._one)),
            *(
                Route(f"{PATH}/{{schedule_id}}/{name}", handled(self._act), methods=["POST"], name=name)
                for name in ("start", "pause", "delete")
            ),
        ]

    async def _list(self, request: Request) -> Response:
        return await self._show_list(request, {})

    async def _propose(self, request: Request) -> Response:
        """Writes a schedule down, which then waits for a yes. Starts nothing."""
        form = await self._board.read_form(request)
        try:
            settings = research_settings()
            settings.need_storage()
            wanted = forms.new_schedule(form, bool(settings.max_agent))
            await screen_text(self._board.screen, "user_messages", f"{wanted.title}\n{wanted.brief}")
            timing = new_timing(wanted.every, wanted.cron, wanted.at, wanted.zone, self._board.now())
            order = settings.order(
                wanted.brief,
                title=wanted.title,
                user=request.user.username,
                session=OUTSIDE_CONVERSATIONS,
                use_max=wanted.use_max,
            )
            made, new = await research().schedules.add(order, timing, wanted.max_usd, settings.limits, propose=True)
        except DeskError as error:
            status, text = described(error)
            return await self._show_list(request, form, text, status)
        return redirect_to(request, f"{PATH}/{made.id}{'' if new or made.status is Status.PROPOSED else '?known'}")

    async def _one(self, request: Request) -> Response:
        service, schedule = await self._schedule(request)
        now = self._board.now()
        async with self._board.reading(request):
            runs = [run(schedule, job) for job in await service.schedules.runs(schedule)]
        return self._board.show(
            request,
            "schedule.html",
            token=await self._board.token(request),
            schedule=row(schedule, await service.schedules.spent(schedule), now),
            brief=schedule.order.brief,
            terms=terms(schedule, now),
            max_usd=schedule.ceiling,
            held=schedule.held,
            known="known" in request.query_params,
            runs=runs,
        )

    async def _act(self, request: Request) -> Response:
        form = await self._board.read_form(request)
        service, schedule = await self._schedule(request)
        act = request.url.path.rpartition("/")[2]
        done = {"start": Status.ACTIVE, "pause": Status.PAUSED}.get(act)
        if schedule.status is done:  # a repeated click
            return redirect_to(request, f"{PATH}/{schedule.id}")
        if form.get("seen", "") != seen(schedule):
            raise Outdated(f"This schedule has changed since the page was shown: it is {schedule.status} now.")
        match act:
            case "start":
                research_settings().need_storage()
                await service.schedules.activate(schedule)
            case "pause":
                await service.schedules.pause(schedule)
            case "delete":
                await service.schedules.delete(schedule)
                return redirect_to(request, PATH)
        return redirect_to(request, f"{PATH}/{schedule.id}")

    async def _show_list(
        self, request: Request, form: Mapping[str, str], error: str = "", status: int = 200
    ) -> Response:
        settings, service, now = research_settings(), research(), self._board.now()
        async with self._board.reading(request):
            found = await service.schedules.of_user(request.user.username)
            rows = [row(each, await service.schedules.spent(each), now) for each in found]
        return self._board.show(
            request,
            "schedules.html",
            status,
            token=await self._board.token(request),
            rows=rows,
            form=form,
            error=error,
            words=WORDS,
            zone=machine_zone(),
            price=price_range(settings.agent),
            max_price=price_range(settings.max_agent) if settings.max_agent else "",
            max_chars=MAX_TEXT_CHARS,
            max_title_chars=MAX_TITLE_CHARS,
        )

    async def _schedule(self, request: Request) -> tuple[Research, Schedule]:
        service = research()
        return service, await service.schedules.own(request.user.username, request.path_params["schedule_id"])
