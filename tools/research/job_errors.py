"""Errors of requests about a job. Each message names the job and the next step."""

from __future__ import annotations

from tools.errors import DeskError


class UnknownJob(DeskError):
    """The ledger has no such job."""


class NotFinished(DeskError):
    """The job has no report."""

    def __init__(self, text: str, job_id: str = "") -> None:
        super().__init__(text)
        self.job_id = job_id


class WrongBackend(DeskError):
    """The job belongs to another server. The message names that server."""


class NotDeleted(DeskError):
    """The server did not delete all data of a job. The message names the data that is left."""
