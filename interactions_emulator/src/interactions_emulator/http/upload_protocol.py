"""The protocol of uploads, for files and for documents of file-search stores.

A resumable upload is a POST with `X-Goog-Upload-Command: start`, answered with the header `X-Goog-Upload-URL`, and then
one or several POSTs to that address with `upload` and at last `upload, finalize`. `query` asks how much has arrived,
and `cancel` ends the upload. A small file may also come in one POST, raw or as `multipart/related`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from email.message import Message

from interactions_emulator.errors import Refused, google_error_body
from interactions_emulator.faults.fault import Fault
from interactions_emulator.files.uploads import Upload, Uploads
from interactions_emulator.http.call import Call
from interactions_emulator.http.responses import Answer, Json, refusal
from interactions_emulator.http.router import Action, Operation
from interactions_emulator.requests.fields import parse_object

CHUNK_GRANULARITY = "262144"
DEFAULT_TYPE = "application/octet-stream"

Accept = Callable[[Upload, str, dict[str, str]], Answer]
"""Makes a resource of a complete upload and returns the answer. Raises `Refused`.

The other arguments are the server's address, and headers that the answer has to have.
"""


def upload_operation(uploads: Uploads, target: Callable[[Call], str], accept: Accept, max_body_bytes: int) -> Operation:
    """Return the operation of an upload. `target` says what the file is for. Raises `Refused` if that is unknown."""

    def operation(call: Call) -> Action:
        def action(fault: Fault | None) -> Answer:
            if upload_id := call.query().get("upload_id"):
                upload = uploads.find(upload_id)
                try:
                    return go_on(call, upload)
                except Refused as refused:  # without this header, the google-genai SDK would send the chunk again
                    status = _status("active" if uploads.is_active(upload) else "final")
                    return refusal(refused, status, google_error_body)
            if "start" in _commands(call):
                return start(call)
            upload, content = _whole(call, target(call), body(call))
            uploads.start(upload)
            try:
                return complete(call, upload, 0, content, {})
            except Refused:
                uploads.cancel(upload)
                raise

        return action

    def start(call: Call) -> Answer:
        size = call.header(b"x-goog-upload-header-content-length")
        upload = Upload(
            secrets.token_hex(16),
            target(call),
            parse_object(body(call) or b"{}"),
            call.header(b"x-goog-upload-header-content-type") or DEFAULT_TYPE,
            int(size) if size.isdecimal() else None,
            call.header(b"x-goog-upload-file-name"),
        )
        uploads.start(upload)
        address = f"{call.base_url}{call.path}?upload_id={upload.id}&upload_protocol=resumable"
        headers = {"x-goog-upload-url": address, "x-goog-upload-control-url": address}
        return Json({}, headers=_status("active", CHUNK_GRANULARITY) | headers)

    def go_on(call: Call, upload: Upload) -> Answer:
        commands = _commands(call)
        if commands == {"query"}:
            received = {"x-goog-upload-size-received": str(uploads.received(upload))}
            return Json({}, headers=_status("active", CHUNK_GRANULARITY) | received)
        if commands == {"cancel"}:
            uploads.cancel(upload)
            return Json({}, headers=_status("cancelled"))
        if not commands or commands - {"upload", "finalize"}:
            raise Refused(400, f"X-Goog-Upload-Command is upload, finalize, query or cancel, not {sorted(commands)}")
        offset = call.header(b"x-goog-upload-offset") or "0"
        if not offset.isdecimal():
            raise Refused(400, f"X-Goog-Upload-Offset is a number of bytes, not {offset!r}")
        content = body(call) if "upload" in commands else b""
        if "finalize" in commands:
            return complete(call, upload, int(offset), content, _status("final"))
        uploads.append(upload, int(offset), content)
        return Json({}, headers=_status("active", CHUNK_GRANULARITY))

    def complete(call: Call, upload: Upload, offset: int, content: bytes, headers: dict[str, str]) -> Answer:
        if content:
            uploads.append(upload, offset, content)
        uploads.finish(upload)
        try:
            return accept(upload, call.base_url, headers)
        except Refused:
            uploads.cancel(upload)
            raise

    def body(call: Call) -> bytes:
        try:
            return call.body(max_body_bytes)
        except Refused as refused:
            raise Refused(413, f"{refused.message}: send the file in several chunks") from refused

    return operation


def _whole(call: Call, target: str, body: bytes) -> tuple[Upload, bytes]:
    """The upload in a single request, and its content."""
    content_type = call.header(b"content-type") or DEFAULT_TYPE
    if not content_type.startswith("multipart/related"):
        return Upload(secrets.token_hex(16), target, {}, content_type, len(body)), body
    message = Message()
    message["content-type"] = content_type
    boundary = str(message.get_param("boundary", "")).encode()
    pieces = [piece.partition(b"\r\n\r\n") for piece in body.split(b"--" + boundary)[1:-1]]
    if not boundary or len(pieces) != 2:
        raise Refused(400, "a multipart/related body has two parts: the metadata as JSON, and the content of the file")
    (_, _, metadata), (head, _, content) = pieces
    content = content.removesuffix(b"\r\n")
    types = [line.partition(b":")[2].strip() for line in head.splitlines() if line.lower().startswith(b"content-type:")]
    mime_type = types[0].decode("latin-1") if types else DEFAULT_TYPE
    return Upload(secrets.token_hex(16), target, parse_object(metadata), mime_type, len(content)), content


def _commands(call: Call) -> set[str]:
    return {command.strip().lower() for command in call.header(b"x-goog-upload-command").split(",")} - {""}


def _status(status: str, granularity: str = "") -> dict[str, str]:
    headers = {"x-goog-upload-status": status}
    return headers | ({"x-goog-upload-chunk-granularity": granularity} if granularity else {})
