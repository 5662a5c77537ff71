"""The page's routes: reads requests, calls the research service, and shows templates."""

from __future__ import annotations

import functools
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import Scope

from tools.board import actions, forms, pages
from tools.board.actions import own_job
from tools.board.downloads import NAMES, formats, render
from tools.board.errors import FAILED, described
from tools.board.events import Cursor, parse_cursor, progress, run_of
from tools.board.load_limits import LoadLimits
from tools.board.paths import redirect_to, root
from tools.board.security import Signer, check_form, form_token, own_origin
from tools.board.share_links import DEFAULT_SHARE_DAYS, SHARE_DAYS, BadLink, share_token, shared_job
from tools.errors import DeskError
from tools.load_control.user_queues import counted
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.errors import NotFinished
from tools.research.factory import research
from tools.research.job import Job
from tools.research.job_texts import title
from tools.research.order import MAX_TITLE_CHARS
from tools.research.pricing import price_range
from tools.research.report.html_pages import render_fragments
from tools.research.report.report import Report
from tools.research.schedules.report_changes import counts
from tools.research.screening import TextScreener, Withheld, screen_text
from tools.research.service import Research
from tools.research.settings import research_settings
from tools.settings import DAY_S
from tools.text.time_formats import to_minute

log = logging.getLogger(__name__)

BOARD_PATH = re.compile(r"/|/research(?:/.*)?")
"""Matches the paths of the page."""
_PUBLIC_PATH = re.compile(r"/research/(?:static|shared)/.*")
"""Matches the paths of style and script, and of share links, which are signed."""
NOBODY = ""
"""The user of a public request, who owns no research run."""
_FOLDER = Path(__file__).parent
_MAX_STREAMS = 8
"""Maximum number of live pages of one user, per replica."""
_FILE_POLICY = "sandbox; frame-ancestors 'none'; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content-Security-Policy of a downloaded report, which a browser may show. Its web page has an inline style."""
Page = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class _Texts:
    """The texts of models on a job's page, as safe HTML."""

    report: str = ""
    plan: str = ""
    changes: str = ""
    counted: str = ""
    """A sentence that counts the changes since the last run."""
    answers: Sequence[pages.Answer] = ()


