"""The operations on uploaded files; see `files/registry.py`."""

from __future__ import annotations

from interactions_emulator.errors import Refused
from interactions_emulator.files.uploads import Upload
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.json_operations import reading
from interactions_emulator.http.paging import page
from interactions_emulator.http.responses import Answer, Json
from interactions_emulator.http.router import Route, Table
from interactions_emulator.http.upload_protocol import upload_operation


def routes(context: AppContext) -> Table:
    """Return the routes of files."""
    files = context.files

    def accept(upload: Upload, base_url: str, headers: dict[str, str]) -> Answer:
        return Json({"file": files.create(upload, base_url)}, headers=headers)

    def download(call: Call) -> None:
        files.find(call.id)
        raise Refused(400, f"File {call.id} cannot be downloaded: only generated files can, and the emulator has none")

    upload = Route(
        "files", upload_operation(context.uploads, lambda call: "files", accept, context.limits.max_body_bytes)
    )
    return {
        "upload/files": {"POST": upload, "PUT": upload},
        "files": {"GET": Route("files", reading(lambda call: page(files.show(), call.query(), "files")))},
        "files/{id}": {
            "GET": Route("files", reading(lambda call: files.resource(files.find(call.id)))),
            "DELETE": Route("files", reading(lambda call: files.delete(call.id))),
        },
        "files/{id}:download": {"GET": Route("files", reading(download))},
    }
