"""Reads the answer of a brain: checks each entry, and leaves out what the interaction already has."""

from __future__ import annotations

import json
import logging
import math
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Generator, Iterable, Iterator
from typing import Any, get_args

from interactions_emulator.brain.protocol import Brain, Ending, EndStatus, Entry, Step, TextDelta, TimedStep, Turn
from interactions_emulator.contents import text_of
from interactions_emulator.errors import Refused
from interactions_emulator.extras import explain
from interactions_emulator.requests.input_steps import check_answer_step

logger = logging.getLogger(__name__)

_EXPECTED = "a brain yields TimedStep, TextDelta or Ending"
CHANGED = "After a restart of the server the brain gave another answer than before."


def immediate_answer(brain: Brain, turn: Turn, hop: int) -> list[Entry] | None:
    """Return the rest of the brain's answer if that is a list or tuple; None if a thread has to read it."""
    try:
        answer = brain(turn)
        is_list = isinstance(answer, (list, tuple))
        return list(missing_part(map(_checked, answer), turn.answered, hop)) if is_list else None
    except KeyboardInterrupt:
        raise
    except BaseException:  # the thread calls the brain again and reports the failure
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
        if isinstance(answer, (Awaitable, AsyncIterable)):
            raise TypeError("a brain is a plain function, not an async one: write def instead of async def")
        if not isinstance(answer, Iterable) or isinstance(answer, (str, bytes, dict)):
            raise TypeError(f"{_EXPECTED}, or returns a list of them, not {answer!r:.99}")
        yield from missing_part(map(_copied, answer), turn.answered, hop)
    except ImportError as error:
        yield failed(explain(error))
    except GeneratorExit:
        raise
    except BaseException as error:  # also sys.exit() and pytest.fail(), which are no Exception
        logger.exception("the brain failed in interaction %s", name)
        yield failed(f"The brain failed: {type(error).__name__}: {error}")
    finally:
        if isinstance(answer, Generator):
            answer.close()


def missing_part(answer: Iterable[Entry], answered: Iterable[Step], hop: int) -> Iterator[Entry]:
    """Yield the entries that are still to be sent: those after `hop` endings and after the steps in `answered`.

    The entries stop at the next ending.
    """
    present = deque(answered)
    told = ""  # the part of the next present step that the brain has repeated
    for entry in answer:
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


def _copied(entry: Entry) -> Entry:
    """A checked entry; a step as a copy, since the brain may change its own later."""
    _checked(entry)
    return TimedStep(entry.wait, json.loads(json.dumps(entry.step))) if isinstance(entry, TimedStep) else entry


def _checked(entry: Entry) -> Entry:
    """The entry. Raises TypeError if it, or a part of it, is not what a brain may yield."""
    try:
        if isinstance(entry, TimedStep):
            if not _is_number(entry.wait) or math.isnan(entry.wait) or entry.wait < 0:
                raise TypeError(f"wait of a TimedStep is a number of seconds, 0 or more, not {entry.wait!r:.99}")
            check_answer_step(entry.step)
        elif isinstance(entry, TextDelta):
            _check_delta(entry)
        elif isinstance(entry, Ending):
            _check_ending(entry)
        else:
            raise TypeError(f"{_EXPECTED}, not {entry!r:.200}")
    except Refused as error:
        raise TypeError(error.message) from None
    return entry


def _check_delta(delta: TextDelta) -> None:
    if delta.kind not in ("model_output", "thought"):
        raise TypeError(f"kind of a TextDelta is model_output or thought, not {delta.kind!r:.99}")
    text = {"type": "text", "text": delta.text, "annotations": list(delta.annotations)}
    check_answer_step({"type": "model_output", "content": [text]})


def _check_ending(ending: Ending) -> None:
    if not isinstance(ending.status, str) or not ending.status.isidentifier():
        raise TypeError(f"status of an Ending is one of {', '.join(get_args(EndStatus))}, not {ending.status!r:.99}")
    if ending.status not in get_args(EndStatus):
        logger.warning("an interaction ends with the status %s, which the API does not have", ending.status)
    for error in ending.errors:
        if not isinstance(error, dict) or not all(isinstance(error.get(key), str) for key in ("code", "message")):
            raise TypeError(f'errors of an Ending are a tuple of {{"code": ..., "message": ...}}, not {error!r:.99}')


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(step: Step, kind: str) -> str:
    contents = step.get("summary" if kind == "thought" else "content") or () if step["type"] == kind else ()
    return text_of(contents)
