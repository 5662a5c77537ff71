"""The files of a report in a conversation: renders, saves and deletes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from google.adk.agents import InvocationContext
from google.adk.artifacts import BaseArtifactService
from google.genai import types

from tools.research.job import Job
from tools.research.report.documents import DOCUMENT_TYPES, documents_installed, render_document
from tools.research.report.html_pages import render_html
from tools.research.report.markdown_rendering import to_markdown_file
from tools.research.report.render_limits import RENDER_TIMEOUT_S
from tools.research.report.report import Report, to_json

log = logging.getLogger(__name__)

SAVE_TIMEOUT_S = 30
"""Timeout, in seconds, for saving a group of a report's files."""


async def save_report_files(
    context: InvocationContext, store: BaseArtifactService, job: Job, report: Report, formats: Sequence[str]
) -> AsyncGenerator[tuple[list[str], dict[str, int]], None]:
    """Saves the files of a report in the conversation, unless they were saved when the report was shown before.

    Args:
        formats: formats of documents, in addition to the files that each report has.

    Yields:
        Names of files; and the versions of files that were saved now, by name.
    """
    async with asyncio.timeout(SAVE_TIMEOUT_S):
        known = set(await store.list_artifact_keys(**_place(context)))
    names = {f"{job.id}.{ending}": ending for ending in formats}
    missing = [ending for name, ending in names.items() if name not in known]
    page, documents = await asyncio.gather(render_html(report, job.order.user), render_documents(job, report, missing))
    yield [name for name in names if name in known], {}
    for group in [*report_files(job, report, page), *documents]:
        yield [*group], {}
        if known.issuperset(group):
            continue
        async with asyncio.timeout(SAVE_TIMEOUT_S):
            versions = {
                name: await store.save_artifact(**_place(context), filename=name, artifact=part)
                for name, part in group.items()
            }
        yield [], versions


def report_files(job: Job, report: Report, page: str) -> list[dict[str, types.Part]]:
    """Groups a report's files, so that each group goes into one event. Each group maps names to files.

    Args:
        page: the report's web page, as HTML.

    `adk web` 2.13 shows one file per event, and no file of an event with text, so each picture has its own event. The
    documents, which `adk web` cannot show, share one event.
    """
    pictures = [
        {f"{job.id}-{p.name}": types.Part.from_bytes(data=p.data, mime_type=p.mime_type)} for p in report.pictures
    ]
    documents = {
        f"{job.id}.{ending}": types.Part.from_bytes(data=text.encode(), mime_type=kind)
        for ending, kind, text in (
            ("md", "text/markdown", to_markdown_file(report)),
            ("html", "text/html", page),
            ("json", "application/json", to_json(report)),
        )
    }
    return [*pictures, documents]


async def render_documents(job: Job, report: Report, formats: Sequence[str]) -> list[dict[str, types.Part]]:
    """Converts a report to documents, for one event. Logs and leaves out what cannot be converted in time.

    Returns:
        A map of names to files in a list; an empty list if there are none.
    """
    files = dict[str, types.Part]()
    if not formats or not documents_installed():
        return []
    made = await asyncio.gather(
        *(render_document(report, ending, job.order.user, timeout_s=RENDER_TIMEOUT_S) for ending in formats),
        return_exceptions=True,
    )
    for ending, data in zip(formats, made, strict=True):
        if isinstance(data, bytes):
            files[f"{job.id}.{ending}"] = types.Part.from_bytes(data=data, mime_type=DOCUMENT_TYPES[ending])
        else:
            log.warning("%s: %s", job.id, data)
    return [files] if files else []


async def delete_report_files(context: InvocationContext, job: Job) -> int:
    """Deletes the files of a job's report in this conversation, in all versions; returns their number."""
    if context.artifact_service is None:
        return 0
    place = _place(context)
    names = await context.artifact_service.list_artifact_keys(**place)
    own = [name for name in names if name.startswith((f"{job.id}.", f"{job.id}-"))]
    for name in own:
        await context.artifact_service.delete_artifact(**place, filename=name)
    return len(own)


def _place(context: InvocationContext) -> dict[str, Any]:
    """Returns the arguments that identify the conversation for artifact services."""
    session = context.session
    return {"app_name": context.app_name, "user_id": session.user_id, "session_id": session.id}
