"""Says which requested features a model or an agent of the API does not support: tools, media, structured output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tools.interactions.model_catalog import capabilities_of, catalog, known_names
from tools.text.did_you_mean import did_you_mean, nearest

_DIGITS = re.compile(r"\d+")


def capability_errors(
    name: str, kind: str, tools: Sequence[str], *, schema: bool = False, outputs: Sequence[str] = ()
) -> Iterator[str]:
    """Yields an error for each requested feature that a model or an agent of the API lacks.

    Args:
        kind: the expected kind, "model" or "agent".
        tools: types of the requested tools.
        schema: whether answers have to match a schema.
        outputs: requested media of answers; empty if none are requested.
    """
    capabilities = capabilities_of(name)
    if capabilities is None:
        if near := _misspelt(name):
            yield f"`{name}` is not known, did you mean `{near}`?"
        return
    if capabilities.kind != kind:
        where = (
            "it is the `agent` of a researcher"
            if kind == "model"
            else did_you_mean(name, known_names(kind)).strip(" ,")
        )
        yield f"`{name}` is {_a(capabilities.kind)}, not {_a(kind)}" + (f": {where}" if where else "")
        return
    if kind == "agent" and not capabilities.research:
        others = ", ".join(
            f"`{each}`" for entry in catalog() if entry.kind == kind and entry.research for each in entry.names
        )
        yield f"`{name}` is not for a researcher: use {others}"
    for tool in dict.fromkeys(tools):
        if tool not in capabilities.tools:
            yield f"`{name}` takes no {_words(tool)}; it takes {_listed(capabilities.tools)}"
    for output in outputs:
        if output not in capabilities.outputs:
            other = next((n for c in catalog() if c.kind == "model" and output in c.outputs for n in c.names), None)
            gives = f"; `{other}` does" if other else f"; it gives {_listed(capabilities.outputs)}"
            yield f"`{name}` gives no {output}{gives}"
    built_in = [tool for tool in tools if tool != "function"]
    if schema and not capabilities.structured_output:
        yield f"`{name}` gives no structured output"
    if built_in and not capabilities.tools_together and (schema or "function" in tools):
        what = "functions (a transfer to a specialist is one)" if "function" in tools else "`output_schema`"
        yield (
            f"`{name}` cannot combine {_listed(built_in)} with {what}: move them to a separate specialist,"
            " or use a model of Gemini 3 or later"
        )


def _misspelt(name: str) -> str:
    """Returns the known name that an unknown name seems to misspell, or an empty text.

    A name that differs from a known one only in digits counts as a new version, not as misspelt.
    """
    known = [*known_names("model"), *known_names("agent")]
    words = {_DIGITS.sub("", each) for each in known}
    word = _DIGITS.sub("", name)
    if word in words or not nearest(word, words, cutoff=0.85):
        return ""
    return nearest(name, known, cutoff=0)


def _a(kind: str) -> str:
    return f"{'an' if kind == 'agent' else 'a'} {kind}"


def _listed(names: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(_words(name) for name in sorted(names)) or "no tools"


def _words(tool: str) -> str:
    return "custom functions" if tool == "function" else f"`{tool}`"
