"""Reads the research runs of a conversation and their orders from the request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.attachments import documents_of
from interactions_emulator.brain.rules.parsed_turn import value_of
from interactions_emulator.corpus.words import terms

FINAL_STATES = frozenset(("completed", "failed", "cancelled", "incomplete", "expired"))
"""Final states of a run."""
_ORDINAL = re.compile(
    r"\b(?:(first|oldest|erste[rns]?|premier|première|primer[oa]?)|(second|zweite[rns]?|deuxième|segund[oa])"
    r"|(last|latest|newest|letzte[rns]?|neueste[rns]?|dernière?|últim[oa]))"
    r"\s(?:one|report|research|run|study|bericht|recherche|rapport|informe)\b"
)


_SUBJECT = re.compile(
    r"\b(?:on|about|über|zu|sur|sobre) (.{1,60})|\bthe ((?:[\w'-]+ ){1,4})(?:one|report|run|research)\b"
)
_GENERAL = frozenset(
    terms("research report run study job list first second third last latest newest oldest same whole")
)
"""Stems of words that name no subject."""


class Job(NamedTuple):
    """A research run: one line of the table of runs in the system instruction."""

    id: str
    state: str
    title: str

    @property
    def waits_for(self) -> str:
        """What needs a yes of the user: "price", "plan" or "deletion"; "" if nothing does."""
        return self.state.partition("waits for a yes:")[2].strip()

    @property
    def is_running(self) -> bool:
        """Whether the run is in progress."""
        return not self.waits_for and self.state not in FINAL_STATES

    @property
    def has_report(self) -> bool:
        """Whether there is a report to ask about."""
        return self.state == "completed" or self.waits_for == "deletion"

    @property
    def label(self) -> str:
        """The run's name for use in a sentence."""
        return f"Research `{self.id}` (“{self.title}”)"


def jobs_in(system_instruction: str) -> tuple[Job, ...]:
    """The runs of the conversation, newest first."""
    lines = re.findall(r"^- (job_\w+) \| ([^|\n]+?) \| (.*)$", system_instruction, re.MULTILINE)
    return tuple(Job(*line) for line in lines)


def referenced_job_id(message: str, jobs: Sequence[Job]) -> str:
    """The id of the run that a message means by its position ("the first one") or words of its title; "" if none."""
    if (ordinal := _ORDINAL.search(message.casefold())) and jobs:
        number = next(number for number, group in enumerate(ordinal.groups()) if group)
        return jobs[0 if number == 2 else max(-1 - number, -len(jobs))].id
    message_terms = set(terms(message)) - _GENERAL
    best = max(jobs, key=lambda job: len(message_terms & set(terms(job.title))), default=None)
    return best.id if best and message_terms & set(terms(best.title)) else ""


def names_subject(message: str) -> bool:
    """Whether a message names the subject of a run: "the one about tides", "the tides one"."""
    return any(set(terms(" ".join(found))) - _GENERAL for found in _SUBJECT.findall(message.casefold()))


def has_files(steps: Sequence[Step]) -> bool:
    """Whether the newest message has files. Each part of a message is a step of its own."""
    texts = 0
    for step in reversed(steps):
        parts = [part for part in step.get("content") or [] if isinstance(part, dict)]
        if documents_of(parts) or any(part.get("type") not in ("text", None) for part in parts):
            return step.get("type") == "user_input"
        texts += any(part.get("type") == "text" for part in parts)
        if step.get("type") != "user_input" or texts > 1:
            return False
    return False


def last_steps_by_job(steps: Sequence[Step]) -> dict[str, int]:
    """Maps each run id to the index of the last step with a function call or result about that run."""
    found: dict[str, int] = {}
    for number, step in enumerate(steps):
        data = step.get("arguments") if step.get("type") == "function_call" else value_of(step.get("result"))
        job = (data.get("job") or data.get("job_id")) if isinstance(data, dict) else None
        if isinstance(job, str):
            found[job] = number
    return found


def orders_in(steps: Sequence[Step]) -> dict[str, dict[str, Any]]:
    """The arguments of the `start_research` call that ordered a run, with the newest brief of the run, by run id."""
    calls: dict[Any, dict[str, Any]] = {}
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        if step.get("type") == "function_call" and step.get("name") in ("start_research", "revise"):
            calls[step.get("id")] = step.get("arguments") or {}
        elif step.get("type") == "function_result" and (arguments := calls.get(step.get("call_id"))):
            result = value_of(step.get("result"))
            job = result.get("job") if isinstance(result, dict) else None
            if job and arguments.get("brief"):
                brief = {"brief": arguments["brief"]}
                found[job] = found.get(job, {}) | brief if "wishes" in arguments else dict(arguments)
    return found
