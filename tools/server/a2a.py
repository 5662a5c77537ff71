"""Serves the desk to other agents by the A2A protocol, with the same limits, locks and idempotency as ADK's API.

The agent card is `agents/desk/agent.json`; ADK's own servers (`adk web --a2a`) read it too.
"""

from __future__ import annotations

import json

from a2a.client.card_resolver import parse_agent_card
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import BasePushNotificationSender
from a2a.types import AgentCard
from starlette.routing import BaseRoute

from tools.interactions.backend import is_loopback
from tools.research.database import Database
from tools.research.locks import Locks
from tools.server.a2a_executor import TurnExecutor
from tools.server.a2a_handler import Handler
from tools.server.a2a_push_addresses import PushAddresses
from tools.server.a2a_tasks import Pushes, Tasks
from tools.server.middleware.idempotency import IdempotencyStore
from tools.server.middleware.rate_limit import RateLimiter
from tools.server.middleware.session_lock import Turn
from tools.server.paths import A2A_PATH, CARD_PATH
from tools.server.timeouts import INTERRUPTED_TASK_TTL_S
from tools.settings import ROOT


def read_card(url: str, issuer: str) -> AgentCard:
    """Returns the agent card of a server with the public address `url`.

    Args:
        issuer: OIDC issuer of the tokens that the server requires. Empty if no token is required or a proxy checks it.
    """
    data = json.loads((ROOT / "agents" / "desk" / "agent.json").read_text(encoding="utf-8"))
    for interface in data["supportedInterfaces"]:
        interface["url"] = url.rstrip("/") + A2A_PATH
    if issuer:
        known = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        data["securitySchemes"] = {"oidc": {"openIdConnectSecurityScheme": {"openIdConnectUrl": known}}}
        data["securityRequirements"] = [{"schemes": {"oidc": {"list": []}}}]
    return parse_agent_card(data)


class A2AServer:
    """The routes that `desk serve --a2a` adds, with their resources."""

    def __init__(
        self,
        card: AgentCard,
        database: Database,
        locks: Locks,
        idempotency: IdempotencyStore,
        rate_limiter: RateLimiter,
        turn: Turn,
    ) -> None:
        self._card = card
        receivers = PushAddresses(not card.security_requirements and is_loopback(card.supported_interfaces[0].url))
        self._http, pushes = receivers.client(), Pushes(database)
        self._handler = Handler(
            TurnExecutor(locks, idempotency, rate_limiter, turn),
            Tasks(database, locks),
            card,
            push_config_store=pushes,
            push_sender=BasePushNotificationSender(self._http, pushes),
            push_url_validator=receivers.validate,
            interrupted_task_timeout=INTERRUPTED_TASK_TTL_S,
        )

    @property
    def routes(self) -> list[BaseRoute]:
        """The agent card, and JSON-RPC in versions 1.0 and 0.3 of the protocol."""
        return [
            *create_agent_card_routes(self._card, card_url=CARD_PATH),
            *create_jsonrpc_routes(self._handler, A2A_PATH, enable_v0_3_compat=True),
        ]

    async def close(self) -> None:
        """Ends the running turns; their research jobs continue."""
        await self._handler.aclose()
        await self._http.aclose()
