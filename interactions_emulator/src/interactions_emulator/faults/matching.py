"""The active faults: only the first one that matches a request and is not used up hits it."""

from __future__ import annotations

from typing import Any

from interactions_emulator.faults.fault import MATCHING_KINDS, Fault, to_json


class Faults:
    """The active faults, with the number of requests that each has matched."""

    def __init__(self, faults: list[Fault]) -> None:
        self._matches: list[int] = [0] * len(faults)
        self._faults = list(faults)

    def add(self, faults: list[Fault]) -> None:
        self._faults += faults
        self._matches += [0] * len(faults)

    def clear(self) -> None:
        self._faults, self._matches = [], []

    def hit(self, kind: str) -> Fault | None:
        """Return the fault for a request of this kind, and count the match; None if no fault matches."""
        if not self._faults:
            return None
        kinds = MATCHING_KINDS.get(kind, {kind})
        for index, fault in enumerate(self._faults):
            if fault.on not in kinds:
                continue
            used_up = fault.times and self._matches[index] >= fault.skip + fault.times
            if used_up:
                continue
            self._matches[index] += 1
            if self._matches[index] > fault.skip:
                return fault
        return None

    def unused(self) -> list[Fault]:
        """Return the faults that have hit no request. Of faults with the same name one hit is enough."""
        hit = [matched > fault.skip for fault, matched in zip(self._faults, self._matches, strict=True)]
        used_names = {fault.name for fault, used in zip(self._faults, hit, strict=True) if used and fault.name}
        pairs = zip(self._faults, hit, strict=True)
        return [fault for fault, used in pairs if not used and fault.name not in used_names]

    def show(self) -> list[dict[str, Any]]:
        """Return the faults as JSON, each with `matched`: how many requests matched it, skipped ones included."""
        return [
            {**to_json(fault), "matched": matched} for fault, matched in zip(self._faults, self._matches, strict=True)
        ]
