"""The operations on file-search stores; see `file_search/stores.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

from interactions_emulator.errors import Refused
from interactions_emulator.files.uploads import Upload
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.json_operations import reading, taking_body
from interactions_emulator.http.paging import page
from interactions_emulator.http.responses import Answer, Prepared
from interactions_emulator.http.router import Action, Operation, Route, Table
from interactions_emulator.http.upload_protocol import upload_operation
from interactions_emulator.requests.fields import field, parse_object

KIND = "file_search_stores"


def routes(context: AppContext) -> Table:
    """Return the routes of file-search stores."""
    stores, files, uploads = context.stores, context.files, context.uploads
    max_bytes = context.limits.max_body_bytes

    def target(call: Call) -> str:
        return stores.find(call.id).id

    def accept(upload: Upload, base_url: str, headers: dict[str, str]) -> Answer:
        document = stores.draft_upload(upload)
        read = partial(stores.read_upload, document, upload)
        return Prepared(read, lambda: stores.add(document, "upload/operations"), headers)

    def import_file(call: Call) -> Action:
        body = parse_object(call.body(max_bytes) or b"{}")
        return lambda fault: imported(call.id, body)

    def imported(store_id: str, body: dict[str, Any]) -> Answer:
        name = field(body, "fileName")
        if not isinstance(name, str) or not name:
            raise Refused(400, "fileName is missing: name an uploaded file, such as files/abc")
        file = files.find(name.removeprefix("files/"))
        document = stores.draft(store_id, body, file.size, file.mime_type, file.display_name or file.id)
        read = partial(stores.read, document, files.content(file), document.display_name)
        return Prepared(read, lambda: stores.add(document, "operations"))

    def operation(name: str) -> Operation:
        return reading(lambda call: stores.operation(stores.find_document(*call.ids), name))

    def forced(call: Call) -> bool:
        return call.query().get("force", "").lower() == "true"

    upload = Route(KIND, upload_operation(uploads, target, accept, max_bytes))
    return {
        "fileSearchStores": {
            "POST": Route(KIND, taking_body(lambda call, body: stores.create(body), max_bytes)),
            "GET": Route(KIND, reading(lambda call: page(stores.show(), call.query(), "fileSearchStores"))),
        },
        "fileSearchStores/{id}": {
            "GET": Route(KIND, reading(lambda call: stores.resource(stores.find(call.id)))),
            "DELETE": Route(KIND, reading(lambda call: stores.delete(call.id, forced(call)))),
        },
        "upload/fileSearchStores/{id}:uploadToFileSearchStore": {"POST": upload, "PUT": upload},
        "fileSearchStores/{id}:importFile": {"POST": Route(KIND, import_file)},
        "fileSearchStores/{store}/operations/{id}": {"GET": Route(KIND, operation("operations"))},
        "fileSearchStores/{store}/upload/operations/{id}": {"GET": Route(KIND, operation("upload/operations"))},
        "fileSearchStores/{store}/documents": {
            "GET": Route(KIND, reading(lambda call: page(stores.show_documents(call.id), call.query(), "documents")))
        },
        "fileSearchStores/{store}/documents/{id}": {
            "GET": Route(KIND, reading(lambda call: stores.document_resource(stores.find_document(*call.ids)))),
            "DELETE": Route(KIND, reading(lambda call: stores.delete_document(call.ids[0], call.ids[1], forced(call)))),
        },
    }
