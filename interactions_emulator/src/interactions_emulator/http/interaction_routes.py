"""The operations on interactions: create, get, resume, cancel and delete."""

from __future__ import annotations

from interactions_emulator.engine.events import event_id_prefix
from interactions_emulator.engine.interaction import Cursor
from interactions_emulator.engine.request_log import fingerprint
from interactions_emulator.engine.run import Run
from interactions_emulator.errors import Refused
from interactions_emulator.faults.fault import Fault
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.resource_checks import check_create
from interactions_emulator.http.responses import Answer, EventStream, FinalResource, Json
from interactions_emulator.http.router import Action, Route, Table
from interactions_emulator.requests.create import parse_create


def routes(context: AppContext) -> Table:
    """Return the routes of interactions."""
    runs = context.runs

    def create(call: Call) -> Action:
        parsed = parse_create(call.body(context.limits.max_body_bytes))
        call.warnings = parsed.warnings
        if parsed.stream:
            call.kind = "create_stream"

        def action(fault: Fault | None) -> Answer:
            check_create(context, parsed)
            documents_url = f"{call.base_url}/documents/"
            run = runs.create(parsed, documents_url, fingerprint(call.key), bool(fault and fault.zombie))
            call.interaction_id = run.interaction.id
            if parsed.stream:
                return stream(run, Cursor(run.interaction, usage=not (fault and fault.no_usage)), fault)
            if parsed.background or run.interaction.finished:
                return Json(run.interaction.resource())
            return FinalResource(run)

        return action

    def get(call: Call) -> Action:
        query = call.query()
        streaming = query.get("stream", "false")
        if streaming == "true":
            call.kind = "resume"

        def action(fault: Fault | None) -> Answer:
            if streaming not in ("true", "false"):
                raise Refused(400, f"stream is true or false, not {streaming!r}")
            run = runs.find(call.id)
            no_usage = bool(fault and fault.no_usage)
            if streaming == "true":
                return stream(run, _cursor_after(run, query.get("last_event_id"), usage=not no_usage), fault)
            body = run.interaction.resource(query.get("include_input") == "true")
            if no_usage:
                body.pop("usage", None)
            return Json(body)

        return action

    def cancel(call: Call) -> Action:
        return lambda fault: Json(runs.cancel(call.id).interaction.resource())

    def delete(call: Call) -> Action:
        def action(fault: Fault | None) -> Answer:
            runs.delete(call.id)
            return Json({})

        return action

    def stream(run: Run, cursor: Cursor, fault: Fault | None) -> Answer:
        return EventStream(run, cursor, fault, context.crash)

    return {
        "interactions": {"POST": Route("create", create)},
        "interactions/{id}": {"GET": Route("get", get), "DELETE": Route("delete", delete)},
        "interactions/{id}/cancel": {"POST": Route("cancel", cancel)},
    }


def _cursor_after(run: Run, last_event_id: str | None, usage: bool) -> Cursor:
    """Return the cursor after an event of the run. Raises `Refused` (400) if the run has no such event."""
    if last_event_id is None:
        return Cursor(run.interaction, usage=usage)
    prefix, separator, number = last_event_id.rpartition("_")
    position = int(number) if number.isdecimal() and len(number) < 10 else 0
    cursor = Cursor(run.interaction, position)
    cursor.read()
    if (prefix + separator).encode() != event_id_prefix(run.interaction.id) or not 0 < position <= cursor.number:
        raise Refused(
            400,
            f"last_event_id {last_event_id!r} is not an event of interaction {run.interaction.id}: "
            "give the event_id of an event of its stream, or none to begin at the start",
        )
    return Cursor(run.interaction, position, usage)
