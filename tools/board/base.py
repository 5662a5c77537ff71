"""What the pages share: templates, pages for errors, checks of forms, and limits for loading."""

from __future__ import annotations

import functools
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from tools.board import forms
from tools.board.actions import own_job
from tools.board.errors import FAILED, described
from tools.board.load_queues import LoadQueues
from tools.board.paths import is_public, root
from tools.board.security import Signer, check_form, form_token, own_origin
from tools.errors import DeskError
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.factory import research
from tools.research.job import Job
from tools.research.job_errors import NotFinished
from tools.research.report.html_pages import render_fragments
from tools.research.report.report import Report
from tools.research.screening import TextScreener, screen_text
from tools.research.service import Research

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
Page = Callable[[Request], Awaitable[Response]]


class Board:
    """What all pages use, over the research service of the running event loop.

    A request's user is `request.user.username`, set by the server in front; `NOBODY` without a user.

    Args:
        screen: checks texts; None: texts are not checked.
        public_url: address of the server in share links; empty: the address of the request.
    """

    def __init__(
        self, screen: TextScreener | None = None, public_url: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self.screen, self.public_url, self.now = screen, public_url.rstrip("/"), clock
        self.live_pages = Counter[str]()
        """Maps each user to the number of live pages; see `live_progress`."""
        self._reports, self._rows = LoadQueues(), LoadQueues()
        """The limits for pages with reports, and for pages that read many rows or the files of an order."""
        self._signer: Signer | None = None
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def handled(self, page: Page) -> Page:
        """Shows errors as a page with one sentence and a way back. A text that the person wrote is shown with it."""

        @functools.wraps(page)
        async def handled(request: Request) -> Response:
            try:
                return await page(request)
            except ClientDisconnect:
                raise
            except (HTTPException, DeskError, *DATABASE_ERRORS) as error:
                return self.error_page(request, *described(error))
            except Exception:
                log.exception("a page failed")
                return self.error_page(request, 500, FAILED)

        return handled

    def error_page(self, request: Request, status: int, text: str) -> Response:
        """Shows one sentence, a way back, and the text that the person wrote."""
        written = getattr(request.state, "written", "")
        back = "" if is_public(request.scope) else _back(request)
        response = self.show(request, "message.html", status, text=text, written=written, back=back)
        if status == 413:  # the unread rest of the body makes the connection unusable
            response.headers["Connection"] = "close"
        return response

    async def http_error(self, request: Request, error: Exception) -> Response:
        """Shows an error of Starlette's router as a page."""
        assert isinstance(error, HTTPException)
        texts = {404: "There is nothing at this address.", 405: "This address is not meant to be used that way."}
        response = self.error_page(request, error.status_code, texts.get(error.status_code, error.detail))
        response.headers.update(error.headers or {})  # the methods that an address takes
        return response

    async def render_checked(self, reports: Sequence[Report], user: str) -> list[Markup]:
        """Checks reports, and returns them as safe HTML.

        Raises:
            Withheld: one of them must not be shown.
        """
        for each in reports:
            await screen_text(self.screen, "reports", each.text)
        return await self.render(reports, user)

    async def own_job(self, request: Request) -> tuple[Research, Job]:
        """Returns the research service, and the job of the user that the path names; see `actions.own_job`."""
        service = research()
        return service, await own_job(service, request.user.username, request.path_params["job_id"])

    @asynccontextmanager
    async def report(self, request: Request, reader: str, job: Job) -> AsyncIterator[Report]:
        """Loads a report that may be shown. It is in memory while the block runs."""
        async with self.loading_reports(request, reader):
            report = await research().report(job.id)
            if report is None:
                raise NotFinished(f"This research has no report: it is {job.state.words}.")
            await screen_text(self.screen, "reports", report.text)
            yield report

    def loading_reports(self, request: Request, reader: str) -> AbstractAsyncContextManager[None]:
        """Lets a request load reports in the block; the reader's others wait."""
        return self._loading(request, self._reports, reader)

    def reading(self, request: Request) -> AbstractAsyncContextManager[None]:
        """Lets a request read many rows, or the files of an order, in the block; its user's others wait."""
        return self._loading(request, self._rows, request.user.username)

    @asynccontextmanager
    async def _loading(self, request: Request, limits: LoadQueues, reader: str) -> AsyncIterator[None]:
        """Waits until the reader may load large content. The request counts until its answer was sent."""
        request.state.until_sent.enter_context(limits.request(reader))
        async with limits.loading(reader):
            if await request.is_disconnected():  # while it waited
                raise ClientDisconnect
            yield

    async def render(self, reports: Sequence[Report], reader: str) -> list[Markup]:
        """Returns reports as safe HTML."""
        return [Markup(html) for html in await render_fragments(reports, reader)]  # sanitized by `to_fragment`

    async def read_form(self, request: Request) -> dict[str, str]:
        """Reads a form, and checks that a page of this server has sent it."""
        form = await forms.receive_form(request)
        written = (form.get(name, "") for name in ("brief", "changes", "question"))
        request.state.written = next(filter(None, written), "")
        user, token, now = request.user.username, form.get("token", ""), self.now()
        check_form(await self.signer(), user, now, token, request.headers, own_origin(request.scope))
        return form

    async def token(self, request: Request) -> str:
        """Returns a token. A form sends it back to prove that a page of this server has shown the form."""
        return form_token(await self.signer(), request.user.username, self.now())

    async def signer(self) -> Signer:
        """Returns the signer of forms and share links. All replicas have the same."""
        if self._signer is None:
            self._signer = Signer(bytes.fromhex(await research().ledger.secret("board")))
        return self._signer

    def show(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """Renders a template."""
        text = self._templates.get_template(template).render(root=root(request), **values)
        return HTMLResponse(text, status)


def _back(request: Request) -> str:
    """Returns the page to go back to: the page of the research run, else the list."""
    path = request.scope["path"].removeprefix(root(request))
    found = re.fullmatch(r"(/research/(?:job_|schedules/sched_)\w+)(?:/.*)?", path)
    if found and path != found[1]:
        return found[1]
    return "/research/new" if request.method == "POST" and path == "/research/new" else "/"
