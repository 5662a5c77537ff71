"""Caches for libraries, and a faster parser: each test builds again what a server builds once."""

from __future__ import annotations

import functools
import ssl
from types import SimpleNamespace
from typing import Any

import fastapi._compat.v2
import httpcore2
import typer.main
import yaml
from google.adk.agents import config_agent_utils
from pydantic import TypeAdapter
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

ONCE = ((ssl, "create_default_context"), (httpcore2, "default_ssl_context"), (typer.main, "get_command"))
"""Functions whose result serves all tests of a process.

Each client reads the certificates of the system up to five times, 16 ms each, although nothing here is encrypted. Each
command in a test builds the parsers of all commands.
"""
MAX_STATEMENTS = 5_000
"""Maximum number of compiled SQL statements that are kept."""
_validators: dict[tuple[Any, str, str], TypeAdapter[Any]] = {}


def install() -> None:
    """Puts the caches into the libraries, and has ADK read the agents' files by the faster parser, for this process."""
    for module, name in ONCE:
        setattr(module, name, functools.cache(getattr(module, name)))
    fast = functools.partial(yaml.load, Loader=yaml.CSafeLoader)
    config_agent_utils.yaml = SimpleNamespace(safe_load=fast)  # type: ignore[assignment]
    fastapi._compat.v2.TypeAdapter = _validator  # type: ignore[attr-defined, assignment]
    _share_compiled_statements()


def _validator(annotated: Any, config: Any) -> TypeAdapter[Any]:
    """Returns the validator of a route's parameter. Each server of ADK builds 88, of 32 kinds."""
    key = (annotated.__origin__, repr(annotated.__metadata__), repr(config))
    if key not in _validators:
        _validators[key] = TypeAdapter(annotated, config=config)
    return _validators[key]


def _share_compiled_statements() -> None:
    """Lets all engines share compiled statements: to compile them for each test's databases takes a third of its time.

    The key of a statement includes the engine's dialect, so dialects of one class have to be equal.
    """
    compiled = LRUCache[Any, Any](MAX_STATEMENTS)
    shared = property(lambda engine: compiled, lambda engine, own: None)
    Engine._compiled_cache = shared  # type: ignore[assignment]
    DefaultDialect.__hash__ = lambda dialect: hash(type(dialect))  # type: ignore[method-assign, assignment]
    DefaultDialect.__eq__ = lambda dialect, other: type(dialect) is type(other)  # type: ignore[method-assign]
