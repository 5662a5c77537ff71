"""`desk interaction`: shows or deletes any interaction at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tools.cli.arguments import refuse_together
from tools.cli.command_run import fail, run
from tools.cli.confirmation import confirm
from tools.cli.terminal import err, out, print_json

if TYPE_CHECKING:
    from tools.interactions.resources import Resource
    from tools.research.api_client import InteractionsClient


def interaction(
    interaction_id: Annotated[str, typer.Argument(metavar="ID", help="Id of an interaction, e.g. v1_….")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the resource as JSON, as the server has it.")] = False,
    with_input: Annotated[bool, typer.Option("--input", help="Show the input too.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the interaction at the server.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it without a question.")] = False,
) -> None:
    """Show or delete an interaction at the server."""
    if delete:
        refuse_together("--delete", "shows nothing", {"--json": as_json, "--input": with_input})
    elif yes:
        raise typer.BadParameter("--yes agrees to --delete: add --delete, or leave out --yes")
    if delete and not yes:
        confirm(
            f"Delete {interaction_id} at the server? It cannot be undone.",
            f"to delete it without a question: desk interaction {interaction_id} --delete --yes",
        )
    run(_delete(interaction_id) if delete else _show(interaction_id, as_json, with_input))


async def _show(interaction_id: str, as_json: bool, with_input: bool) -> None:
    from tools.research.api_errors import ApiError, NotFound

    try:
        resource = await _client().get(interaction_id, include_input=with_input)
    except NotFound:
        raise _unknown(interaction_id) from None
    except ApiError as error:
        fail(error, f"{str(error).rstrip('.')}; `desk doctor` checks the address and the key")
    if as_json:
        served = {key: value for key, value in resource.items() if not key.startswith("output_")}  # added by the SDK
        print_json(served)
        return
    for key, value in _facts(resource).items():
        out.print(f"[bold]{key}[/]: {escape(value)}", soft_wrap=True)
    for text in _texts(resource):
        out.print(f"\n{text}", markup=False, soft_wrap=True)


async def _delete(interaction_id: str) -> None:
    from tools.research.api_errors import ApiError, NotFound

    try:
        await _client().delete(interaction_id)
    except NotFound:
        raise _unknown(interaction_id) from None
    except ApiError as error:
        err.print(f"interaction {escape(interaction_id)}: the server refused ({escape(str(error))})", soft_wrap=True)
        raise typer.Exit(1) from None
    out.print(f"interaction {escape(interaction_id)}: deleted at the server", soft_wrap=True)


def _client() -> InteractionsClient:
    from tools.interactions import backend
    from tools.research.api_client import InteractionsClient

    return InteractionsClient(backend.transport)


def _unknown(interaction_id: str) -> Exception:
    from tools.interactions import backend
    from tools.research.api_errors import NotFound
    from tools.settings import load_settings

    return NotFound(
        f"{backend.server_name()} has no interaction {interaction_id}: it was deleted, never stored, made elsewhere or"
        f" with another key, or is older than the {load_settings().retention_days:g} days for which interactions are"
        " kept (DESK_RETENTION_DAYS)"
    )


def _facts(resource: Resource) -> dict[str, str]:
    """The fields of an interaction other than its texts."""
    usage = resource.get("usage") or {}
    facts = {
        "id": resource.get("id"),
        "status": resource.get("status"),
        "model": resource.get("model"),
        "agent": resource.get("agent"),
        "previous": resource.get("previous_interaction_id"),
        "created": resource.get("created"),
        "updated": resource.get("updated"),
        "usage": ", ".join(f"{name} {number}" for name, number in usage.items() if isinstance(number, int)),
        "errors": "; ".join(error.get("message") or str(error) for error in resource.get("errors", ())),
    }
    return {name: str(value) for name, value in facts.items() if value}


def _texts(resource: Resource) -> list[str]:
    """The user input as a quote, and the answer with numbered sources."""
    from tools.research.report.markdown_rendering import to_chat
    from tools.research.report.reading import read_report

    said = [
        part.get("text") or f"({part.get('type')}, {part.get('mime_type', 'of an unknown kind')})"
        for step in resource.get("steps") or ()
        if step.get("type") == "user_input"
        for part in step.get("content") or ()
    ]
    quoted = "\n".join(f"> {line}" for text in said for line in str(text).splitlines())
    return [text for text in (quoted, to_chat(read_report(resource)).strip()) if text]
