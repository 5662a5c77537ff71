"""Carries out the faults of answers: an error, another answer, a delay, silence, or a closed connection."""

from __future__ import annotations

import asyncio

from interactions_emulator.errors import Refused
from interactions_emulator.faults.fault import Fault
from interactions_emulator.faults.parsing import parse_header
from interactions_emulator.http.call import Call
from interactions_emulator.http.connection import Exchange, Remainder
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.responses import Answer, ErrorBody, refusal
from interactions_emulator.http.router import Action


class GivenAnswer:
    """The answer that a fault gives: its status, headers and body, with the id of the interaction for `{id}`."""

    def __init__(self, fault: Fault, interaction_id: str | None) -> None:
        self.status = fault.status or 200
        self._headers = {name.lower(): _with_id(text, interaction_id) for name, text in (fault.headers or {}).items()}
        self._content_type = self._headers.pop("content-type", "application/json")
        self._body = _with_id(fault.body or "", interaction_id).encode()

    def send(self, exchange: Exchange) -> Remainder:
        exchange.reply(self.status, self._content_type, self._body, self._headers)
        return None


def _with_id(text: str, interaction_id: str | None) -> str:
    return text.replace("{id}", interaction_id or "")


class Cut:
    """Closes the connection without an answer."""

    status = None

    def send(self, exchange: Exchange) -> Remainder:
        exchange.cut()
        return None


class Hang:
    """Keeps the connection open and sends nothing."""

    status = None

    async def send(self, exchange: Exchange) -> None:
        await asyncio.Event().wait()


class Delayed:
    """Another answer, sent some seconds (of real time) later."""

    def __init__(self, answer: Answer, seconds: float) -> None:
        self.status = answer.status
        self._answer = answer
        self._seconds = seconds

    async def send(self, exchange: Exchange) -> None:
        await asyncio.sleep(self._seconds)
        if (remainder := self._answer.send(exchange)) is not None:
            await remainder


def with_fault(context: AppContext, call: Call, action: Action, errors: ErrorBody) -> Answer:
    """Carry out an operation, with the fault that was set for such a request."""
    header = call.header(b"x-emulator-fault")
    fault = parse_header(header, call.kind) if header else context.faults.hit(call.kind)
    if fault and header and fault.crashes and not call.is_local:
        raise Refused(403, "Only programs on the machine the emulator runs on may crash it.")
    if fault is None:
        return action(None)
    if fault.refuses and not fault.after_accept:
        return _refusal(context, fault, call, errors)
    answer = action(fault)
    if fault.after_accept:
        answer = _refusal(context, fault, call, errors)
    return Delayed(answer, fault.delay_ms / 1000) if fault.delay_ms else answer


def _refusal(context: AppContext, fault: Fault, call: Call, errors: ErrorBody) -> Answer:
    if fault.crash:
        context.crash()
    if fault.hang:
        return Hang()
    if fault.body is not None or (fault.status and fault.status < 400):
        return GivenAnswer(fault, call.interaction_id)
    if fault.status is None:
        return Cut()
    message = f"Injected fault: this {call.kind} request gets status {fault.status}."
    if (call.kind, fault.status) == ("cancel", 404):
        message = "Method not found."
    headers = dict(fault.headers or {})
    if fault.retry_after_ms is not None:
        headers["retry-after-ms"] = str(fault.retry_after_ms)
        if fault.retry_after_ms >= 1000:
            headers["retry-after"] = str(fault.retry_after_ms // 1000)
    return refusal(Refused(fault.status, message), headers, errors)
