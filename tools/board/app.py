"""The page as an ASGI application: maps addresses to pages and actions."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tools.board.routes import Board
from tools.board.schedules import SchedulePages
from tools.board.security import STATIC_PATH, SecurityHeaders

ACTIONS = ("approve", "revise", "rewrite", "cancel", "again", "look", "ask", "share")
"""Actions of the buttons of a research run."""
_STATIC_FOLDER = Path(__file__).parent / "static"


def board_app(board: Board) -> ASGIApp:
    """Returns the page as an ASGI application, for a server that sends answers by `PiecewiseSending`."""
    handled = board.handled
    routes = [
        Mount(STATIC_PATH, StaticFiles(directory=_STATIC_FOLDER)),  # first: everybody may read what is below it
        Route("/", handled(board.list_page)),
        Route("/research/new", handled(board.new_page)),
        Route("/research/new", handled(board.order), methods=["POST"]),
        Route("/research/shared/{token}", handled(board.shared_page)),
        *SchedulePages(board).routes(),
        Route("/research/{job_id}", handled(board.job_page)),
        Route("/research/{job_id}/events", handled(board.events)),
        Route("/research/{job_id}/delete", handled(board.delete_page)),
        Route("/research/{job_id}/delete", handled(board.delete), methods=["POST"]),
        Route("/research/{job_id}/report.{ending}", handled(board.download)),
        *(Route(f"/research/{{job_id}}/{name}", handled(board.act), methods=["POST"], name=name) for name in ACTIONS),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: board.http_error})
    app.router.redirect_slashes = False  # a redirect would trust the header Host
    return SecurityHeaders(app)
