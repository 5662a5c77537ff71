"""Asks the person before something is paid for: by MCP elicitation, or by a question in a tool's result.

A question is about one version of a job (its brief or its plan), and is stored in the ledger. A yes answers one stored
question once: the ledger checks both in the transaction that starts the run.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import CallToolRequestParams, ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from tools.mcp_server.limits import ELICITATION_TIMEOUT_S
from tools.research.job import Job
from tools.research.open_questions import Action, NotConfirmed, Question, Yes
from tools.research.order import OUTSIDE_CONVERSATIONS

if TYPE_CHECKING:
    from tools.research.ledger import Ledger  # slow imports (SQLAlchemy), not needed for `initialize`

log = logging.getLogger(__name__)

_KEY = "approval"
"""Name of the question in an `InputRequiredResult`, and of its answer."""
_FIELD = "start"
Answer = Literal["yes", "no", "none"]
"""A person's answer; none: there was no answer in time, or the client could not ask."""


class AnswerNeeded(Exception):
    """The client has to ask the person, and to call the tool again with the answer (MCP 2026-07-28)."""

    def __init__(self, result: InputRequiredResult) -> None:
        super().__init__("the person's answer is needed")
        self.result = result


@dataclass(frozen=True)
class Dialog:
    """The way to the person within one tool call."""

    context: ServerRequestContext[Any, Any]
    params: CallToolRequestParams
    timeout_s: float = ELICITATION_TIMEOUT_S

    @property
    def can_ask(self) -> bool:
        """Whether the client can show a form to its person, and this connection can carry the question."""
        capabilities = self.context.session.client_capabilities
        offered = capabilities.elicitation if capabilities else None
        if offered is None or (offered.form is None and offered.url is not None):
            return False
        return self._client_repeats_call or self.context.session.can_send_request

    async def ask(self, question: Question, message: str) -> Answer:
        """Asks the person. Only an accepted form with a yes in it is a yes.

        Raises:
            AnswerNeeded: the client has to ask, and to repeat the call with the answer.
        """
        form = ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=_FORM))
        if not self._client_repeats_call:
            return await self._ask_now(form)
        state = hashlib.sha256(f"{question.invocation} {message}".encode()).hexdigest()
        given = (self.params.input_responses or {}).get(_KEY)
        if given is None or self.params.request_state != state:  # an answer counts only for the text that was shown
            raise AnswerNeeded(InputRequiredResult(input_requests={_KEY: form}, request_state=state))
        return _answer(given)

    async def _ask_now(self, form: ElicitRequest) -> Answer:
        metadata = ServerMessageMetadata(related_request_id=self.context.request_id)
        try:
            async with asyncio.timeout(self.timeout_s):
                return _answer(await self.context.session.send_request(form, ElicitResult, metadata=metadata))
        except (TimeoutError, MCPError, ValidationError) as error:
            log.info("the person was asked, and there is no answer: %s", type(error).__name__)
            return "none"

    @property
    def _client_repeats_call(self) -> bool:
        """Whether the client asks the person itself and repeats the call with the answer (MCP 2026-07-28)."""
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS


_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {_FIELD: {"type": "boolean", "title": "Start it", "description": "Yes starts it, and it is billed."}},
    "required": [_FIELD],
}


def _answer(given: object) -> Answer:
    if not isinstance(given, ElicitResult) or given.action == "cancel":
        return "none"
    return "yes" if given.action == "accept" and (given.content or {}).get(_FIELD) is True else "no"


async def open_question(ledger: Ledger, job: Job) -> Question:
    """Returns the stored question about this version of a waiting job; stores one if there is none."""
    known = await _stored(ledger, job)
    if known is None:
        user, session = job.order.user, OUTSIDE_CONVERSATIONS
        known = Question(user, session, job.id, Action.START, job.version, secrets.token_hex(8))
        await ledger.save_question(known)
    return known


async def shown_question(ledger: Ledger, job: Job) -> Question:
    """Returns the stored question about this version of a job.

    Raises:
        NotConfirmed: this version was not shown to anybody, or its question was answered.
    """
    known = await _stored(ledger, job)
    if known is None:
        raise NotConfirmed(
            f"the {'plan' if job.plan else 'price'} of {job.id} has not been shown in its present version: nothing was"
            " started. Call research_status, show the person its question, and wait for the answer"
        )
    return known


async def _stored(ledger: Ledger, job: Job) -> Question | None:
    stored = await ledger.questions(job.order.user, OUTSIDE_CONVERSATIONS, subject=job.id)
    return next((each for each in stored if (each.action, each.version) == (Action.START, job.version)), None)


def check_amount(job: Job, max_usd: float, price_usd: float) -> None:
    """Checks that the amount that was agreed to is the price in the question.

    Raises:
        NotConfirmed: it is another amount.
    """
    if abs(max_usd - price_usd) >= 0.005:
        raise NotConfirmed(
            f"`max_usd` is {max_usd:g}, and this step of {job.id} costs up to ${price_usd:g}: nothing was started. Show"
            f" the person that price, and pass max_usd={price_usd:g} only after a yes to it"
        )


def yes_to(question: Question) -> Yes:
    """Returns the person's yes to a question. The ledger accepts it once."""
    return Yes(question, f"{question.invocation} {question.subject}")
