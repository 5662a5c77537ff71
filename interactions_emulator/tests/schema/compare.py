"""Compares the names of SDKs with those of the emulator, and with the differences that are known."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from schema.emulator import accepted, answered, lost_in_streams, sent
from schema.names import Names, sdk_names


@dataclass(frozen=True)
class Difference:
    """A name that only some know."""

    name: str
    known_by: str
    """Who knows it: SDKs with their versions, or the emulator."""
    reason: str
    """Why this is right, "" if nobody has written it down."""


@dataclass(frozen=True)
class Report:
    """The result of a comparison."""

    markdown: str
    failed: bool


def compare(reads: dict[str, dict[str, Any]], known: Path) -> Report:
    """Compare what readers have read from SDKs (by package) with the emulator."""
    names = {f"{package} {read['version']}": sdk_names(read) for package, read in reads.items()}
    every = set().union(*names.values())
    endpoints = {name.removeprefix("endpoint ") for name in every if name.startswith("endpoint ")}
    ours = accepted() | sent() | answered(endpoints)
    return report(names, ours, lost_in_streams(), yaml.safe_load(known.read_text(encoding="utf-8")))


def report(names: dict[str, Names], ours: Names, lost: Names, known: list[dict[str, str]]) -> Report:
    """Return the differences as a table. Each entry of `known` has a `name`, which may have a *, and a `reason`."""
    differences = [
        Difference(name, who, _reason(name, known))
        for name, who in sorted({**_differences(names, ours), **dict.fromkeys(lost, "the emulator's resource")}.items())
    ]
    unknown = [difference for difference in differences if not difference.reason]
    stale = [entry["name"] for entry in known if not any(fnmatchcase(one.name, entry["name"]) for one in differences)]
    lines = [f"# The emulator beside {' and '.join(names)}", "", "| name | only known by | reason |", "|---|---|---|"]
    lines += [f"| `{one.name}` | {one.known_by} | {one.reason or '**not written down**'} |" for one in differences]
    lines += ["", f"{len(differences)} differences, {len(unknown)} of them not written down."]
    lines += [f"Remove `{name}` from the known differences: it no longer differs." for name in stale]
    return Report("\n".join(lines), bool(unknown or stale))


def _differences(names: dict[str, Names], ours: Names) -> dict[str, str]:
    """Map each name that not both sides know to who knows it."""
    found = {}
    every = set().union(*names.values())
    for name in every - ours:
        if not _inside_unknown(name, every - ours):
            found[name] = ", ".join(sdk for sdk, known in names.items() if name in known)
    for name in ours - every:
        if not _inside_unknown(name, ours - every):
            found[name] = "the emulator"
    return found


def _inside_unknown(name: str, unknown: Names) -> bool:
    """Whether a name is a field of an object that is itself in `unknown`, so that the object's line says it."""
    return name.rpartition(".")[0] in unknown


def _reason(name: str, known: list[dict[str, str]]) -> str:
    return next((entry["reason"] for entry in known if fnmatchcase(name, entry["name"])), "")
