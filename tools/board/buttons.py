"""The buttons of a research run's page: reads the form, does the action, and shows what comes next."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tools.board import actions, forms
from tools.board.actions import own_job
from tools.board.base import Board
from tools.board.job_page import contents
from tools.board.paths import redirect_to
from tools.board.shared_report_page import show_link
from tools.research.job_texts import title
from tools.research.settings import research_settings

ACTIONS = ("approve", "revise", "rewrite", "cancel", "again", "look", "ask", "share")
"""Actions of the buttons, which are the last parts of their addresses."""


async def press(board: Board, request: Request) -> Response:
    """Does the action that the last part of the path names."""
    form = await board.read_form(request)
    service, job = await board.own_job(request)
    settings, shown = research_settings(), form.get("seen", "")
    place = f"/research/{job.id}"
    match request.url.path.rpartition("/")[2]:
        case "approve":
            await actions.approve(service, settings, job, shown)
        case "revise":
            changes = forms.text(form, "changes", "change")
            await actions.revise(service, settings, job, shown, changes, board.screen)
        case "rewrite":
            brief = forms.text(form, "brief", "brief")
            await actions.rewrite(service, job, shown, brief, forms.title(form), board.screen)
        case "cancel":
            await actions.cancel(service, job, shown)
        case "again":
            job = await own_job(service, job.order.user, job.id, with_files=True)
            job = await actions.again(service, settings, job)
            place = f"/research/{job.id}"
        case "look":
            await actions.resume(service, job)
        case "ask":
            question = forms.text(form, "question", "question")
            there = await actions.ask(service, settings, job, question, board.screen)
            place += "#answers" if there else "?asked#answers"
        case "share":
            return await show_link(board, request, job, forms.share_days(form))
    return redirect_to(request, place)


async def show_deletion(board: Board, request: Request) -> Response:
    """Shows the question whether a research run may be deleted."""
    _, job = await board.own_job(request)
    token = await board.token(request)
    return board.show(request, "delete.html", token=token, job=contents(job, 0, board.now()))


async def press_delete(board: Board, request: Request) -> Response:
    """Deletes a research run, and shows the receipt."""
    form = await board.read_form(request)
    service, job = await board.own_job(request)
    lines = await actions.delete(service, job, form.get("seen", ""))
    return board.show(request, "deleted.html", lines=lines, title=title(job))
