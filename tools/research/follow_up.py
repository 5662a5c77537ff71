"""Asks a model about a finished run.

Each question continues from the last answer. The server keeps the questions and the answers.
"""

from __future__ import annotations

import logging

from tools.interactions.client import ApiError, InteractionsClient, NotFound
from tools.research.job import FollowUpAnswer, Job
from tools.research.ledger import Ledger
from tools.research.report.reading import Report, read_report
from tools.research.texts import report_context
from tools.yaml_files import did_you_mean

log = logging.getLogger(__name__)


class UnknownModel(ApiError):
    """The server does not have the model that answers questions. The message names the setting to change."""

    def __init__(self, model: str, error: ApiError) -> None:
        from tools.interactions.model_catalog import known_names  # imported late: it loads the SDK

        near = did_you_mean(model, [name for name in known_names("model") if name != model])
        super().__init__(
            f"`follow_up_model: {model}` in configs/researcher.yaml is not known to the server{near}: {error}"
        )
        self.status = error.status


async def ask_about_report(
    ledger: Ledger, client: InteractionsClient, job: Job, report: Report, question: str, model: str, session: str = ""
) -> Report:
    """Asks a model about a job's report, saves the answer with the job, and returns it.

    The question continues from the job's newest interaction. If the server no longer has that interaction, the model
    gets the report and the earlier answers instead.

    Raises:
        UnknownModel: the server does not have the model.
        ApiError: the model could not be asked.
    """
    try:
        resource = await client.ask(model, question, job.latest_interaction_id)
    except NotFound:
        text = f"{report_context(report, job.follow_ups)}\n\n---\nAnswer this from what stands above: {question}"
        try:
            resource = await client.ask(model, text, None)
        except NotFound as again:  # this request names only the model
            raise UnknownModel(model, again) from again
    read = read_report(resource)
    answer = FollowUpAnswer(question, read.text, resource["id"], tuple(resource["earlier_ids"]), session)
    if not await ledger.add_answer(job.id, answer):
        await _delete(client, answer)
    return read


async def _delete(client: InteractionsClient, answer: FollowUpAnswer) -> None:
    """Deletes an answer at the server after its job was deleted: the ledger has no record of the answer."""
    for interaction_id in filter(None, (answer.interaction_id, *answer.earlier)):
        try:
            await client.delete(interaction_id)
        except ApiError as error:
            log.warning("the answer %s stays at the server: %s", interaction_id, error)