class Board:
    """The page, over the research service of the running event loop.

    A request's user is `request.user.username`, set by the server in front; `NOBODY` without a user.

    Args:
        screen: checks texts; None: texts are not checked.
        public_url: address of the server in share links; empty: the address of the request.
    """

    def __init__(
        self, screen: TextScreener | None = None, public_url: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self.screen, self._public_url, self.now = screen, public_url.rstrip("/"), clock
        self._streams = Counter[str]()
        self._reports, self._rows = LoadLimits(), LoadLimits()
        """The limits for pages with reports, and for pages that read many rows or the files of an order."""
        self._signer: Signer | None = None
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def list_page(self, request: Request) -> Response:
        service, user = research(), request.user.username
        wanted = request.query_params.get("page", "1")
        number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else 1
        async with self.reading(request):
            jobs, entries = await service.jobs(user), await service.ledger.spending(user=user)
            found = pages.list_page(jobs, entries, self.now(), research_settings().limits.usd_per_day, number)
        return self.show(request, "list.html", list=found)

    async def new_page(self, request: Request) -> Response:
        return await self._new_page(request, {})

    async def order(self, request: Request) -> Response:
        form = await self.read_form(request)
        settings = research_settings()
        try:
            wanted = forms.new_research(form, bool(settings.max_agent))
            job, new = await actions.order(research(), settings, request.user.username, wanted, self.screen)
        except DeskError as error:
            status, text = described(error)
            return await self._new_page(request, form, text, status)
        return redirect_to(request, f"/research/{job.id}{'' if new else '?known'}")

    async def job_page(self, request: Request) -> Response:
        service, job = await self._job(request)
        return await self._job_page(request, service, job)

    async def act(self, request: Request) -> Response:
        form = await self.read_form(request)
        service, job = await self._job(request)
        settings, shown = research_settings(), form.get("seen", "")
        place = f"/research/{job.id}"
        match request.url.path.rpartition("/")[2]:
            case "approve":
                await actions.approve(service, settings, job, shown)
            case "revise":
                changes = forms.text(form, "changes", "change")
                await actions.revise(service, settings, job, shown, changes, self.screen)
            case "rewrite":
                brief = forms.text(form, "brief", "brief")
                await actions.rewrite(service, job, shown, brief, forms.title(form), self.screen)
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
                there = await actions.ask(service, settings, job, question, self.screen)
                place += "#answers" if there else "?asked#answers"
            case "share":
                return await self._shared(request, service, job, forms.share_days(form))
        return redirect_to(request, place)

    async def delete_page(self, request: Request) -> Response:
        _, job = await self._job(request)
        token = await self.token(request)
        return self.show(request, "delete.html", token=token, job=pages.job_page(job, 0, self.now()))

    async def delete(self, request: Request) -> Response:
        form = await self.read_form(request)
        service, job = await self._job(request)
        lines = await actions.delete(service, job, form.get("seen", ""))
        return self.show(request, "deleted.html", lines=lines, title=title(job))

    async def events(self, request: Request) -> Response:
        service, job = await self._job(request)
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        refusal = HTTPException(429, "Too many live pages are open. This one shows its state when you load it again.")
        stream = counted(self._streams, request.user.username, _MAX_STREAMS, refusal)
        request.state.until_sent.enter_context(stream)
        found = progress(
            service.ledger, service.changes.wait, job.id, parse_cursor(after), with_lines=self.screen is None
        )
        return StreamingResponse(found, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def download(self, request: Request) -> Response:
        _, job = await self._job(request)
        ending = request.path_params["ending"]
        kind = formats().get(ending)
        if kind is None:
            raise HTTPException(404, "The report does not come in that form.")
        async with self._report(request, request.user.username, job) as report:
            data = await render(report, ending, job.order.user)
        headers = {
            "Content-Disposition": f'attachment; filename="{job.id}.{ending}"',
            "Content-Security-Policy": _FILE_POLICY,
        }
        return Response(data, media_type=kind, headers=headers)

    async def shared_page(self, request: Request) -> Response:
        job_id = shared_job(await self._sign(), request.path_params["token"], self.now())
        service = research()
        if (job := await service.ledger.get(job_id, with_files=False)) is None:
            raise BadLink("The report of this link was deleted.")
        reader = f"readers of {job.order.user}"
        async with self._report(request, reader, job) as report:
            [shown] = await self._render([report], reader)
            response = self.show(request, "shared.html", title=report.title, report=shown)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

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
        assert isinstance(error, HTTPException)
        texts = {404: "There is nothing at this address.", 405: "This address is not meant to be used that way."}
        response = self.error_page(request, error.status_code, texts.get(error.status_code, error.detail))
        response.headers.update(error.headers or {})  # the methods that an address takes
        return response

    async def _new_page(
        self, request: Request, form: Mapping[str, str], error: str = "", status: int = 200
    ) -> Response:
        settings = research_settings()
        return self.show(
            request,
            "new.html",
            status,
            token=await self.token(request),
            form=form,
            error=error,
            price=price_range(settings.agent),
            max_price=price_range(settings.max_agent) if settings.max_agent else "",
            always_plans=settings.plan_first,
            max_chars=forms.MAX_TEXT_CHARS,
            max_title_chars=MAX_TITLE_CHARS,
        )

    async def _job_page(self, request: Request, service: Research, job: Job) -> Response:
        user, base_id = job.order.user, job.order.base
        base = await service.own_job(user, base_id, with_files=False) if base_id else None
        async with self.reading(request):
            files = pages.files(await own_job(service, user, job.id, with_files=True))
        entries = await service.ledger.spending(user=user)
        spent = pages.spent_by_job(pages.with_begun(entries, [job], self.now())).get(job.id, 0.0)
        page, texts = pages.job_page(job, spent, self.now(), base, files), _Texts()
        try:
            if page.phase in ("waiting", "report", "ended"):
                async with self._loading(request, self._reports, user):
                    texts = await self._texts(service, job, page.phase)
        except Withheld as error:
            if page.phase == "waiting":
                raise
            page = replace(page, reason=str(error))  # it can still be deleted
        lines = await service.ledger.lines(job) if page.phase in ("running", "stalled") and not self.screen else []
        return self.show(
            request,
            "job.html",
            token=await self.token(request),
            job=page,
            known="known" in request.query_params,
            asked="asked" in request.query_params,
            texts=texts,
            lines=lines,
            cursor=Cursor(run_of(job), len(lines)),
            formats=formats(),
            names=NAMES,
            share_days=SHARE_DAYS,
            default_share_days=DEFAULT_SHARE_DAYS,
            max_chars=forms.MAX_TEXT_CHARS,
            max_title_chars=MAX_TITLE_CHARS,
        )

    async def _texts(self, service: Research, job: Job, phase: pages.Phase) -> _Texts:
        """Loads, checks and renders the texts of models on a job's page.

        Raises:
            Withheld: one of them must not be shown.
        """
        user = job.order.user
        if phase == "waiting":
            return _Texts(plan=(await self._checked([_as_report(job.plan.text)], user))[0]) if job.plan else _Texts()
        if (report := await service.report(job.id)) is None:
            return _Texts()
        answers = [each for each in job.follow_ups if each.text]
        changed = [job.changes.words or job.changes.text] if job.changes else []
        texts = [report, *map(_as_report, [each.text for each in answers] + changed)]
        first, *others = await self._checked(texts, user)
        return _Texts(
            report=first,
            answers=[pages.Answer(each.question, html) for each, html in zip(answers, others, strict=False)],
            changes=others[-1] if changed else "",
            counted=counts(job.changes) if job.changes else "",
        )

    async def _checked(self, reports: Sequence[Report], user: str) -> list[Markup]:
        for each in reports:
            await screen_text(self.screen, "reports", each.text)
        return await self._render(reports, user)

    async def _shared(self, request: Request, service: Research, job: Job, days: int) -> Response:
        async with self._report(request, job.order.user, job):
            pass  # there is one, and it may be shown
        expires = self.now() + days * DAY_S
        path = f"/research/shared/{share_token(await self._sign(), job.id, expires)}"
        link = f"{self._public_url or own_origin(request.scope)}{path}"
        return self.show(request, "share.html", job_id=job.id, link=link, until=to_minute(expires))

    async def _job(self, request: Request) -> tuple[Research, Job]:
        service = research()
        return service, await own_job(service, request.user.username, request.path_params["job_id"])

    @asynccontextmanager
    async def _report(self, request: Request, reader: str, job: Job) -> AsyncIterator[Report]:
        """Loads a report that may be shown. It is in memory while the block runs."""
        async with self._loading(request, self._reports, reader):
            report = await research().report(job.id)
            if report is None:
                raise NotFinished(f"This research has no report: it is {job.state.words}.")
            await screen_text(self.screen, "reports", report.text)
            yield report

    def reading(self, request: Request) -> AbstractAsyncContextManager[None]:
        """Lets a request read many rows, or the files of an order, in the block; its user's others wait."""
        return self._loading(request, self._rows, request.user.username)

    @asynccontextmanager
    async def _loading(self, request: Request, limits: LoadLimits, reader: str) -> AsyncIterator[None]:
        """Waits until the reader may load large content. The request counts until its answer was sent."""
        request.state.until_sent.enter_context(limits.request(reader))
        async with limits.loading(reader):
            if await request.is_disconnected():  # while it waited
                raise ClientDisconnect
            yield

    async def _render(self, reports: Sequence[Report], reader: str) -> list[Markup]:
        return [Markup(html) for html in await render_fragments(reports, reader)]  # sanitized by `to_fragment`

    async def read_form(self, request: Request) -> dict[str, str]:
        """Reads a form, and checks that a page of this server has sent it."""
        form = await forms.receive_form(request)
        written = (form.get(name, "") for name in ("brief", "changes", "question"))
        request.state.written = next(filter(None, written), "")
        user, token, now = request.user.username, form.get("token", ""), self.now()
        check_form(await self._sign(), user, now, token, request.headers, own_origin(request.scope))
        return form

    async def token(self, request: Request) -> str:
        """Returns a token. A form sends it back to prove that a page of this server has shown the form."""
        return form_token(await self._sign(), request.user.username, self.now())

    async def _sign(self) -> Signer:
        if self._signer is None:
            self._signer = Signer(bytes.fromhex(await research().ledger.secret("board")))
        return self._signer

    def show(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """Renders a template."""
        text = self._templates.get_template(template).render(root=root(request), **values)
        return HTMLResponse(text, status)


def is_public(scope: Scope) -> bool:
    """Whether a request needs no user: it reads what everybody may read, and has no form."""
    return scope["method"] in ("GET", "HEAD") and _PUBLIC_PATH.fullmatch(scope["path"]) is not None


def _as_report(text: str) -> Report:
    """A text of a model, for rendering."""
    return Report("", text, (), (), {}, "", "", "")


def _back(request: Request) -> str:
    """Returns the page to go back to: the page of the research run, else the list."""
    path = request.scope["path"].removeprefix(root(request))
    found = re.fullmatch(r"(/research/(?:job_|schedules/sched_)\w+)(?:/.*)?", path)
    if found and path != found[1]:
        return found[1]
    return "/research/new" if request.method == "POST" and path == "/research/new" else "/"
