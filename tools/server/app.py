"""Builds the server: ADK's routes behind the middleware, health checks, webhooks, and recovery of orphaned jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from google.adk.apps import App
from google.adk.cli.fast_api import get_fast_api_app
from google.adk.cli.service_registry import get_service_registry
from google.adk.cli.utils.base_agent_loader import BaseAgentLoader
from google.adk.runners import Runner
from google.adk.sessions import BaseSessionService
from starlette.types import ASGIApp

from tools.app import APP_NAME, build_app
from tools.board.app import board_app
from tools.board.base import Board
from tools.board.piecewise_sending import PiecewiseSending
from tools.board.security import PRIVATE_HEADERS, SecurityHeaders
from tools.databases.shielded import finish_shielded
from tools.extras import install_command
from tools.interactions import backend
from tools.interactions.run_webhook import WEBHOOK_PATH, run_webhook
from tools.moderation.gate import ModerationGate
from tools.research.background import background_work
from tools.research.database import Database
from tools.research.factory import close
from tools.research.locks import Locks
from tools.research.screening import TextScreener
from tools.server.artifacts import folder_url, new_artifacts
from tools.server.error_handlers import ErrorBoundary, add_error_handlers
from tools.server.health import Health
from tools.server.jwks_cache import JwksCache
from tools.server.limits import MAX_CONVERSATION_BODIES
from tools.server.middleware.authentication import build_authenticator
from tools.server.middleware.gateway import GatewayMiddleware
from tools.server.middleware.hosts_and_origins import HostCheck, with_cors
from tools.server.middleware.idempotency import IdempotencyStore
from tools.server.middleware.large_reads import LargeReads
from tools.server.middleware.rate_limit import RateLimiter
from tools.server.middleware.session_lock import Turn
from tools.server.middleware.sse_keepalive import SseKeepalive
from tools.server.paths import MCP_PATH
from tools.server.sessions import CheckedDatabaseSessions, delete_beside_session, new_sessions
from tools.server.settings import ServerSettings
from tools.server.storage_quota import conversation_quota, storage_quota
from tools.server.webhook_signatures import WebhookSignatures
from tools.server.webhooks import WebhookReceiver, handle_and_notify
from tools.settings import ROOT, Settings, SettingsError

if TYPE_CHECKING:
    from tools.mcp_server.http import McpHttp
    from tools.server.a2a import A2AServer


class SingleAppLoader(BaseAgentLoader):
    """An ADK agent loader with one application."""

    def __init__(self, app: App) -> None:
        self._app = app

    def load_agent(self, agent_name: str) -> App:
        if agent_name != self._app.name:
            raise ValueError(f"there is no agent `{agent_name}`")
        return self._app

    def list_agents(self) -> list[str]:
        return [self._app.name]


def build_server(
    settings: Settings, server: ServerSettings, host: str, a2a_url: str = "", mcp: bool = False
) -> ASGIApp:
    """Builds the whole server as an ASGI application.

    Args:
        host: address to listen on; authentication is optional only on loopback.
        a2a_url: public address for other agents. If it is empty, the server does not offer A2A.
        mcp: whether the server offers research over MCP.

    Raises:
        SettingsError: a setting is missing or unusable.
        tools.yaml_files.reading.ConfigError, BackendError: see `build_app`.
    """
    authenticate = build_authenticator(server, host)
    app, sessions = build_app(), new_sessions(server, settings)
    database = Database(settings.ledger_url)
    locks = Locks(database)
    health = Health(_write_checks(database, sessions))
    registry, folder = get_service_registry(), str(ROOT / "agents")
    artifacts = new_artifacts(server.artifacts_url or folder_url(settings.data_dir / "artifacts"))
    runner = Runner(app=app, session_service=sessions, artifact_service=artifacts)
    idempotency = IdempotencyStore(runner, sessions.may_have_message)
    rate_limiter = RateLimiter(server.turns_at_once, server.turns_per_minute)
    storage = storage_quota(server.megabytes_per_user * 1_000_000, sessions, artifacts, database)
    conversation = conversation_quota(MAX_CONVERSATION_BODIES * server.max_body, sessions)

    @asynccontextmanager
    async def turn(user: str, session: str, size: int) -> AsyncIterator[None]:
        await conversation.admit(user, size, session)
        async with sessions.turn():
            yield

    turns = (locks, idempotency, rate_limiter, turn)
    a2a = _a2a(a2a_url, server.oidc_issuer, database, *turns) if a2a_url else None
    mcp_http = _mcp(app, rate_limiter, server.max_body) if mcp else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with background_work(), mcp_http.manager.run() if mcp_http else nullcontext():
                health.open = True
                try:
                    yield
                finally:
                    health.open = False
        finally:
            if a2a:
                await a2a.close()
            await close()  # followers release their leases
            await locks.close()
            await finish_shielded()
            if isinstance(sessions, CheckedDatabaseSessions):
                await sessions.close()
            await database.close()

    # ADK's way to pass in existing services (`service_registry.py`).
    registry.register_session_service(APP_NAME, lambda uri, **_: sessions)
    registry.register_artifact_service(APP_NAME, lambda uri, **_: artifacts)
    routes = get_fast_api_app(
        agents_dir=folder,
        agent_loader=SingleAppLoader(app),
        session_service_uri=f"{APP_NAME}://sessions",
        artifact_service_uri=f"{APP_NAME}://artifacts",
        memory_service_uri="memory://",
        use_local_storage=False,
        web=False,
        lifespan=lifespan,
    )
    add_error_handlers(routes)
    routes.router.redirect_slashes = False  # a redirect trusts the Host header, and loses https behind a proxy
    routes.add_route("/healthz", health.alive)
    routes.add_route("/readyz", health.ready)
    webhook = run_webhook(settings, backend.current())
    if server.secrets or webhook:
        signatures = WebhookSignatures(server.secrets, JwksCache(webhook.jwks_url) if webhook else None)
        webhooks = WebhookReceiver(signatures, database, handle_and_notify)
        routes.add_route(WEBHOOK_PATH, webhooks.receive, methods=["POST"])
    if a2a:
        routes.router.routes.extend(a2a.routes)
    if mcp_http:
        routes.router.routes.append(mcp_http.route)
    board = board_app(Board(_screen(app), settings.public_url))
    large_reads = LargeReads(partial(sessions.conversation_bytes, APP_NAME))
    stored = (storage, partial(delete_beside_session, artifacts), large_reads)
    gateway = GatewayMiddleware(routes, board, authenticate, *turns, *stored, server.max_body, server.request_seconds)
    hosts = server.hosts(settings.public_url) if authenticate is None or server.allowed_hosts else None
    private = SecurityHeaders(gateway, PRIVATE_HEADERS)
    checked = HostCheck(ErrorBoundary(SseKeepalive(PiecewiseSending(private))), hosts, server.origins)
    return with_cors(checked, server.origins) if server.origins else checked


def _write_checks(database: Database, sessions: BaseSessionService) -> dict[str, Callable[[], Awaitable[None]]]:
    """The readiness checks: a write to each store that is not in memory."""
    found: dict[str, Callable[[], Awaitable[None]]] = {"ledger": database.write_nothing}
    if isinstance(sessions, CheckedDatabaseSessions):
        found["sessions"] = sessions.write_nothing
    return found


def _a2a(
    url: str,
    issuer: str,
    database: Database,
    locks: Locks,
    idempotency: IdempotencyStore,
    rate_limiter: RateLimiter,
    turn: Turn,
) -> A2AServer:
    try:
        from tools.server.a2a import A2AServer, read_card
    except ImportError:
        raise SettingsError(f"--a2a needs more packages: {install_command('a2a')}") from None
    return A2AServer(read_card(url, issuer), database, locks, idempotency, rate_limiter, turn)


def _mcp(app: App, rate_limiter: RateLimiter, max_body: int) -> McpHttp:
    try:
        from tools.mcp_server.http import McpHttp
    except ImportError:
        raise SettingsError(f"--mcp needs one more package: {install_command('mcp')}") from None
    return McpHttp(MCP_PATH, _screen(app), rate_limiter.limit, max_body)


def _screen(app: App) -> TextScreener | None:
    """Returns the moderation gate's check of single texts, if the gate is on."""
    gate = next((plugin for plugin in app.plugins if isinstance(plugin, ModerationGate)), None)
    return gate.refusal if gate else None
