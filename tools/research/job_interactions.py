"""Reads, cancels and deletes what a job has at the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tools.interactions.resources import Resource
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError, NotFound, Refused
from tools.research.job import Job
from tools.research.job_errors import WrongBackend

AUTH_STATUSES = (401, 403)
"""HTTP statuses of refused credentials: they say nothing about the interaction."""


class JobInteractions:
    """The interactions of jobs at the server of this process."""

    def __init__(self, client: InteractionsClient, server: Callable[[], str]) -> None:
        """Args:
        server: returns the name of the server that `client` talks to, see `Order.server`.
        """
        self._client, self._server = client, server

    @property
    def server(self) -> str:
        """Name of the server."""
        return self._server()

    def check(self, job: Job) -> None:
        """Checks that a job belongs to this server.

        Raises:
            WrongBackend: the job belongs to another server.
        """
        if job.order.server != self.server:
            raise WrongBackend(
                f"{job.id} was given to {job.order.server or 'an unknown server'}, and this process talks to"
                f" {self.server}: use the settings with which it was started"
            )

    async def read(self, interaction_id: str) -> Resource:
        """Returns the interaction; empty if it cannot be read."""
        try:
            return await self._client.get(interaction_id)
        except ApiError:
            return {}

    async def cancel(self, interaction_id: str) -> tuple[Resource, str]:
        """Cancels an interaction. Returns its new state, and the error if the server refused.

        Raises:
            ApiError: the server could not be asked, so the interaction continues.
        """
        try:
            return await self._client.cancel(interaction_id), ""
        except ApiError as failure:
            final = isinstance(failure, Refused) or failure.status == 404  # a missing method may be a page
            if not final or failure.status in AUTH_STATUSES:
                raise ApiError(f"it could not be cancelled and goes on: {failure}") from failure
            refusal = f"the server would not cancel it, so it may continue and be billed: {failure}"
            return await self.read(interaction_id), refusal

    async def delete(self, job: Job, shared: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Deletes all interactions of a job but those that another job needs.

        Args:
            shared: maps the ids of interactions that other jobs have to the ids of these jobs.

        Returns:
            One line for each interaction that is done with, and one for each that the server still has or may have.
        """
        deleted, left = list[str](), list[str]()
        if job.may_run and not job.interaction_id:
            left.append("a run may exist at the server under an unknown id, and cannot be deleted")
        for interaction_id in job.interactions:
            if job.order.server != self.server:
                left.append(f"interaction {interaction_id}: left alone at {job.order.server or 'an unknown server'}")
                continue
            if interaction_id in shared:
                deleted.append(
                    f"interaction {interaction_id}: left for {shared[interaction_id]}, which has the same plan"
                )
                continue
            try:
                await self._client.delete(interaction_id)
                deleted.append(f"interaction {interaction_id}: deleted at the server")
            except NotFound:
                deleted.append(f"interaction {interaction_id}: already gone at the server")
            except ApiError as error:
                left.append(f"interaction {interaction_id}: the server refused ({error})")
        return deleted, left
