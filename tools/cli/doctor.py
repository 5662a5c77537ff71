"""`desk doctor` and `desk check`: show the configuration in use, and what is missing."""

from __future__ import annotations

import asyncio
import os
import platform
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx2
from google.adk.agents import BaseAgent, LlmAgent
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from tools.cli.env_file import env_warnings, with_places
from tools.config.contradictions import contradictions
from tools.config.file_warnings import cut_texts, inline_secrets, misnamed_files, unknown_models, unnamed_agents
from tools.config.loader import load_agent
from tools.databases.database_url import parse_database_url, redacted_url
from tools.files.private_files import is_open_to_others
from tools.interactions import backend
from tools.interactions.connection_check import check_connection
from tools.interactions.errors import BackendError
from tools.interactions.http_answer import describe
from tools.interactions.local_emulator import corpus_problem, model_problem, options_mismatch
from tools.interactions.run_webhook import run_webhook
from tools.moderation.policy import load_instruction, load_policy, policy_warnings
from tools.research.job_states import TERMINAL
from tools.research.ledger import Ledger
from tools.research.report.documents import DocumentsMissing, need_documents
from tools.research.settings import ResearchSettings
from tools.server.settings import load_server_settings, sessions_url
from tools.settings import INSTALLED_CONFIGS, Settings, SettingsError, load_settings
from tools.text.secret_redaction import redact
from tools.weather.server_address import weather_urls
from tools.web_addresses.credentials import without_credentials
from tools.yaml_files.reading import ConfigError, config_files

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


WORDS = {True: "ok", False: "FAILED", None: "warning"}
MARKS = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[yellow]![/]"}
"""The marks before a good and a bad finding: in a pipe, and on a terminal."""


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


def table(found: list[Finding]) -> Table:
    """The findings as a table for a terminal."""
    shown = Table(show_header=False, box=None, padding=(0, 1))
    for _ in range(3):
        shown.add_column(overflow="fold")  # a path has to be whole
    for finding in found:
        shown.add_row(MARKS[finding.good], finding.what, finding.value.replace("[", r"\["))
    return shown


def agent_tree() -> Tree:
    """The tree of agents that the configuration defines.

    Raises:
        ConfigError: the configuration has a mistake.
    """
    root = _checked(load_settings().config)
    tree = Tree(_described(root))
    _grow(tree, root)
    return tree


def unusable_settings() -> Iterator[str]:
    """Yields a line for each address or folder in the environment that is well formed and cannot be used."""
    settings = load_settings()
    try:
        parse_database_url(settings.ledger_url, "DESK_DATABASE_URL")
        sessions_url(load_server_settings(), settings.ledger_url, settings.data_dir)
    except SettingsError as error:
        yield str(error)
    if problem := corpus_problem(settings):
        yield problem


def configuration_warnings() -> list[str]:
    """Returns warnings about possible mistakes in the configuration and the environment."""
    config = load_settings().config
    return [
        *env_warnings(),
        *_overlooked_folder(config),
        *unnamed_agents(config),
        *misnamed_files(config),
        *inline_secrets(config_files(config)),
        *cut_texts(config_files(config)),
        *unknown_models(config_files(config)),
        *contradictions(config_files(config)),
        *policy_warnings(config),
    ]


def _overlooked_folder(config: Path) -> Iterator[str]:
    """Yields a warning if ./configs looks like a copy by `desk init`, but has no root agent, so it is not read."""
    own = Path("configs").absolute()
    shipped = {file.name for file in INSTALLED_CONFIGS.glob("*.yaml")}
    if config.parent == INSTALLED_CONFIGS != own and any((own / name).is_file() for name in shipped):
        yield f"{own} is not read, because it has no desk.yaml: add it, or name the root agent's file in DESK_CONFIG"


def _checked(config: Path) -> BaseAgent:
    """Loads the root agent and the policy of moderation.

    Raises:
        ConfigError: one of the files is wrong. The text has the mistakes of all files.
    """
    problems, root = list[str](), None
    try:
        root = load_agent(config)
    except ConfigError as error:
        problems += str(error).splitlines()
    try:
        if load_policy(config).enabled and root:
            load_instruction(config)
    except ConfigError as error:
        problems += str(error).splitlines()
    if root is None or problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    return root


def _warnings() -> list[str]:
    try:
        return configuration_warnings()
    except ConfigError:  # reported by `_config`
        return list(env_warnings())


def _grow(tree: Tree, agent: BaseAgent) -> None:
    for child in agent.sub_agents:
        _grow(tree.add(_described(child)), child)


def _described(agent: BaseAgent) -> str:
    lines = [f"[bold]{agent.name}[/] ({type(agent).__name__})"]
    if isinstance(agent, LlmAgent):
        model = agent.canonical_model
        lines.append(f"model: {model.model} (use_interactions_api={getattr(model, 'use_interactions_api', False)})")
        lines.append(f"instruction: {_first_line(str(agent.instruction))}")
        if agent.tools:
            lines.append("tools: " + ", ".join(_name(tool) for tool in agent.tools))
        if agent.output_schema:
            lines.append(f"output_schema: {getattr(agent.output_schema, '__name__', agent.output_schema)}")
    if isinstance(agent, ResearchSettings):
        shown = {key: getattr(agent, key) for key in ResearchSettings.model_fields}
        shown["notify"] = ", ".join(agent.notify) or "nobody"
        lines += [escape(f"{key}: {value}") for key, value in shown.items()]
    lines.append(f"[dim]{agent.description.strip()}[/]")
    return "\n".join(lines)


def _first_line(text: str) -> str:
    first, *rest = text.strip().splitlines() or [""]
    return escape(f"{first} … ({len(rest)} more lines)" if rest else first)


def _name(tool: object) -> str:
    return str(getattr(tool, "name", None) or getattr(tool, "__name__", tool))


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
        root = _checked(settings.config)
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
