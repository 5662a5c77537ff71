"""Keeps data of the brain inside a step's `signature`, which is opaque to clients and comes back with the step."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

from interactions_emulator.brain.model.limits import MAX_SIGNATURE_DATA_BYTES
from interactions_emulator.brain.protocol import Step

_MARK = b"emu1"


def pack(data: Any) -> str:
    """Return JSON data as a signature."""
    return base64.b64encode(_MARK + zlib.compress(json.dumps(data).encode())).decode()


def unpack(step: Step) -> Any:
    """Return the data in a step's signature; None if the signature is missing or not made by `pack`."""
    try:
        raw = base64.b64decode(step.get("signature") or "", validate=True)
        if not raw.startswith(_MARK):
            return None
        return json.loads(zlib.decompressobj().decompress(raw[len(_MARK) :], MAX_SIGNATURE_DATA_BYTES))
    except (binascii.Error, TypeError, ValueError, zlib.error):
        return None
