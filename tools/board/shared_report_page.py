"""The page of a shared report, which everybody may read who has its link, and the page that shows a new link."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tools.board.base import Board
from tools.board.security import own_origin
from tools.board.share_links import BadLink, share_token, shared_job
from tools.research.factory import research
from tools.research.job import Job
from tools.settings import DAY_S
from tools.text.time_formats import to_minute


async def show_report(board: Board, request: Request) -> Response:
    """Shows the report of a link."""
    job_id = shared_job(await board.signer(), request.path_params["token"], board.now())
    service = research()
    if (job := await service.ledger.get(job_id, with_files=False)) is None:
        raise BadLink("The report of this link was deleted.")
    reader = f"readers of {job.order.user}"
    async with board.report(request, reader, job) as report:
        [shown] = await board.render([report], reader)
        response = board.show(request, "shared.html", title=report.title, report=shown)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


async def show_link(board: Board, request: Request, job: Job, days: int) -> Response:
    """Makes a link to a report, and shows it.

    Args:
        days: how long it is valid.
    """
    async with board.report(request, job.order.user, job):
        pass  # there is one, and it may be shown
    expires = board.now() + days * DAY_S
    path = f"/research/shared/{share_token(await board.signer(), job.id, expires)}"
    link = f"{board.public_url or own_origin(request.scope)}{path}"
    return board.show(request, "share.html", job_id=job.id, link=link, until=to_minute(expires))
