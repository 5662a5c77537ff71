"""The page as an ASGI application: maps addresses to pages and actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tools.board.base import Board, Page
from tools.board.buttons import ACTIONS, press, press_delete, show_deletion
from tools.board.downloads import send_file
from tools.board.job_page import show_job
from tools.board.list_page import show_list
from tools.board.live_progress import send_events
from tools.board.order_page import order, show_form
from tools.board.paths import STATIC_PATH
from tools.board.schedules import SchedulePages
from tools.board.security import SecurityHeaders
from tools.board.shared_report_page import show_report

_STATIC_FOLDER = Path(__file__).parent / "static"


def board_app(board: Board) -> ASGIApp:
    """Returns the page as an ASGI application, for a server that sends answers by `PiecewiseSending`."""

    def handled(page: Callable[[Board, Request], Awaitable[Response]]) -> Page:
        return board.handled(partial(page, board))

    routes = [
        Mount(STATIC_PATH, StaticFiles(directory=_STATIC_FOLDER)),  # first: everybody may read what is below it
        Route("/", handled(show_list)),
        Route("/research/new", handled(show_form)),
        Route("/research/new", handled(order), methods=["POST"]),
        Route("/research/shared/{token}", handled(show_report)),
        *SchedulePages(board).routes(),
        Route("/research/{job_id}", handled(show_job)),
        Route("/research/{job_id}/events", handled(send_events)),
        Route("/research/{job_id}/delete", handled(show_deletion)),
        Route("/research/{job_id}/delete", handled(press_delete), methods=["POST"]),
        Route("/research/{job_id}/report.{ending}", handled(send_file)),
        *(Route(f"/research/{{job_id}}/{name}", handled(press), methods=["POST"], name=name) for name in ACTIONS),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: board.http_error})
    app.router.redirect_slashes = False  # a redirect would trust the header Host
    return SecurityHeaders(app)
