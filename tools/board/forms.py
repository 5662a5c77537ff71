"""Reads the forms of the page. All functions but `receive_form` are pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tools.board.limits import MAX_FIELD_CHARS, MAX_FIELDS, MAX_FORM_BYTES, MAX_READ_BYTES, MAX_TEXT_CHARS
from tools.board.share_links import SHARE_DAYS
from tools.errors import DeskError
from tools.research.order import MAX_TITLE_CHARS
from tools.text.unsafe_characters import sanitize

_LONG_FIELDS = ("brief", "changes", "question", "title")
"""Fields of texts that a person writes. Their own functions name their limits."""


class BadForm(DeskError):
    """A form cannot be used. The message says which field, and what to do."""


@dataclass(frozen=True)
class NewResearch:
    """The form of a new research run."""

    brief: str
    title: str
    use_max: bool
    plan_first: bool


@dataclass(frozen=True)
class NewSchedule(NewResearch):
    """The form of a new schedule."""

    every: str
    cron: str
    at: str
    zone: str
    max_usd: float


async def receive_form(request: Request) -> dict[str, str]:
    """Reads the fields of a form from a request.

    Raises:
        HTTPException: the form is too long, or see `read_form`.
    """
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        body += chunk if size <= MAX_FORM_BYTES else b""
        if size > MAX_READ_BYTES:
            break
    if size > MAX_FORM_BYTES:
        raise HTTPException(413, "The form is too long. Nothing was done: shorten your text.")
    return read_form(request.headers.get("content-type", ""), bytes(body))


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """Returns the fields of a form, safe for every store, with the line ends of Unix.

    Raises:
        BadForm: it is not a form as the page sends it.
    """
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadForm("This is not a form of this page. Nothing was done.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict", encoding="utf-8"
        )
    except ValueError:
        raise BadForm("The form cannot be read: it has too many fields, or letters that are not UTF-8.") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise BadForm("The form has a field twice. Nothing was done.")
    if any(len(value) > MAX_FIELD_CHARS for name, value in pairs if name not in _LONG_FIELDS):
        raise BadForm(f"A field has more than {MAX_FIELD_CHARS:,} characters. Nothing was done.")
    return {sanitize(name): sanitize(value.replace("\r\n", "\n")) for name, value in pairs}


def new_research(form: Mapping[str, str], has_max: bool) -> NewResearch:
    """Reads the form that orders a research run.

    Args:
        has_max: whether there is a more thorough agent to choose.

    Raises:
        BadForm: a field has a value that cannot be used.
    """
    depth = form.get("depth", "standard")
    if depth not in ("standard", "max") or (depth == "max" and not has_max):
        raise BadForm("Choose one of the depths in the list.")
    return NewResearch(text(form, "brief", "brief"), title(form), depth == "max", form.get("plan") == "yes")


def new_schedule(form: Mapping[str, str], has_max: bool) -> NewSchedule:
    """Reads the form that makes a schedule. The times are checked by `new_timing`.

    Args:
        has_max: whether there is a more thorough agent to choose.

    Raises:
        BadForm: a field has a value that cannot be used.
    """
    wanted, cron = new_research(form, has_max), form.get("cron", "").strip()
    max_usd = re.fullmatch(r"\$?\s*(\d+(?:\.\d*)?|\.\d+)", form.get("max_usd", "").strip(), re.ASCII)
    if max_usd is None:
        raise BadForm("The ceiling is not a number: write US dollars, such as 15.")
    every, at = ("", "") if cron else (form.get("every", ""), form.get("at", ""))
    if not form.get("zone", "").strip():
        raise BadForm("The time zone is empty: write a name such as Europe/Berlin.")
    return NewSchedule(
        wanted.brief, wanted.title, wanted.use_max, False, every, cron, at, form["zone"].strip(), float(max_usd[1])
    )


def text(form: Mapping[str, str], field: str, name: str) -> str:
    """Returns a text from a form field.

    Args:
        name: what the page calls the field.

    Raises:
        BadForm: it is empty or too long.
    """
    value = form.get(field, "").strip()
    if not _is_visible(value):
        raise BadForm(f"The {name} is empty: write what you want.")
    if len(value) > MAX_TEXT_CHARS:
        raise BadForm(f"The {name} has {len(value):,} characters; at most {MAX_TEXT_CHARS:,} are taken: shorten it.")
    return value


def title(form: Mapping[str, str]) -> str:
    """Returns the title, on one line; it may be empty.

    Raises:
        BadForm: it is too long.
    """
    value = " ".join(form.get("title", "").split())
    if not _is_visible(value):
        return ""
    if len(value) > MAX_TITLE_CHARS:
        raise BadForm(f"The title has {len(value):,} characters; at most {MAX_TITLE_CHARS} are taken: shorten it.")
    return value


def _is_visible(text: str) -> bool:
    """Whether a text has visible characters, so not only white space and characters like U+200B."""
    return any(character.isprintable() and not character.isspace() for character in text)


def share_days(form: Mapping[str, str]) -> int:
    """Returns for how many days a share link is to be valid.

    Raises:
        BadForm: it is none of `SHARE_DAYS`.
    """
    for days in SHARE_DAYS:
        if form.get("days") == str(days):
            return days
    raise BadForm("Choose one of the times in the list.")
