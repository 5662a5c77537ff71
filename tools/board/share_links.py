"""Links that show one report to anybody who has them, until they expire.

A link has the job's id, the time when it expires, and a signature of both. Nothing is stored for it: it is valid on
all replicas, and ends with its job.
"""

from __future__ import annotations

import re

from tools.board.security import Signer
from tools.errors import DeskError
from tools.research.ids import JOB_ID

SHARE_DAYS = (1, 7, 30)
"""Days for which a share link may be valid."""
DEFAULT_SHARE_DAYS = 7
_TOKEN = re.compile(rf"({JOB_ID.pattern})\.(\d{{1,12}})\.([\w-]{{43}})", re.ASCII)


class BadLink(DeskError):
    """A share link is not valid."""

    status = 404


class LinkExpired(BadLink):
    """A share link has expired."""

    status = 410


def share_token(signer: Signer, job_id: str, expires: float) -> str:
    """Returns the last part of the link's address.

    Args:
        expires: seconds since the epoch.
    """
    return f"{job_id}.{int(expires)}.{signer.sign('share', job_id, str(int(expires)))}"


def shared_job(signer: Signer, token: str, now: float) -> str:
    """Returns the id of the job whose report a link shows.

    Raises:
        BadLink: the link was changed, or is no such link.
        LinkExpired: the link was valid in the past.
    """
    found = _TOKEN.fullmatch(token)
    if found is None or not signer.is_valid(found[3], "share", found[1], found[2]):
        raise BadLink("This link shows nothing: a part of it is missing or was changed. Ask for the link again.")
    if now > int(found[2]):
        raise LinkExpired("This link has expired. Ask for a new one.")
    return found[1]
