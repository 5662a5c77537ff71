"""Checks the Python objects that the YAML files name: tools, callbacks, schemas, models and agents."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any

from google.adk.agents import BaseAgent, config_agent_utils
from google.adk.models import BaseLlm
from google.adk.tools.base_tool import BaseTool
from google.adk.tools.base_toolset import BaseToolset
from google.adk.tools.function_tool import FunctionTool
from pydantic import BaseModel

from tools.text.did_you_mean import did_you_mean

CALLBACKS = {
    "before_agent_callbacks": ("callback_context",),
    "after_agent_callbacks": ("callback_context",),
    "before_model_callbacks": ("callback_context", "llm_request"),
    "after_model_callbacks": ("callback_context", "llm_response"),
    "before_tool_callbacks": ("tool", "args", "tool_context"),
    "after_tool_callbacks": ("tool", "args", "tool_context", "tool_response"),
}
"""What ADK 2.13 passes to the callbacks of each key, in this order (`google/adk/utils/_callback_pipeline.py`)."""


def unusable(key: str, name: str) -> str:
    """Says why the Python object with this name cannot be the value of a key; empty if it can."""
    try:
        config_agent_utils._validate_module_reference(name)
    except ValueError:
        return f"`{name}`: ADK refuses objects of Python's library and of `yaml`: name one of your own package"
    if not re.fullmatch(r"\w+(\.\w+)+", name):
        return f"`{name}` is not the name of an object in a module: write package.module.NAME"
    found = object_named(name)
    if found is None:
        return no_such(name, "object")
    if key in ("output_schema", "input_schema"):
        return _undescribable(name, found) if _is_class(found, BaseModel) else f"`{name}` is not a pydantic class"
    if key == "code":
        return "" if isinstance(found, BaseAgent) else f"`{name}` is not an agent"
    if key == "model_code":
        return "" if isinstance(found, BaseLlm) else f"`{name}` is not a model of ADK"
    if key == "tools" and (isinstance(found, BaseTool | BaseToolset) or _is_class(found, BaseTool, BaseToolset)):
        return ""
    if not callable(found) or isinstance(found, type):
        what = "class" if isinstance(found, type) else type(found).__name__
        return f"`{name}` is a {what}: name a function{' or a tool' if key == 'tools' else ''}"
    return _undeclarable(name, found) if key == "tools" else _uncallable(key, name, found)


def _undeclarable(name: str, function: Callable[..., Any]) -> str:
    """Says why a function cannot be described to a model, or called by it; empty if it can."""
    if not inspect.getdoc(function):
        return f"`{name}` has no docstring: the model reads there when to call it"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return f"`{name}` is a generator: return one value, since a model gets one result for a call"
    try:
        FunctionTool(function)._get_declaration()
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    except Exception as error:  # pydantic and ADK raise various errors
        return f"`{name}` cannot be described to a model: give its parameters plain types ({_first_line(error)})"
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY}:
        return f"`{name}` has parameters without names: remove `*` and `/`, since a model names each argument"
    return ""


def _uncallable(key: str, name: str, callback: Callable[..., Any]) -> str:
    """Says why ADK cannot call a callback; empty if it can. ADK passes the values by name, else in their order."""
    values = CALLBACKS.get(key, ())
    try:
        signature = inspect.signature(callback)
    except ValueError:  # some functions in C have none
        return ""
    for args, named in (((), values), (values, ())):
        with contextlib.suppress(TypeError):
            signature.bind(*args, **dict.fromkeys(named))
            return ""
    return f"`{name}{signature}` cannot be one of `{key}`: ADK calls it with {', '.join(values)}"


def _undescribable(name: str, schema: type[BaseModel]) -> str:
    """Says why a pydantic class has no JSON schema to send to the API; empty if it has one."""
    try:
        schema.model_json_schema()
    except Exception as error:  # pydantic raises various errors
        return f"`{name}` has no JSON schema: give its fields plain types ({_first_line(error)})"
    return ""


def _first_line(error: BaseException) -> str:
    """The first line of an error's text, or its class if it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _is_class(value: Any, *bases: type) -> bool:
    return isinstance(value, type) and issubclass(value, bases)


def object_named(name: str) -> Any:
    """Returns the Python object of a dotted name, or None."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except (Exception, SystemExit):  # an import may raise anything
        return None


def no_such(name: str, what: str) -> str:
    """Describes a missing name: with the nearest name in its module, or why its module cannot be imported."""
    module, _, attribute = name.rpartition(".")
    try:
        names = dir(importlib.import_module(module or "google.adk.agents"))
    except (Exception, SystemExit) as error:  # an import may raise anything
        missing = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        why = f"`{module}` cannot be imported ({type(error).__name__}: {_first_line(error)})"
        if missing:
            why = f"there is no module `{module}`: correct the name, or add the module's folder to PYTHONPATH"
        return f"no {what} `{name}`: {why}"
    return f"no {what} `{name}`{did_you_mean(attribute, names)}"
