"""What `desk doctor` checks: everything that the desk needs."""

from __future__ import annotations

import asyncio
import os
import platform
import shlex
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import httpx2

from tools.cli.configuration_checks import checked_agents, configuration_warnings
from tools.cli.env_file import env_warnings, with_places
from tools.databases.database_url import redacted_url
from tools.files.private_files import is_open_to_others
from tools.interactions import backend
from tools.interactions.connection_check import check_connection
from tools.interactions.errors import BackendError
from tools.interactions.http_answer import describe
from tools.interactions.local_emulator import corpus_problem, model_problem, options_mismatch
from tools.interactions.run_webhook import run_webhook
from tools.research.job_states import TERMINAL
from tools.research.ledger import Ledger
from tools.research.report.documents import DocumentsMissing, need_documents
from tools.server.settings import load_server_settings
from tools.settings import Settings, SettingsError, load_settings
from tools.text.secret_redaction import redact
from tools.weather.server_address import weather_urls
from tools.web_addresses.credentials import without_credentials
from tools.yaml_files.reading import ConfigError

PACKAGES = ("google-adk", "google-genai", "research-desk")
DOCUMENT_PACKAGES = ("pypandoc_binary", "typst")
MAX_UNREADABLE_ROWS = 10
"""Maximum number of unreadable rows of the ledger that are listed."""


@dataclass(frozen=True)
class Finding:
    """One line of `desk doctor`: what was checked, and the result."""

    what: str
    value: str
    good: bool | None = True
    """Whether the result is good; None for a warning."""


async def findings() -> list[Finding]:
    """Checks everything that the desk needs. Never shows a key or a password."""
    found = [Finding("versions", ", ".join([f"Python {platform.python_version()}", *map(_version, PACKAGES)]))]
    try:
        settings, _ = load_settings(), load_server_settings().origins
    except SettingsError as error:
        return [*found, *(Finding("settings", line, good=False) for line in with_places(str(error)).splitlines())]
    found += [_documents(), *_config(settings)]
    found += [Finding("configuration", text, good=None) for text in _warnings()]
    if is_open_to_others(settings.data_dir):
        folder = shlex.quote(str(settings.data_dir))
        text = f"other users of this machine can look into DESK_DATA_DIR: chmod 700 {folder}"
        found.append(Finding("data", text, good=None))
    keys = [name for name in backend.KEY_VARIABLES if os.environ.get(name)]
    found.append(Finding("key", ", ".join(f"{name} is set" for name in keys) or "none"))
    if problem := corpus_problem(settings):
        found.append(Finding("corpus", problem, good=False))
    if otherwise := _other_emulator(settings):
        return [*found, Finding("backend", otherwise), *await _ledger(settings)]
    try:
        chosen = backend.current()
    except BackendError as error:
        found.append(Finding("backend", str(error), good=False))
    else:
        found.append(Finding("backend", str(chosen)))
        if chosen.embedded and (problem := await asyncio.to_thread(model_problem)):
            found.append(Finding("model", problem, good=False))
        found.append(_webhook(settings, chosen))
        good, words = await check_connection(chosen)
        found += [Finding("server", words, good), await _weather()]
    return [*found, *await _ledger(settings)]


def _other_emulator(settings: Settings) -> str:
    """Describes a local emulator that runs with another corpus or speed; else empty. A request would restart it."""
    try:
        chosen = backend.choose(settings, os.environ)
    except BackendError:
        return ""
    running = options_mismatch(settings) if chosen.kind == "emulator" and not chosen.url else ""
    return running and f"local emulator with other settings ({running}); the next command restarts it"


def _warnings() -> list[str]:
    try:
        return configuration_warnings()
    except ConfigError:  # reported by `_config`
        return list(env_warnings())


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} (not installed)"


def _documents() -> Finding:
    """Whether reports can be saved as PDF, Word and EPUB."""
    try:
        need_documents()
    except DocumentsMissing as error:
        return Finding("documents", str(error))
    return Finding("documents", ", ".join(["PDF, Word and EPUB", *map(_version, DOCUMENT_PACKAGES)]))


def _config(settings: Settings) -> list[Finding]:
    try:
        root = checked_agents(settings.config)
    except ConfigError as error:
        return [Finding("configuration", line, good=False) for line in str(error).splitlines()]
    names = ", ".join(agent.name for agent in root.sub_agents)
    return [Finding("configuration", f"{settings.config}: {root.name} → {names}")]


def _webhook(settings: Settings, chosen: backend.Backend) -> Finding:
    """Says which webhook research runs name."""
    try:
        webhook = run_webhook(settings, chosen)
    except SettingsError as error:
        return Finding("webhook", str(error), good=False)
    if webhook:
        url, keys = map(without_credentials, (webhook.url, webhook.jwks_url))
        return Finding("webhook", f"research runs name {url}; the keys of its messages: {keys}")
    return Finding("webhook", "none: a run whose start is lost cannot be found (docs/serving.md#webhooks)")


async def _weather() -> Finding:
    """Checks that the weather service answers; any HTTP status counts as an answer."""
    try:
        url = weather_urls()[1]
    except BackendError as error:
        return Finding("weather", str(error), good=False)
    place = without_credentials(url)
    try:
        async with httpx2.AsyncClient(timeout=5) as client:
            answer = await client.get(url)
    except httpx2.HTTPError as error:
        reason = redact(describe(error))
        return Finding(
            "weather", f"{place} cannot be reached ({reason}): check the network and DESK_WEATHER_URL", good=False
        )
    return Finding("weather", f"{place} answers ({answer.headers.get('server', 'no name')})")


async def _ledger(settings: Settings) -> list[Finding]:
    try:
        ledger = Ledger(settings.ledger_url)
        counts, bad = await ledger.count_by_state(), await ledger.unreadable()
        await ledger.close()
    except Exception as error:  # drivers raise errors of their own
        return [
            Finding("ledger", redact(str(error).splitlines()[0]) if str(error) else type(error).__name__, good=False)
        ]
    unfinished = sum(count for state, count in counts.items() if state not in TERMINAL)
    found = [Finding("ledger", f"{redacted_url(ledger.url)} ({unfinished} unfinished)")]
    if bad:
        listed = "; ".join(f"{each.job_id} ({each.wrong})" for each in bad[:MAX_UNREADABLE_ROWS])
        more = f"; and {len(bad) - MAX_UNREADABLE_ROWS} more" if len(bad) > MAX_UNREADABLE_ROWS else ""
        words = f"cannot be read: {listed}{more}. Repair or delete their rows in research_jobs, or update the program"
        found.append(Finding("ledger", words, good=False))
    return found
