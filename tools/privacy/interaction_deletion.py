"""Deletes the interactions of a conversation at the server, and finds those that only the server knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from google.adk.sessions import Session

from tools.interactions.retry import call_with_retries
from tools.load_control.concurrent_calls import run_each
from tools.privacy.receipt import Receipt
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError, NotFound
from tools.research.job import Job
from tools.research.ledger import Ledger

MAX_CONCURRENT_REQUESTS = 8
"""Maximum number of parallel requests to the server."""
REFUSED_KEY = "forget_refused"
"""Key in the state of a forgotten session. Its value lists the interactions that the server did not delete."""


def interactions_of(session: Session) -> list[str]:
    """Returns the ids of a session's interactions, each once. Includes those that the server refused to delete."""
    # Read from the application's events, because clients can write `state`.
    own = [event for event in session.events if event.author == session.app_name]
    ids = [id_ for event in own for id_ in event.actions.state_delta.get(REFUSED_KEY) or ()]
    ids += [event.interaction_id for event in session.events if event.interaction_id]
    return [*dict.fromkeys(id_ for id_ in ids if id_)]


def interactions_of_job(job: Job, without: str = "") -> list[str]:
    """Returns the ids of a job's interactions, except the answers to questions that session `without` asked."""
    plans = (job.plan.interaction_id, *job.plan.earlier) if job.plan else ()
    answers = [
        id_
        for answer in job.follow_ups
        if not without or answer.session != without
        for id_ in (*answer.earlier, answer.interaction_id)
    ]
    return [*dict.fromkeys(id_ for id_ in (job.interaction_id, *plans, *answers) if id_)]


async def delete_interactions(
    ledger: Ledger, client: InteractionsClient, session: Session, jobs: Sequence[Job], receipt: Receipt, force: bool
) -> None:
    """Deletes interactions. Unrecorded predecessors come first, because only the recorded interactions lead to them."""
    known = await ledger.find(user=session.user_id, limit=1000)
    others = [job for job in known if job.order.session != session.id]
    spared = {id_ for job in others for id_ in interactions_of_job(job, session.id)} | {*receipt.refused}
    asked = [id_ for job in others for id_ in interactions_of_job(job) if id_ not in spared]
    said = [*asked, *(id_ for id_ in interactions_of(session) if id_ not in spared)]
    searched = [id_ for job in jobs if job.id not in receipt.still_running for id_ in interactions_of_job(job)]
    recorded = [*dict.fromkeys([*said, *(id_ for id_ in searched if id_ not in spared)])]
    for batch in (await _unrecorded(client, said, spared | {*searched}, receipt), recorded):
        if not receipt.complete and not force:
            return
        receipt.interactions |= await _each(batch, lambda id_: _delete(client, id_), receipt)


async def _unrecorded(client: InteractionsClient, said: Iterable[str], known: set[str], receipt: Receipt) -> list[str]:
    """Finds earlier interactions that only the server knows, such as the first answer to a repeated request."""
    known, found = {*known, *said}, list[str]()
    while said:
        previous = await _each(said, lambda id_: _previous(client, id_), receipt)
        said = [id_ for id_ in dict.fromkeys(previous.values()) if id_ and id_ not in known]
        known |= {*said}
        found += said
    return found


async def _previous(client: InteractionsClient, interaction_id: str) -> str:
    try:
        return str((await client.get(interaction_id)).get("previous_interaction_id") or "")
    except NotFound:
        return ""


async def _delete(client: InteractionsClient, interaction_id: str) -> str:
    try:
        await client.delete(interaction_id)
    except NotFound:
        return "already gone at the server"
    return "deleted at the server"


async def _each(ids: Iterable[str], ask: Callable[[str], Awaitable[str]], receipt: Receipt) -> dict[str, str]:
    """Calls `ask` for each id, and returns the answers by id.

    Adds the ids that failed to `receipt.refused`, and removes the others from it.
    """

    async def answer(id_: str) -> str | ApiError:
        try:
            return await call_with_retries(lambda: ask(id_))
        except ApiError as error:
            return error

    ids = [*ids]
    answers = {id_: text async for id_, text in run_each(answer, ids, MAX_CONCURRENT_REQUESTS)}
    receipt.refused |= {id_: str(error) for id_ in ids if isinstance(error := answers[id_], ApiError)}
    good = {id_: text for id_ in ids if isinstance(text := answers[id_], str)}
    for id_ in good:
        receipt.refused.pop(id_, None)
    return good
