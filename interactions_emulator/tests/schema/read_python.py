"""Prints the names that an installed google-genai knows, as JSON. Runs with the Python of that installation.

Reads the SDK's pydantic models, beginning with those of requests and answers, and the paths in its modules. The form:
    version
    classes    {class: {field: [values that the field may have, if it is an enum]}}
    unions     {union: {value of its discriminator: class}}
    resources  {collection: [fields of its resource]}
    endpoints  ["POST /interactions", ...], with {} for ids
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import typing
from functools import partial
from pathlib import Path
from typing import Any

import google.genai
from google.genai import _gaos, version
from pydantic import BaseModel

ROOTS = {
    "types.interactions": (
        "CreateModelInteraction",
        "CreateAgentInteraction",
        "Interaction",
        "InteractionSSEEvent",
    ),
    "models.getinteractionbyid": ("GetInteractionByIDRequest",),
}
"""The types to begin with, by module of `_gaos`."""
RESOURCES = {
    "agents": ("types.agents", "Agent"),
    "environments": ("types.environments", "Environment"),
    "triggers": ("types.triggers", "Trigger"),
    "webhooks": ("types.webhooks", "Webhook"),
}
"""The other resources, of which only the fields are read: collection, module and class."""
SOURCES = {
    "files": {},
    "file_search_stores": dict.fromkeys(("name", "file_search_store_name"), "fileSearchStores/{}"),
    "documents": {"name": "fileSearchStores/{}/documents/{}", "parent": "fileSearchStores/{}"},
    "models": {"name": "models/{}", "model": "models/{}", "models_url": "models"},
}
"""Modules of the SDK outside `_gaos` whose paths are read, with what their placeholders stand for."""


class Reader:
    """Collects classes and unions of discriminated classes, from the types that it is shown."""

    def __init__(self) -> None:
        self.classes: dict[str, dict[str, list[str]]] = {}
        self.unions: dict[str, dict[str, str]] = {}

    def read(self, annotation: Any) -> list[str]:
        """Collect the classes in a type. Return the values of its literals."""
        if hasattr(annotation, "__value__"):  # an alias
            return self.read(annotation.__value__)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            self._read_class(annotation)
            return []
        if typing.get_origin(annotation) is typing.Annotated:
            annotated, *metadata = typing.get_args(annotation)
            for item in metadata:
                validator = getattr(item, "func", None)
                if isinstance(validator, partial) and "variants" in validator.keywords:
                    variants = validator.keywords["variants"]
                    self.unions[validator.keywords["union_name"]] = {k: v.__name__ for k, v in variants.items()}
            return self.read(annotated)
        if typing.get_origin(annotation) is typing.Literal:
            return [value for value in typing.get_args(annotation) if isinstance(value, str)]
        return [value for argument in typing.get_args(annotation) for value in self.read(argument)]

    def _read_class(self, model: type[BaseModel]) -> None:
        if model.__name__ in self.classes or "is_unknown" in model.model_fields:
            return
        fields = self.classes[model.__name__] = {}
        hints = typing.get_type_hints(model, include_extras=True)
        for name, field in model.model_fields.items():
            fields[field.alias or name] = sorted(set(self.read(hints[name])))


def endpoints() -> set[str]:
    """Return the verbs and paths of all requests that the modules can send."""
    found: set[str] = set()
    for module in pkgutil.iter_modules(_gaos.__path__):
        found |= _generated_paths(inspect.getsource(importlib.import_module(f"google.genai._gaos.{module.name}")))
    for name, places in SOURCES.items():
        source = (Path(google.genai.__path__[0]) / f"{name}.py").read_text(encoding="utf-8")
        found |= _written_paths(source, places)
    return found


def _generated_paths(source: str) -> set[str]:
    """Calls with `method="POST", path="/{api_version}/..."`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            given = {key.arg: key.value.value for key in node.keywords if isinstance(key.value, ast.Constant)}
            if isinstance(given.get("path"), str) and "method" in given:
                found.add(f"{given['method']} {_plain(given['path'])}")
    return found


def _written_paths(source: str, places: dict[str, str]) -> set[str]:
    """Functions that assign `path = '...'`, last for the Gemini API, and call `request('post', path, ...)`."""
    found = set()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        paths = [
            node.value.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and getattr(node.targets[0], "id", "") == "path"
            and isinstance(node.value, ast.Constant)
        ]
        verbs = [
            node.args[0].value
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("request", "request_streamed")
        ]
        if paths and verbs:
            path = re.sub(r"\{(\w+)\}", lambda match: places.get(match[1], match[0]), paths[-1])
            found.add(f"{verbs[0].upper()} {_plain(path)}")
    return found


def _plain(path: str) -> str:
    """A path without version and query, with {} for each id."""
    unversioned = re.sub(r"(\{api_version\}|v1\w*)/", "", "/" + path.partition("?")[0].removeprefix("/"))
    return re.sub(r"\{[^}]*\}", "{}", unversioned)


def read_names() -> dict[str, Any]:
    """The names that the installed google-genai knows, in the form above."""
    reader = Reader()
    for module, names in ROOTS.items():
        types = importlib.import_module(f"google.genai._gaos.{module}")
        for name in names:
            reader.read(getattr(types, name))
    resources = {}
    for collection, (module, name) in RESOURCES.items():
        model = getattr(importlib.import_module(f"google.genai._gaos.{module}"), name)
        resources[collection] = sorted(field.alias or key for key, field in model.model_fields.items())
    names = {"classes": reader.classes, "unions": reader.unions, "resources": resources}
    return {"version": version.__version__, **names, "endpoints": sorted(endpoints())}


if __name__ == "__main__":
    print(json.dumps(read_names()))
