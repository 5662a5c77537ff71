"""The operations on the list of models. The list is for programs that ask; requests may name any model."""

from __future__ import annotations

from typing import Any

from interactions_emulator.errors import Refused
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.json_operations import reading
from interactions_emulator.http.paging import page
from interactions_emulator.http.router import Route, Table
from interactions_emulator.requests.vocabulary import MODELS


def routes(context: AppContext) -> Table:
    """Return the routes of the list of models."""

    def show(call: Call) -> dict[str, Any]:
        name = "publisherModels" if "/publishers/" in call.path else "models"
        return page([_resource(model) for model in sorted(MODELS)], call.query(), name)

    def get(call: Call) -> dict[str, Any]:
        if call.id not in MODELS:
            raise Refused(404, f"models/{call.id} was not found in the list, but requests may name any model")
        return _resource(call.id)

    return {
        "models": {"GET": Route("models", reading(show))},
        "models/{id}": {"GET": Route("models", reading(get))},
    }


def _resource(model: str) -> dict[str, Any]:
    """A model as the API shows it. Each has the limits that most Gemini models have."""
    return {
        "name": f"models/{model}",
        "version": model,
        "displayName": model.replace("-", " ").title(),
        "description": "Answered by the emulator, not by this model.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": True,
    }
