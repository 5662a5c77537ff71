"""Loads agents from YAML with ADK's own loader, after a check whose errors name file, line and the likely fix.

The files are plain ADK agent configs, with ADK's keys. `google.adk.agents.config_agent_utils.from_config` (2.13)
reports a mistake without its line, and accepts some mistakes, so each file is checked first.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from google.adk.agents import BaseAgent, config_agent_utils
from pydantic import ValidationError

from tools.config.agent_file_checks import check
from tools.config.agent_tree_checks import circles, repeated_classes, repeated_files, repeated_names
from tools.config.file_warnings import unknown_models
from tools.yaml_files.field_errors import explain
from tools.yaml_files.reading import ConfigError, config_files, is_below, is_file, read_mapping, read_yaml

log = logging.getLogger(__name__)


def load_agent(path: Path) -> BaseAgent:
    """Loads the agent of a YAML file, with its sub-agents.

    Raises:
        ConfigError: one of the files is wrong.
    """
    if not is_file(path):
        wrong = "it is no file" if os.path.lexists(path) else "there is no such file"
        raise ConfigError(f"{path}: {wrong}: DESK_CONFIG names the root agent's YAML file")
    files = [file for file in config_files(path) if file == path or (is_file(file) and is_below(path.parent, file))]
    problems = [problem for file in files for problem in check(file, root=file == path)]
    agents = {file: read_mapping(file) or {} for file in files}
    problems += [
        *repeated_names(agents),
        *repeated_files(agents),
        *circles(path, agents, ()),
        *repeated_classes(agents),
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    for warning in unknown_models(files):
        log.warning(warning)
    with warnings.catch_warnings():  # ADK 2.13 warns on each load that the config classes are deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "deferred is not a valid ServiceTier", UserWarning)
        try:
            agent = config_agent_utils.from_config(str(path))
        except Exception as error:  # an error that only ADK finds, or that an imported module raises
            raise ConfigError(_adk_error(files, error)) from error
    assert isinstance(agent, BaseAgent)
    return agent


def _adk_error(files: Sequence[Path], error: Exception) -> str:
    """Describes an error of ADK's own loader, with the file that has the mistake, and the line if the error has one."""
    file = files[0]
    for file in reversed(files):  # sub-agents first: ADK does not say whose file is wrong
        try:
            config_agent_utils.from_config(str(file))
        except Exception as own:
            error = own
            break
    if not isinstance(error, ValidationError):
        return f"{file}: {' '.join(str(error).split())}"
    first = error.errors()[0]
    key = f"`{first['loc'][0]}`: " if first["loc"] else ""
    return f"{file}:{read_yaml(file).line(first['loc'])}: {key}{explain(first)}"
