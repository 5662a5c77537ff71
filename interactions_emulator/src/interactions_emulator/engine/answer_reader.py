"""Reads the answer of a brain: checks each entry, and leaves out what the interaction already has."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Generator, Iterable, Iterator

from interactions_emulator.brain.protocol import Brain, Ending, Entry, Step, TextDelta, TimedStep, Turn
from interactions_emulator.contents import text_of
from interactions_emulator.extras import explain
from interactions_emulator.requests.vocabulary import STEP_FIELDS

logger = logging.getLogger(__name__)

CHANGED = "After a restart of the server the brain gave another answer than before."


def immediate_answer(brain: Brain, turn: Turn, hop: int) -> list[Entry] | None:
    """Return the rest of the brain's answer if that is a list or tuple; None if a thread has to read it."""
    try:
        answer = brain(turn)
        return list(missing_part(answer, turn.answered, hop)) if isinstance(answer, (list, tuple)) else None
    except Exception:  # the thread calls the brain again and reports the failure
        return None


def read_answer(brain: Brain, turn: Turn, hop: int, name: str) -> Generator[Entry]:
    """Yield the rest of the brain's answer; a brain that fails ends it as failed.

    Args:
        hop: the number of earlier interactions that sent parts of the same answer.
        name: the interaction's id, for the log.
    """
    answer: Iterable[Entry] = ()
    try:
        answer = brain(turn)
        if answer is None or isinstance(answer, str):
            raise TypeError(
                f"a brain yields TimedStep, TextDelta or Ending, or returns a list of them, not {answer!r:.99}"
            )
        yield from missing_part(map(_copy, answer), turn.answered, hop)
    except ImportError as error:
        yield failed(explain(error))
    except Exception as error:
        logger.exception("the brain failed in interaction %s", name)
        yield failed(f"The brain failed: {type(error).__name__}: {error}")
    finally:
        if isinstance(answer, Generator):
            answer.close()


def missing_part(answer: Iterable[Entry], answered: Iterable[Step], hop: int) -> Iterator[Entry]:
    """Yield the entries that are still to be sent: those after `hop` endings and after the steps in `answered`.

    The entries stop at the next ending.

    Raises:
        TypeError: an entry is not of a type that a brain may yield.
    """
    present = deque(answered)
    told = ""  # the part of the next present step that the brain has repeated
    for entry in answer:
        _check(entry)
        if hop:
            hop -= isinstance(entry, Ending)
        elif isinstance(entry, TextDelta) and present:
            told += entry.text
            whole = _text(present[0], entry.kind)
            if not whole.startswith(told):
                yield failed(CHANGED)
                return
            if told == whole:
                present.popleft()
                told = ""
        elif isinstance(entry, TimedStep) and present:
            if told or entry.step != present.popleft():
                yield failed(CHANGED)
                return
        else:
            yield entry
            if isinstance(entry, Ending):
                return


def failed(message: str) -> Ending:
    """Return the ending of an interaction that failed inside the server."""
    return Ending("failed", ({"code": "internal_error", "message": message},))


def _copy(entry: Entry) -> Entry:
    """A copy of a step, which the brain may change later."""
    return TimedStep(entry.wait, json.loads(json.dumps(entry.step))) if isinstance(entry, TimedStep) else entry


def _check(entry: object) -> None:
    if isinstance(entry, TimedStep):
        kind = entry.step.get("type") if isinstance(entry.step, dict) else None
        if kind not in STEP_FIELDS:
            raise TypeError(f"a step of type {kind!r} is unknown; known are {', '.join(sorted(STEP_FIELDS))}")
    elif not isinstance(entry, (TextDelta, Ending)):
        raise TypeError(f"a brain yields TimedStep, TextDelta or Ending, not {entry!r:.200}")


def _text(step: Step, kind: str) -> str:
    contents = step.get("summary" if kind == "thought" else "content") or () if step["type"] == kind else ()
    return text_of(contents)
