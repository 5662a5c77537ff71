"""The page that orders a research run."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from tools.board import actions, forms
from tools.board.base import Board
from tools.board.errors import described
from tools.board.limits import MAX_TEXT_CHARS
from tools.board.paths import redirect_to
from tools.errors import DeskError
from tools.research.factory import research
from tools.research.order import MAX_TITLE_CHARS
from tools.research.pricing import price_range
from tools.research.settings import research_settings


async def show_form(board: Board, request: Request) -> Response:
    """Shows an empty form."""
    return await _show(board, request, {})


async def order(board: Board, request: Request) -> Response:
    """Saves an order, and shows the page of its research run; or the form again, with an error."""
    form = await board.read_form(request)
    settings = research_settings()
    try:
        wanted = forms.new_research(form, bool(settings.max_agent))
        job, new = await actions.order(research(), settings, request.user.username, wanted, board.screen)
    except DeskError as error:
        status, text = described(error)
        return await _show(board, request, form, text, status)
    return redirect_to(request, f"/research/{job.id}{'' if new else '?known'}")


async def _show(
    board: Board, request: Request, form: Mapping[str, str], error: str = "", status: int = 200
) -> Response:
    settings = research_settings()
    return board.show(
        request,
        "new.html",
        status,
        token=await board.token(request),
        form=form,
        error=error,
        price=price_range(settings.agent),
        max_price=price_range(settings.max_agent) if settings.max_agent else "",
        always_plans=settings.plan_first,
        max_chars=MAX_TEXT_CHARS,
        max_title_chars=MAX_TITLE_CHARS,
    )
