"""What a message says about forgetting. Pure, in one place, and without a model: it destroys."""

from __future__ import annotations

import re

_POLITE = r"((please|now|ok|okay|hey|desk|then|so|and|can|could|would|will|you|i (want|need|would like)( you)? to) )*"
_VERB = r"(forget|delete|erase|remove|wipe)"
_HERE = r"(here|so far|(in|during) (this|our) (whole |entire )?(conversation|chat|session))"
_SAID = (
    r"(we|i)( (have|had|just|both)|'ve)*"
    r" (said|told you|talked about|discussed|wrote|written|typed|asked|asked you|spoke about|spoken about)"
)
# Compiled by the first message, not at the start: `re` keeps them.
_FORGET = (
    rf"{_POLITE}{_VERB} ("
    r"((all|everything|all of|everything (in|of|from|about)) )?(this|our) (whole |entire )?(conversation|chat|session)"
    rf"|(everything|all)( that)? {_SAID}( {_HERE})*"
    rf"|what {_SAID} {_HERE}"
    rf"|(everything|all) {_HERE}"
    r")( (and|with) (everything|all) (in|of|about) it)?( (for good|forever|completely|entirely|now|please|thanks))*"
)
_YES = rf"(please )?yes( please)?( {_VERB} (it|this|that|everything|all|this conversation))?( now| please)*"
_ANYWAY = rf"(please )?(yes )?{_VERB} (it|this|this conversation|everything) anyway( please)?"
_NO = r"(no|nope)?( )?(thanks|don't|do not|stop|cancel|never ?mind|(please )?keep it|better not)?( please)?"


def wants_forgetting(text: str) -> bool:
    """Whether a message asks for this conversation to be forgotten, and for nothing else."""
    return bool(re.fullmatch(_FORGET, _plain(text)))


def agrees(text: str) -> bool:
    """Whether a message says yes to `QUESTION`. “forget it” alone may mean “never mind” and does not."""
    return bool(re.fullmatch(_YES, _plain(text)))


def insists(text: str) -> bool:
    """Whether a message says that the server's refusals shall not matter."""
    return bool(re.fullmatch(_ANYWAY, _plain(text)))


def declines(text: str) -> bool:
    """Whether a message says no to `QUESTION`."""
    return bool(_plain(text)) and bool(re.fullmatch(_NO, _plain(text)))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.casefold().replace("’", "'")))
