"""Turns errors into an HTTP status and one sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException

from tools.board.forms import BadForm
from tools.board.security import ForeignForm
from tools.board.share_links import BadLink
from tools.errors import DeskError
from tools.research.api_errors import ApiError
from tools.research.database_errors import DATABASE_ERRORS, describe_database_error
from tools.research.job_errors import NotDeleted, NotFinished, UnknownJob, WrongBackend
from tools.research.open_questions import NotConfirmed
from tools.research.quotas import LimitReached
from tools.research.schedules.schedule import BadSchedule, ScheduleChanged, UnknownSchedule
from tools.research.schedules.timing import BadTiming
from tools.research.screening import Withheld
from tools.research.settings import StorageForbidden
from tools.text.secret_redaction import redact


class Outdated(DeskError):
    """The run or the schedule has changed since the page with this form was shown."""


FAILED = "The server failed to handle this request. Its log says why. Try it again."
_UNKNOWN: Mapping[type[BaseException], str] = {
    UnknownJob: "You have no research run of that name. It may have been deleted.",
    UnknownSchedule: "You have no schedule of that name. It may have been deleted.",
}
"""Texts for the page. The errors' own texts name commands of the terminal."""
_STATUSES: Mapping[type[BaseException], int] = {
    **dict.fromkeys((BadForm, BadSchedule, BadTiming), 400),
    ForeignForm: 403,
    StorageForbidden: 403,
    Withheld: 403,
    **dict.fromkeys(_UNKNOWN, 404),
    **dict.fromkeys((Outdated, NotFinished, NotConfirmed, NotDeleted, ScheduleChanged, WrongBackend), 409),
    LimitReached: 429,
    ApiError: 502,
}


def described(error: BaseException) -> tuple[int, str]:
    """Returns the status and the sentence for a foreseen error."""
    if isinstance(error, HTTPException):
        return error.status_code, error.detail
    if isinstance(error, BadLink):
        return error.status, str(error)
    if isinstance(error, DATABASE_ERRORS):
        said = describe_database_error(error)
        return 503, f"{said[0].upper()}{said[1:]}. Nothing was done: try it again."
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500)
    text = _UNKNOWN.get(type(error)) or redact(str(error))
    return status, sentence(text)


def sentence(text: str) -> str:
    """Writes a text as a sentence: with a capital letter, and a full stop unless it ends as a question."""
    said = f"{text[:1].upper()}{text[1:].rstrip('.')}"
    return said if said.endswith("?") else f"{said}."
