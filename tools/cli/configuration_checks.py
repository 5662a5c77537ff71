"""Checks the configuration and the environment, for `desk check` and `desk doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.adk.agents import BaseAgent

from tools.cli.env_file import env_warnings
from tools.config.contradictions import contradictions
from tools.config.file_warnings import cut_texts, inline_secrets, misnamed_files, unknown_models, unnamed_agents
from tools.config.loader import load_agent
from tools.databases.database_url import parse_database_url
from tools.interactions.local_emulator import corpus_problem
from tools.moderation.policy import load_instruction, load_policy, policy_warnings
from tools.server.settings import load_server_settings, sessions_url
from tools.settings import INSTALLED_CONFIGS, SettingsError, load_settings
from tools.yaml_files.reading import ConfigError, config_files


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


def checked_agents(config: Path) -> BaseAgent:
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
